"""Scores of models and baselines side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from txpert._constants import SPLIT, TEST, TRAIN, UNS_KEY
from txpert._options import check_name, check_names
from txpert._types import BoolArray, FloatArray
from txpert.baselines import GeneralBaseline
from txpert.data import ConditionTable
from txpert.evaluation._check import score_prediction
from txpert.evaluation._metrics import score_names
from txpert.evaluation._scoring import HeldOut, SupportsPredict
from txpert.evaluation._warnings import (
    check_names as check_model_names,
)
from txpert.evaluation._warnings import (
    warn_of_copies,
    warn_of_leak,
    warn_of_unmeasured,
)
from txpert.model import TxPertModel
from txpert.model._registered import unregistered_on_failure

from ._read import read_now

_MODEL = "TxPert"
_KEYS = ("perturbation_key", "split_key")


def evaluate(
    adata: AnnData | MuData,
    model: TxPertModel | Mapping[str, SupportsPredict],
    *,
    baselines: Mapping[str, SupportsPredict] | None = None,
    split: str | Sequence[str] = TEST,
    key_added: str = UNS_KEY,
) -> pd.DataFrame:
    """Score one or several models and baselines on held-out perturbations, side by side.

    Δ is taken against the controls of the same cell line and batch and averaged over the batches
    of a cell line by numbers of cells, so each perturbation × cell line is one observation. The
    summary is the unweighted mean over these; undefined scores are left out and counted. Every
    score stands a second time without the genes that are targets (``…_without_targets``): an
    on-target effect is easily predicted. Genes that a cell line did not measure are not scored
    there.

    The split is the one that ``adata`` have now. A warning says if a model or baseline was
    trained on what is scored.

    Parameters
    ----------
    adata
        The cells; ``uns[key_added]`` is written: ``params``, ``metrics`` (one row per model,
        perturbation and cell line; ``undefined`` says why a score is NaN), ``summary`` (one row
        per model) and ``delta`` (observed and predicted Δ of each, for plots).
    model
        A trained model, or several by name, such as ``{"GAT": gat, "Exphormer": exphormer}``. The
        first :class:`txpert.TxPertModel` among them reads the data.
    baselines
        Predictors to compare with, by name; by default the general baseline fitted on the
        training perturbations.
    split
        Which conditions to score.
    key_added
        Key in ``uns``.

    Returns
    -------
    The summary: per model the mean of the main metrics that :func:`txpert.evaluation.show` lists
    (Pearson Δ, retrieval among all other perturbations of the cell line and among 100 of them,
    mean squared error), the same without the targets' own genes, and the numbers of perturbations
    scored and of undefined correlations.

    Raises
    ------
    TypeError
        If a name is no string, or nothing among the models can read the data.
    ValueError
        If no condition is in the split, a name occurs twice or cannot be kept in a file, or data
        or a prediction are on another scale.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, graphs=tx.datasets.toy_graph())
    >>> model.train(max_epochs=1, enable_progress_bar=False)
    >>> tx.tl.evaluate(adata, model).index.to_list()
    ['TxPert', 'general']
    """
    models: Mapping[str, SupportsPredict]
    models = model if isinstance(model, Mapping) else {_MODEL: model}
    check_name("key_added", key_added)
    splits = check_names("split", [split] if isinstance(split, str) else split)
    _check_predictors(models, baselines)
    check_model_names(
        [*models, *(baselines if baselines is not None else ["general"])], stored=True
    )
    reader = _reader(models)
    with unregistered_on_failure(adata):
        _, table = read_now(reader, adata)
        held_out = HeldOut.of(table, _chosen(table, splits))
        if baselines is None:
            own = table if adata is reader.adata else reader.conditions
            baselines = {"general": GeneralBaseline().fit(own)}
        warn_of_unmeasured(held_out)
        predictors = {**models, **baselines}
        if TRAIN not in splits:
            for name, predictor in predictors.items():
                what = "The model" if predictor is model else f"The predictor {name!r}"
                warn_of_leak(held_out, what, getattr(predictor, "trained_on_", ()))
        deltas, metrics = _scores(held_out, predictors)
    summary = _summarize(metrics)
    setup = reader.registry["setup_args"]
    adata.uns[key_added] = {
        **adata.uns.get(key_added, {}),
        "params": {
            "split": splits,
            "nodes": len(reader.nodes),
            "model": reader.summary_string.splitlines()[0],
            "of_effects": held_out.controls.of_effects,
            **{name: str(setup[name]) for name in _KEYS if setup.get(name)},
        },
        "metrics": metrics,
        "summary": summary,
        "delta": deltas,
        "delta_obs": held_out.obs,
        "delta_genes": np.asarray(reader.genes, dtype=object),
    }
    return summary


def _chosen(table: ConditionTable, splits: Sequence[str]) -> BoolArray:
    """Return which conditions are in some splits; refuse if none is."""
    chosen = table.obs[SPLIT].isin(splits).to_numpy()
    if not chosen.any():
        raise ValueError(
            f"No perturbation is in the split {' or '.join(map(repr, splits))}. Run "
            "tx.pp.split(adata) before setup_anndata, or name another split."
        )
    return np.asarray(chosen, dtype=bool)


def _scores(
    held_out: HeldOut, predictors: Mapping[str, SupportsPredict]
) -> tuple[dict[str, FloatArray], pd.DataFrame]:
    """Return observed and predicted Δ by name, and the scores of each prediction."""
    deltas, scores = {"observed": held_out.observed}, []
    for name, predictor in predictors.items():
        delta = held_out.predicted_by(predictor)
        try:
            score = score_prediction(held_out, delta, score_names(main=True))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        warn_of_copies(held_out, name, delta, stacklevel=4)
        score.insert(0, "model", name)
        deltas[name] = delta
        scores.append(score)
    return deltas, pd.concat(scores, ignore_index=True)


def _check_predictors(
    models: Mapping[str, SupportsPredict], baselines: Mapping[str, SupportsPredict] | None
) -> None:
    """Refuse what predicts nothing."""
    if not isinstance(baselines, Mapping | None):
        raise TypeError(f"baselines is a dictionary from name to predictor, not {baselines!r}.")
    for what, predictors in (("model", models), ("baselines", baselines or {})):
        for name, predictor in predictors.items():
            if not callable(getattr(predictor, "predict", None)):
                raise TypeError(
                    f"{what} has {predictor!r} under the name {name!r}, which is no trained model "
                    "or fitted baseline: it has no predict()."
                )


def _reader(models: Mapping[str, SupportsPredict]) -> TxPertModel:
    """Return the model that reads the data."""
    for model in models.values():
        if isinstance(model, TxPertModel):
            return model
    raise TypeError(
        "evaluate takes a TxPertModel, or several predictors by name with one among them, which "
        "reads the data; tx.benchmark compares baselines alone."
    )


def _summarize(metrics: pd.DataFrame) -> pd.DataFrame:
    grouped = metrics.groupby("model", sort=False)
    summary = grouped[score_names(main=True)].mean()
    summary["n_perturbations"] = grouped.size()
    summary["n_undefined"] = grouped["pearson_delta"].apply(lambda score: int(score.isna().sum()))
    return summary
