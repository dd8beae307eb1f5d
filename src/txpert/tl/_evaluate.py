from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from txpert._constants import (
    BATCH,
    CELL_LINE,
    CONTROL,
    DELTA,
    PERTURBATION,
    SPLIT,
    TEST,
    TRAIN,
    UNS_KEY,
)
from txpert.baselines import GeneralBaseline
from txpert.data import ConditionTable, ControlProfiles, average_over_batches
from txpert.metrics import mse, pearson_delta, retrieval_scores
from txpert.model import TxPertModel

METRICS = ("pearson_delta", "retrieval", "retrieval_fast", "mse")


class Predictor(Protocol):
    """Anything that predicts as :class:`txpert.TxPertModel` and the baselines do."""

    def predict(self, perturbations: pd.DataFrame, *, controls: ControlProfiles) -> AnnData:
        """Return conditions × genes, in the order of the frame, with ``layers["delta"]``.

        ``controls`` holds the mean control profile of each context.
        """
        ...


def evaluate(
    adata: AnnData | MuData,
    model: TxPertModel,
    *,
    baselines: Mapping[str, Predictor] | None = None,
    split: str | Sequence[str] = TEST,
    key_added: str = UNS_KEY,
) -> pd.DataFrame:
    """Score the model and baselines on perturbations held out, side by side.

    Δ is taken against the controls of the same cell line and batch and averaged over the batches
    of a cell line by numbers of cells, so each perturbation × cell line is one observation. The
    summary is the unweighted mean over these; undefined scores are left out and counted. A warning
    tells if the model was trained on what is scored.

    Parameters
    ----------
    adata
        The cells; ``uns[key_added]`` is written: ``params``, ``metrics`` (one row per model,
        perturbation and cell line), ``summary`` (one row per model) and ``delta`` (observed and
        predicted Δ of each, for plots).
    model
        A trained model.
    baselines
        Predictors to compare with, by name; by default the general baseline fitted on the
        training perturbations.
    split
        Which conditions to score.
    key_added
        Key in ``uns``.

    Returns
    -------
    The summary: per model the mean Pearson Δ, retrieval (all other perturbations of the cell
    line, and the fast version with 100 of them), mean squared error, and the numbers of
    perturbations scored and of undefined correlations.

    Raises
    ------
    ValueError
        If no condition is in the split.

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
    _, table = model.read(adata)
    splits = [split] if isinstance(split, str) else list(split)
    chosen = table.obs[SPLIT].isin(splits).to_numpy()
    if not chosen.any():
        raise ValueError(
            f"No perturbation is in the split {' or '.join(map(repr, splits))}. Run "
            "tx.pp.split(adata) before setup_anndata, or name another split."
        )
    if baselines is None:
        baselines = {"general": GeneralBaseline(model.conditions)}
    held_out = table.subset(chosen)
    if TRAIN not in splits:
        _warn_of_leak(held_out, model)
    others = table.subset(~chosen & ~table.obs[CONTROL].to_numpy())
    reference, reference_obs = average_over_batches(others.delta, others.obs)
    observed, obs = average_over_batches(held_out.delta, held_out.obs)
    deltas = {"observed": observed}
    scores = []
    for name, predictor in {"TxPert": model, **baselines}.items():
        deltas[name] = _predicted_delta(predictor, held_out)
        score = _score(deltas[name], observed, obs, reference, reference_obs)
        score.insert(0, "model", name)
        scores.append(score)
    metrics = pd.concat(scores, ignore_index=True)
    summary = _summarise(metrics)
    adata.uns[key_added] = {
        **adata.uns.get(key_added, {}),
        "params": {
            "split": splits,
            "nodes": len(model.nodes),
            "model": model.summary_string.splitlines()[0],
        },
        "metrics": metrics,
        "summary": summary,
        "delta": deltas,
        "delta_obs": obs,
        "delta_genes": model.genes.to_numpy(dtype=object),
    }
    return summary


def _warn_of_leak(held_out: ConditionTable, model: TxPertModel) -> None:
    """Warn if the model was trained on what is about to be scored, under another split, say."""
    scored = set(
        zip(*(held_out.obs[c].astype(str) for c in (PERTURBATION, CELL_LINE)), strict=True)
    )
    leaked = sorted(scored & set(model.trained_on_))
    if leaked:
        warnings.warn(
            f"The model was trained on {len(leaked)} of the {len(scored)} perturbations to be "
            f"scored, {leaked[0][0]} in {leaked[0][1]} among them: their scores say nothing about "
            "unseen ones. Score with the split that the model was trained with.",
            UserWarning,
            stacklevel=3,
        )


def _predicted_delta(predictor: Predictor, held_out: ConditionTable) -> np.ndarray:
    """Predict exactly the conditions held out, aligned with them by gene."""
    conditions = held_out.obs[[PERTURBATION, CELL_LINE, BATCH]]
    predicted = predictor.predict(conditions, controls=held_out.controls)
    column = predicted.var_names.get_indexer(held_out.genes)
    if len(predicted) != len(held_out.obs) or (column == -1).any():
        raise ValueError(
            f"A prediction of shape {predicted.shape} does not fit the {len(held_out.obs)} "
            f"conditions and {len(held_out.genes)} genes that were asked for."
        )
    delta = np.asarray(predicted.layers[DELTA])[:, column]
    return average_over_batches(delta, held_out.obs)[0]


def _score(
    predicted: np.ndarray,
    observed: np.ndarray,
    obs: pd.DataFrame,
    reference: np.ndarray,
    reference_obs: pd.DataFrame,
) -> pd.DataFrame:
    """Return one row of metrics per perturbation × cell line."""
    scores = obs.astype({PERTURBATION: object, CELL_LINE: object})
    scores[list(METRICS)] = np.nan
    scores["pearson_delta"] = pearson_delta(predicted, observed)
    scores["mse"] = mse(predicted, observed)
    for line in obs[CELL_LINE].unique():
        here = (obs[CELL_LINE] == line).to_numpy()
        others = reference[(reference_obs[CELL_LINE] == line).to_numpy()]
        both = retrieval_scores(predicted[here], observed[here], reference=others)
        for name, values in both.items():
            scores.loc[here, name] = values
    return scores


def _summarise(metrics: pd.DataFrame) -> pd.DataFrame:
    grouped = metrics.groupby("model", sort=False)
    summary = grouped[list(METRICS)].mean()
    summary["n_perturbations"] = grouped.size()
    summary["n_undefined"] = grouped["pearson_delta"].apply(lambda score: int(score.isna().sum()))
    return summary
