"""What is compared: names of baselines, recipes, and predictions made elsewhere."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import pandas as pd
from anndata import AnnData

from txpert.baselines import Baseline, StoredPrediction
from txpert.baselines._registry import make_baseline
from txpert.evaluation._scoring import SupportsPredict
from txpert.evaluation._warnings import check_names

Recipe: TypeAlias = Callable[[AnnData, int], SupportsPredict]
Model: TypeAlias = str | Baseline | Recipe | StoredPrediction | AnnData


def read_models(
    models: Mapping[str, Model], baseline: str | None, genes: pd.Index
) -> dict[str, Recipe | StoredPrediction]:
    """Return something that fits, or has fitted, under every name; the baseline too.

    Raises
    ------
    ValueError
        If there is no model, a baseline is unknown, a prediction lacks genes, or a name is none.
    TypeError
        If an entry is neither a name, nor a predictor to be fitted, nor a recipe, nor a
        prediction.
    """
    if not isinstance(models, Mapping):
        raise TypeError(
            f"models maps names to models, such as {{'mean': 'mean'}}, not {models!r}."
        )
    given = dict(models)
    if baseline is not None and baseline not in given:
        given[baseline] = baseline
    if not given:
        raise ValueError("models is empty: name at least one, such as {'mean': 'mean'}.")
    check_names(given)
    return {name: _read(name, model, genes) for name, model in given.items()}


def check_picklable(models: Mapping[str, Recipe | StoredPrediction]) -> None:
    """Refuse recipes that cannot be sent to another process.

    Raises
    ------
    ValueError
        If one cannot, with its name.
    """
    for name, model in models.items():
        try:
            pickle.dumps(model)
        except Exception as error:
            raise ValueError(
                f"The model {name!r} cannot be sent to another process ({error}). Use a function "
                "of a module or functools.partial of one instead of a lambda or an inner "
                "function, or n_jobs=1."
            ) from error
        function = model.func if isinstance(model, partial) else model
        if getattr(function, "__module__", None) == "__main__" and _interactive():
            raise ValueError(
                f"The model {name!r} is a function of the session, which other processes cannot "
                "see. Put it into a module, or use n_jobs=1."
            )


def _read(name: str, model: Model, genes: pd.Index) -> Recipe | StoredPrediction:
    if isinstance(model, str):
        model = make_baseline(model)
    if isinstance(model, Baseline):
        return partial(_fitted, predictor=model.unfitted())
    if isinstance(model, AnnData):
        model = StoredPrediction(model)
    if isinstance(model, StoredPrediction):
        missing = genes.difference(model.genes, sort=False)
        if len(missing):
            raise ValueError(
                f"The prediction {name!r} lacks {len(missing):,} of the {len(genes):,} genes, "
                f"{', '.join(map(str, missing[:5]))}{', …' if len(missing) > 5 else ''}. Predict "
                "all of them, or benchmark on the genes that every model predicts: "
                "adata[:, genes].copy()"
            )
        return model
    if inspect.isclass(model):
        raise TypeError(
            f"{name!r} is a class; give an instance of it with a method fit(adata), or a function "
            "of (adata, seed) that returns a fitted model."
        )
    if hasattr(model, "predict") and hasattr(model, "fit"):
        return partial(_fitted, predictor=model)
    if hasattr(model, "predict"):
        raise TypeError(
            f"{name!r} is a {type(model).__name__} that has been fitted before; a benchmark fits "
            "every model itself, to the training cells of each split. Give a recipe instead: a "
            "function of (adata, seed) that returns it, such as functools.partial("
            "tx.tl.fit_txpert, graphs=...)."
        )
    if not callable(model):
        raise TypeError(
            f"The model {name!r} must be the name of a baseline, a predictor with fit(adata), a "
            f"function of (adata, seed) or a prediction, not {type(model).__name__}."
        )
    return model


def _fitted(adata: AnnData, seed: int, predictor: Any) -> SupportsPredict:
    """Fit a copy of a predictor, which stays as it is."""
    return copy.deepcopy(predictor).fit(adata)


def _interactive() -> bool:
    import __main__

    return not hasattr(__main__, "__file__")


def is_stored(model: Any) -> bool:
    """Return whether this is a prediction made elsewhere."""
    return isinstance(model, StoredPrediction)
