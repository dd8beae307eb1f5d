"""What every evaluation shares: predicted Δ, aligned with the observed one, and its scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from txpert._constants import BATCH, CELL_LINE, CONTROL, DELTA, N_CELLS, PERTURBATION
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data import ConditionTable, ControlProfiles, average_over_batches, canonical_label
from txpert.metrics import (
    centroid_accuracy,
    direction_accuracy,
    mse,
    pearson_delta,
    retrieval_scores,
    top_genes,
)

METRICS = ("pearson_delta", "retrieval", "retrieval_fast", "mse")
ALL_METRICS = (*METRICS, "pearson_delta_top20", "centroid_accuracy", "direction_accuracy")
_CONDITION = [PERTURBATION, CELL_LINE, BATCH]


class SupportsPredict(Protocol):
    """Anything that predicts as :class:`txpert.TxPertModel` and the baselines do."""

    def predict(self, perturbations: pd.DataFrame, *, controls: ControlProfiles) -> AnnData:
        """Return conditions × genes with ``layers["delta"]``, for the conditions of the frame.

        ``controls`` holds the mean control profile of each context.
        """
        ...


@dataclass(frozen=True)
class HeldOut:
    """Conditions to be scored, and what was observed.

    Attributes
    ----------
    conditions
        perturbation, cell_line, batch and n_cells of each condition.
    controls
        Mean control profile of each context.
    obs
        perturbation, cell_line and n_cells of each observation: perturbation × cell line.
    observed
        Its Δ, shape ``(n_observations, n_genes)``.
    reference_obs, reference
        The same of all other perturbations, which retrieval compares with.
    """

    conditions: pd.DataFrame
    controls: ControlProfiles
    obs: pd.DataFrame
    observed: FloatArray
    reference_obs: pd.DataFrame
    reference: FloatArray

    @classmethod
    def of(cls, table: ConditionTable, chosen: BoolArray) -> HeldOut:
        """Hold some conditions of a table out; the others, but for controls, are the reference."""
        held_out = table.subset(chosen)
        others = table.subset(~chosen & ~table.obs[CONTROL].to_numpy(dtype=bool))
        observed, obs = average_over_batches(held_out.delta, held_out.obs)
        reference, reference_obs = average_over_batches(others.delta, others.obs)
        conditions = held_out.obs[[*_CONDITION, N_CELLS]]
        return cls(conditions, table.controls, obs, observed, reference_obs, reference)

    def score(self, predicted: FloatArray, metrics: Sequence[str] = METRICS) -> pd.DataFrame:
        """Return one row of metrics per observation."""
        return score(
            predicted, self.observed, self.obs, self.reference, self.reference_obs, metrics
        )


def predicted_delta(
    predictor: SupportsPredict, conditions: pd.DataFrame, controls: ControlProfiles
) -> FloatArray:
    """Predict conditions and average over batches, aligned by names of conditions and genes.

    Parameters
    ----------
    predictor
        What is to be scored.
    conditions
        perturbation, cell_line, batch and n_cells.
    controls
        Mean control profile of each context; its genes are those that count.

    Returns
    -------
    Δ of each perturbation × cell line, in the order of
    :func:`txpert.data.average_over_batches`.

    Raises
    ------
    ValueError
        If the prediction has no Δ, or lacks conditions or genes.
    """
    predicted = predictor.predict(conditions[_CONDITION], controls=controls)
    if DELTA not in predicted.layers:
        raise ValueError(
            f"The prediction has no layers[{DELTA!r}]: predicted expression minus the mean of the "
            "matched controls."
        )
    start = (
        f"A prediction of shape {predicted.shape} does not fit the {len(conditions)} conditions "
        f"and {len(controls.genes)} genes that were asked for"
    )
    named = [column for column in _CONDITION if column in predicted.obs]
    if not named and len(predicted) != len(conditions):
        raise ValueError(f"{start}, and its obs does not name them.")
    held, asked = _names(predicted.obs, named), _names(conditions, named)
    row = _positions(held, asked, "condition", start)
    column = _positions(predicted.var_names, controls.genes, "gene", start)
    delta = predicted.layers[DELTA]
    delta = delta.toarray() if sparse.issparse(delta) else np.asarray(delta)
    return average_over_batches(delta[row][:, column], conditions)[0]


def score(
    predicted: FloatArray,
    observed: FloatArray,
    obs: pd.DataFrame,
    reference: FloatArray,
    reference_obs: pd.DataFrame,
    metrics: Sequence[str] = METRICS,
) -> pd.DataFrame:
    """Return one row of metrics per perturbation × cell line."""
    scores = obs.astype({PERTURBATION: object, CELL_LINE: object})
    scores[list(metrics)] = np.nan
    over_genes: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
        "pearson_delta": pearson_delta,
        "pearson_delta_top20": _pearson_of_top_genes,
        "mse": mse,
        "direction_accuracy": _direction,
    }
    for name in over_genes.keys() & set(metrics):
        scores[name] = over_genes[name](predicted, observed)
    for line in obs[CELL_LINE].unique():
        here = (obs[CELL_LINE] == line).to_numpy()
        others = reference[(reference_obs[CELL_LINE] == line).to_numpy()]
        specific = retrieval_scores(predicted[here], observed[here], reference=others)
        if "centroid_accuracy" in metrics:
            specific["centroid_accuracy"] = centroid_accuracy(
                predicted[here], observed[here], reference=others
            )
        for name, values in specific.items():
            scores.loc[here, name] = values
    return scores


def _pearson_of_top_genes(predicted: FloatArray, observed: FloatArray) -> FloatArray:
    mask = top_genes(observed, min(20, observed.shape[1]))
    return pearson_delta(predicted, observed, genes=mask)


def _direction(predicted: FloatArray, observed: FloatArray) -> FloatArray:
    """Share of genes whose direction is right; a prediction of no change at all has none."""
    share = direction_accuracy(predicted, observed)
    return np.where((predicted == 0).all(axis=1), np.nan, share)


def _names(obs: pd.DataFrame, columns: list[str]) -> pd.Index:
    """Name conditions by some columns; by position if there is none."""
    if not columns:
        return pd.RangeIndex(len(obs))
    frame = obs[columns].astype(str)
    if PERTURBATION in columns:
        labels = {label: canonical_label(label) for label in frame[PERTURBATION].unique()}
        frame[PERTURBATION] = frame[PERTURBATION].map(labels)
    return pd.Index([", ".join(row) for row in frame.itertuples(index=False, name=None)])


def _positions(held: pd.Index, asked: pd.Index, what: str, start: str) -> IntArray:
    """Return where each name asked for is."""
    if held.equals(asked):
        return np.arange(len(asked))
    if not held.is_unique:
        raise ValueError(f"{start}: the {what} {held[held.duplicated()][0]!r} occurs twice.")
    position = held.get_indexer(asked)
    missing = asked[position == -1]
    if len(missing):
        shown = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
        raise ValueError(f"{start}: it lacks {len(missing)} {what}(s), {shown}.")
    return position
