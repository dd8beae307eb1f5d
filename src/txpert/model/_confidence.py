"""How far a prediction can be relied on: expected scores and intervals."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from anndata import AnnData
from scvi import settings

from txpert._constants import DELTA, PERTURBATION
from txpert._options import check_number
from txpert._types import FloatArray, IntArray
from txpert.data._tokens import parse_targets
from txpert.effects._confidence import FEWEST, Confidence, check_level_of, n_perturbations
from txpert.effects._line_effects import contexts_of
from txpert.effects._posterior import Posterior

from ._component import GAUSSIAN_PROCESS, MEASURED, NEW, not_fitted
from ._components import GaussianProcessComponent
from ._ensemble import Ensemble

NOTHING = 0.01
"""Fraction of variance explained below which nothing specific to a perturbation is known."""
EXPECTED, NOTHING_SPECIFIC = "expected_pearson_delta", "nothing_specific"
LOWER, UPPER = "lower", "upper"
NEED = "Intervals and expected scores need"


def posterior_of(
    ensemble: Ensemble | None, components: tuple[str, ...], obs: pd.DataFrame, return_std: bool
) -> Posterior | None:
    """Return the spread of the conditions' Δ; ``None`` if it is not known or costs much.

    The standard deviation is NaN with a single training perturbation.

    Raises
    ------
    ValueError
        If a standard deviation is asked for and there is no Gaussian process.
    """
    if return_std:
        _process_of(ensemble, components, "A standard deviation needs")
    process = None if ensemble is None else ensemble.process
    if process is None:
        return None
    if not (return_std or process.process.knows_spread):
        return None
    code, first = groups(obs, list(process.reads))
    found = process.posterior(
        obs.iloc[first], return_mean=False, return_std=return_std, return_specific=True
    )
    if found.std is not None and n_perturbations(process.process.rows) == 1:
        found.std[:] = np.nan
    return Posterior(*(None if part is None else part[code] for part in found))


def calibrate(ensemble: Ensemble | None, components: tuple[str, ...]) -> Confidence:
    """Calibrate the Gaussian process of an ensemble on its training rows.

    Raises
    ------
    ValueError
        If there is none.
    """
    process = _process_of(ensemble, components, NEED)
    assert ensemble is not None
    curve = ensemble.weights_of(NEW).calibration
    return Confidence.fit(process.process, process.kernels, curve)


def _process_of(
    ensemble: Ensemble | None, components: tuple[str, ...], what: str
) -> GaussianProcessComponent:
    process = None if ensemble is None else ensemble.process
    if process is not None:
        return process
    if GAUSSIAN_PROCESS in components:
        raise not_fitted(components)
    raise ValueError(
        f"{what} the component {GAUSSIAN_PROCESS!r}, and the model has {', '.join(components)}."
    )


def warn_of_few(ensemble: Ensemble, *, std: bool, expected: bool) -> None:
    """Warn if spreads or expected scores are NaN for want of training perturbations."""
    process = ensemble.process
    assert process is not None
    number = n_perturbations(process.process.rows)
    least = {'layers["std"]': 2 * std, f'obs["{EXPECTED}"]': FEWEST * expected}
    lacking = [f"{name} needs at least {n}" for name, n in least.items() if number < n]
    if lacking:
        warnings.warn(
            f"{' and '.join(lacking)} training perturbations to learn from, and is NaN with "
            f"{number}.",
            UserWarning,
            stacklevel=settings.warnings_stacklevel + 1,
        )


def expected_scores(ensemble: Ensemble, confidence: Confidence, obs: pd.DataFrame) -> FloatArray:
    """Return the Pearson Δ expected of conditions; NaN for controls and what was measured."""
    process = ensemble.process
    assert process is not None
    targets = [parse_targets(label) for label in obs[PERTURBATION]]
    found = confidence.expected(process.process, process.kernels, targets, contexts_of(obs))
    unknown = ensemble.kinds(obs) == MEASURED
    unknown |= np.array([not names for names in targets])
    return np.where(unknown, np.nan, found)


def add_interval(predicted: AnnData, confidence: Confidence, level: float) -> None:
    """Add ``layers["lower"]`` and ``layers["upper"]`` around Δ."""
    reach = confidence.quantile(level) * np.asarray(predicted.layers["std"])
    predicted.layers[LOWER] = predicted.layers[DELTA] - reach
    predicted.layers[UPPER] = predicted.layers[DELTA] + reach


def add_posterior(predicted: AnnData, posterior: Posterior | None) -> None:
    """Add what is known of the spread: ``obs["specific"]`` and ``layers["std"]``."""
    if posterior is not None and posterior.specific is not None:
        predicted.obs["specific"] = posterior.specific
        predicted.obs[NOTHING_SPECIFIC] = posterior.specific < NOTHING
    if posterior is not None and posterior.std is not None:
        predicted.layers["std"] = posterior.std


def check_level(level: float | None) -> None:
    """Raise a ValueError if the coverage of an interval is not between 0 and 1."""
    if level is None:
        return
    check_number("interval", level, above=0)
    if level >= 1:
        raise ValueError(f"interval is a coverage below 1, such as 0.9, not {level!r}.")


def check_reached(
    ensemble: Ensemble | None, components: tuple[str, ...], level: float | None
) -> None:
    """Raise a ValueError if there is nothing to make intervals of a level of, or too little."""
    if level is not None:
        process = _process_of(ensemble, components, NEED)
        check_level_of(process.process.rows, level)


def groups(obs: pd.DataFrame, columns: list[str]) -> tuple[IntArray, IntArray]:
    """Return the group of each condition by some columns, and the first condition of each."""
    known = [column for column in columns if column in obs]
    code = obs.groupby(known, sort=False, observed=True).ngroup().to_numpy(dtype=np.int64)
    return code, np.unique(code, return_index=True)[1]
