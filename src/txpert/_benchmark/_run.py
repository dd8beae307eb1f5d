"""One model under one split: fitted, asked, timed."""

from __future__ import annotations

import logging
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._types import FloatArray
from txpert.data._controls import ControlProfiles
from txpert.evaluation._scoring import SupportsPredict, predicted_delta
from txpert.model._callbacks import TrainingInterrupted
from txpert.model._distance import UnseenLineWarning
from txpert.model._registered import release

from ._memory import peak_memory, reset_peak
from ._models import Recipe

FAILURES = (Exception, SystemExit)
"""What fails one run; an interrupt ends the benchmark."""


@dataclass(frozen=True)
class Question:
    """What every model under a split is asked.

    Attributes
    ----------
    conditions
        perturbation, cell_line, batch and n_cells of each test condition.
    controls
        Mean control profile of each context.
    """

    conditions: pd.DataFrame
    controls: ControlProfiles


@dataclass(frozen=True)
class Answer:
    """What a run came to.

    Attributes
    ----------
    delta
        Predicted Δ of each perturbation × cell line; ``None`` if the run failed.
    seconds, peak_memory_mb
        What fitting and predicting took; NaN where unknown.
    reason
        Why the run failed, else empty.
    trace
        Where in the code.
    """

    delta: FloatArray | None
    seconds: float = float("nan")
    peak_memory_mb: float = float("nan")
    reason: str = ""
    trace: str = ""


def answer(
    recipe: Recipe,
    cells: Callable[[], AnnData],
    question: Question,
    seed: int,
    *,
    own_process: bool = False,
) -> Answer:
    """Fit a model to cells and ask it; an exception becomes the reason of a failed run.

    The peak memory is by how much that of the process rises, the cells counted in. Where the
    system cannot say this, it is known in a process of its own only.
    """
    before = reset_peak()
    if own_process and np.isnan(before):
        before = peak_memory()
    start = time.perf_counter()
    try:
        delta = _ask(recipe, cells(), question, seed)
    except FAILURES as error:
        return Answer(None, reason=describe(error), trace=traceback.format_exc())
    return Answer(delta, time.perf_counter() - start, peak_memory() - before)


def look_up(prediction: object, question: Question) -> Answer:
    """Ask a prediction made elsewhere."""
    try:
        return Answer(predicted_delta(prediction, question.conditions, question.controls))  # type: ignore[arg-type]
    except (ValueError, KeyError) as error:
        return Answer(None, reason=describe(error), trace=traceback.format_exc())


def describe(error: BaseException) -> str:
    """Return an error's type and message in one line."""
    message = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return ": ".join(filter(None, (type(error).__name__, " ".join(message.split()))))


def _fit(recipe: Recipe, adata: AnnData, seed: int) -> SupportsPredict:
    """Fit a model; if its training is interrupted, that ends the benchmark.

    Training keeps a model that it has not finished, with a warning: as a finished run it would be
    stored, and read ever after.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.simplefilter("error", TrainingInterrupted)
        try:
            fitted = recipe(adata, seed)
        except TrainingInterrupted as warning:
            raise KeyboardInterrupt(str(warning)) from warning
    if not hasattr(fitted, "predict"):
        raise TypeError(
            "A recipe, or fit(adata) of a predictor, must return something with "
            "predict(perturbations, controls=), such as a fitted model or "
            f"tx.baselines.StoredPrediction, not {type(fitted).__name__}."
        )
    return fitted


def _ask(recipe: Recipe, adata: AnnData, question: Question, seed: int) -> FloatArray:
    own = replace(question.controls, mean=question.controls.mean.copy())
    try:
        with _seeded(seed):
            predictor = _fit(recipe, adata, seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnseenLineWarning)  # asked for on purpose
                return predicted_delta(predictor, question.conditions.copy(), own)
    finally:
        release(adata)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Set scvi-tools' seed without a message, and put it back."""
    import scvi

    logger = logging.getLogger("lightning.fabric.utilities.seed")
    level, before = logger.level, scvi.settings.seed
    logger.setLevel(logging.WARNING)
    try:
        scvi.settings.seed = seed
        yield
    finally:
        scvi.settings.seed = before
        logger.setLevel(level)
