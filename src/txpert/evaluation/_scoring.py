"""What every evaluation shares: predicted Δ, aligned with the observed one, and its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from txpert._constants import (
    BATCH,
    CELL_LINE,
    CONTROL,
    DELTA,
    MODALITY,
    N_CELLS,
    PERTURBATION,
    SPLIT,
    TRAIN,
)
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._batches import OverBatches, average_over_batches
from txpert.data._conditions import context_names, pairs
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import canonical_label, measured_targets

from ._metrics import METRICS, WITHOUT_TARGETS, Rows, metric_of, score_names

_CONDITION = [PERTURBATION, CELL_LINE, BATCH, MODALITY]


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
        perturbation, cell_line, batch, n_cells and, where there are any, modality of each
        condition.
    controls
        Mean control profile of each context.
    batches
        Which conditions are one observation: perturbation × cell line × modality.
    observed
        Its Δ, shape ``(n_observations, n_genes)``; NaN where a gene was not measured.
    reference_obs, reference
        The same of all other perturbations, which retrieval compares with.
    genes
        Names of the genes.
    trained
        Perturbation and context of what is in training under the same split.
    """

    conditions: pd.DataFrame
    controls: ControlProfiles
    batches: OverBatches
    observed: FloatArray
    reference_obs: pd.DataFrame
    reference: FloatArray
    genes: pd.Index
    trained: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, table: ConditionTable, chosen: BoolArray) -> HeldOut:
        """Hold some conditions of a table out; the others, but for controls, are the reference."""
        held_out = table.subset(chosen)
        others = table.subset(~chosen & ~table.obs[CONTROL].to_numpy(dtype=bool))
        batches = OverBatches.of(held_out.obs)
        reference, reference_obs = average_over_batches(others.delta, others.obs)
        trained: frozenset[tuple[str, str]] = frozenset()
        if SPLIT in others.obs:
            trained = frozenset(pairs(others.obs[(others.obs[SPLIT] == TRAIN).to_numpy()]))
        conditions = held_out.obs[[*_named(held_out.obs), N_CELLS]]
        return cls(
            conditions,
            table.controls,
            batches,
            batches.mean(held_out.delta),
            reference_obs,
            reference,
            table.genes,
            trained,
        )

    @property
    def obs(self) -> pd.DataFrame:
        """perturbation, cell_line, n_cells and, if there is one, modality of each observation."""
        return self.batches.obs

    @cached_property
    def control(self) -> FloatArray:
        """Matched control of each observation, ``(n_observations, n_genes)``."""
        _, context = self.controls.conditions(self.conditions)
        return self.batches.mean(self.controls.mean[context])

    @cached_property
    def measured(self) -> tuple[BoolArray, BoolArray]:
        """Genes that were measured, for each observation and each reference."""
        return measured_genes(self.observed, self.obs, self.reference, self.reference_obs)

    def predicted_by(self, predictor: SupportsPredict) -> FloatArray:
        """Return predicted Δ of each observation; see :func:`predicted_delta`."""
        return predicted_delta(predictor, self.conditions, self.controls, self.batches)

    def score(self, predicted: FloatArray, names: Sequence[str] | None = None) -> pd.DataFrame:
        """Return one row of scores per observation; see :func:`score`."""
        return score(
            predicted,
            self.observed,
            self.obs,
            self.reference,
            self.reference_obs,
            self.genes,
            score_names(main=True) if names is None else names,
            self.measured,
        )


def _named(obs: pd.DataFrame) -> list[str]:
    """Return the columns that name a condition, of those there are."""
    return [column for column in _CONDITION if column in obs]


def predicted_delta(
    predictor: SupportsPredict,
    conditions: pd.DataFrame,
    controls: ControlProfiles,
    batches: OverBatches | None = None,
) -> FloatArray:
    """Predict conditions and average over batches, aligned by names of conditions and genes.

    Parameters
    ----------
    predictor
        What is to be scored.
    conditions
        perturbation, cell_line, batch, n_cells and, if there is one, modality.
    controls
        Mean control profile of each context; its genes are those that count.
    batches
        Which conditions are one observation, if that is known.

    Returns
    -------
    Δ of each perturbation × cell line, in the order of ``OverBatches``.

    Raises
    ------
    TypeError
        If the prediction is no AnnData.
    ValueError
        If it has no Δ, or lacks conditions or genes.
    """
    predicted = predictor.predict(conditions[_named(conditions)], controls=controls)
    if not isinstance(predicted, AnnData):
        raise TypeError(
            f"predict of {type(predictor).__name__} must return AnnData, conditions × genes with "
            f"layers[{DELTA!r}], as controls.prediction(obs, context, expression) makes it, not "
            f"{type(predicted).__name__}."
        )
    if DELTA not in predicted.layers:
        raise ValueError(
            f"The prediction has no layers[{DELTA!r}]: predicted expression minus the mean of the "
            "matched controls."
        )
    start = (
        f"A prediction of shape {predicted.shape} does not fit the {len(conditions)} conditions "
        f"and {len(controls.genes)} genes that were asked for"
    )
    named = [column for column in _named(conditions) if column in predicted.obs]
    if not named and len(predicted) != len(conditions):
        raise ValueError(f"{start}, and its obs does not name them.")
    held, asked = _names(predicted.obs, named), _names(conditions, named)
    row = _positions(held, asked, "condition", start)
    column = _positions(predicted.var_names, controls.genes, "gene", start)
    delta = predicted.layers[DELTA]
    delta = delta.toarray() if sparse.issparse(delta) else np.asarray(delta)
    batches = OverBatches.of(conditions) if batches is None else batches
    return batches.mean(delta[row][:, column])


def score(
    predicted: FloatArray,
    observed: FloatArray,
    obs: pd.DataFrame,
    reference: FloatArray,
    reference_obs: pd.DataFrame,
    genes: pd.Index,
    names: Sequence[str],
    measured: tuple[BoolArray, BoolArray] | None = None,
) -> pd.DataFrame:
    """Return one row of scores per perturbation × cell line.

    Parameters
    ----------
    predicted, observed, reference
        Δ of what is scored, ``(n, n_genes)``, and of what retrieval compares with besides.
    obs, reference_obs
        perturbation, cell_line and, if there is one, modality of each row.
    genes
        Names of the genes, by which targets are found.
    names
        Scores, of those that :func:`score_names` returns.
    measured
        From :func:`measured_genes`; found out by default.
    """
    names_of = [name for name in (PERTURBATION, CELL_LINE, MODALITY) if name in obs]
    scores = {name: np.full(len(obs), np.nan) for name in names}
    if measured is None:
        measured = measured_genes(observed, obs, reference, reference_obs)
    plain = [name for name in names if not name.endswith(WITHOUT_TARGETS)]
    without = [name for name in names if name.endswith(WITHOUT_TARGETS)]
    contexts, others = context_names(obs), context_names(reference_obs)
    for context in np.unique(contexts):
        here, there = contexts == context, others == context
        rows = Rows(
            predicted[here],
            observed[here],
            measured[0][here],
            reference[there],
            measured[1][there],
        )
        for name in plain:
            scores[name][here] = METRICS[name].function(rows)
        if not without:
            continue
        rest = replace(
            rows,
            genes=rows.genes & ~_targets(obs[here], genes),
            reference_genes=rows.reference_genes & ~_targets(reference_obs[there], genes),
        )
        for name in without:
            scores[name][here] = metric_of(name).function(rest)
    return obs.astype(dict.fromkeys(names_of, object)).assign(**scores)


def measured_genes(
    observed: FloatArray, obs: pd.DataFrame, reference: FloatArray, reference_obs: pd.DataFrame
) -> tuple[BoolArray, BoolArray]:
    """Find the genes that were measured in each observation.

    A gene counts as not measured where its Δ is NaN, and in a cell line in which it never changes
    although it does in another: the zeros of an outer join of screens with other genes.

    Parameters
    ----------
    observed, reference
        Observed Δ, ``(n, n_genes)`` and ``(n_reference, n_genes)``.
    obs, reference_obs
        cell_line of each row.

    Returns
    -------
    Whether each gene was measured, of the shapes of ``observed`` and ``reference``.
    """
    masks = np.isfinite(observed), np.isfinite(reference)
    lines = obs[CELL_LINE].astype(str).to_numpy(), reference_obs[CELL_LINE].astype(str).to_numpy()
    changes = {}
    for line in sorted({*lines[0], *lines[1]}):
        parts = [delta[of == line] for delta, of in zip((observed, reference), lines, strict=True)]
        changes[line] = np.any([(np.nan_to_num(part) != 0).any(axis=0) for part in parts], axis=0)
    anywhere = np.any([*changes.values()], axis=0)
    for line, changing in changes.items():
        for mask, of in zip(masks, lines, strict=True):
            mask[of == line] &= changing | ~anywhere
    return masks


def _targets(obs: pd.DataFrame, genes: pd.Index) -> BoolArray:
    """Mark the genes that are targets of each row's perturbation."""
    mask = np.zeros((len(obs), len(genes)), dtype=bool)
    mask[measured_targets(obs[PERTURBATION].astype(str).tolist(), genes)] = True
    return mask


def _names(obs: pd.DataFrame, columns: list[str]) -> pd.Index:
    """Name conditions by some columns; by position if there is none."""
    if not columns:
        return pd.RangeIndex(len(obs))
    frame = obs[columns].astype(str)
    if PERTURBATION in columns:
        labels = {label: canonical_label(label) for label in frame[PERTURBATION].unique()}
        frame[PERTURBATION] = frame[PERTURBATION].map(labels)
    return pd.Index([", ".join(row) for row in frame.itertuples(index=False, name=None)])


def _positions(held: pd.Index, asked: pd.Index, what: str, start: str) -> IntArray | slice:
    """Return where each name asked for is; all of them, if they are in order."""
    if held.equals(asked):
        return slice(None)
    if not held.is_unique:
        raise ValueError(f"{start}: the {what} {held[held.duplicated()][0]!r} occurs twice.")
    position = held.get_indexer(asked)
    missing = asked[position == -1]
    if len(missing):
        shown = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
        raise ValueError(f"{start}: it lacks {len(missing)} {what}(s), {shown}.")
    return position
