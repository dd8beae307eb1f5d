"""Mean control profiles of each context, what predictions start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from txpert._constants import (
    ALL,
    BATCH,
    CELL_LINE,
    CONTROL,
    MODALITY,
    N_CELLS,
    SPLIT,
    TRAIN,
)
from txpert._repr import as_html, as_text, listed
from txpert._types import BoolArray, FloatArray, IntArray

from ._asked_conditions import ConditionsMixin
from ._group_sums import filled_by_mean, weighted_group_means

Matching = Literal["batch", "cell_line"]


@dataclass(frozen=True, repr=False)
class ControlProfiles(ConditionsMixin):
    """Mean profile of the control cells of each context: what a prediction starts from.

    Attributes
    ----------
    obs
        cell_line, batch and n_cells of each context; where the data have modalities, the one
        that a condition of it has unless another is asked for.
    mean
        Mean expression of its controls, shape ``(n_contexts, n_genes)``; NaN where a gene was not
        measured.
    genes
        Names of the genes.
    embedding
        Mean embedding of its controls, shape ``(n_contexts, n_embedding)``, where the cells have
        one.
    labels
        Labels that control cells had; within perturbations asked for they mean no target.
    """

    obs: pd.DataFrame
    mean: FloatArray
    genes: pd.Index
    embedding: FloatArray | None = None
    labels: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return as_text(*self._about())

    def _repr_html_(self) -> str:
        return as_html(*self._about())

    def _about(self) -> tuple[str, dict[str, str]]:
        """Return what a representation shows: the title and its rows."""
        rows = {
            "cell lines": listed(self.obs[CELL_LINE].astype(str).unique()),
            "batches": listed(self.obs[BATCH].astype(str).unique()),
            "control cells": f"{int(self.obs[N_CELLS].sum()):,}",
        }
        title = f"ControlProfiles of {len(self.obs):,} contexts × {len(self.genes):,} genes"
        return title, rows

    @property
    def of_effects(self) -> bool:
        """Whether Δ is what was measured, against controls of zero; see :class:`Screen`."""
        return not self.mean.any()

    def measured(self) -> BoolArray:
        """Return which genes each context measured, ``(n_contexts, n_genes)``."""
        return np.isfinite(self.mean)

    def filled(self) -> ControlProfiles:
        """Return profiles in which a gene not measured has its mean over the other contexts.

        That is what a network reads there; it is 0 for a gene that no context measured.
        """
        mean = filled_by_mean(self.mean, self.obs[N_CELLS].to_numpy(float))
        return self if mean is self.mean else replace(self, mean=mean)

    def with_modality_of(self, conditions: pd.DataFrame) -> ControlProfiles:
        """Return profiles whose contexts know the modality that is most common in training.

        Parameters
        ----------
        conditions
            cell_line, batch, control and, if there are any, modality and split of all conditions.
            Without training perturbations a context has the modality of its cell line, without
            any in the line, the most common of all.
        """
        if MODALITY not in conditions:
            return self
        chosen = ~conditions[CONTROL].to_numpy(dtype=bool)
        if SPLIT in conditions and (conditions[SPLIT] == TRAIN).any():
            chosen &= (conditions[SPLIT] == TRAIN).to_numpy()
        names = [CELL_LINE, BATCH, MODALITY]
        rows = conditions.loc[chosen if chosen.any() else slice(None), names].astype(str)
        obs = self.obs[[CELL_LINE, BATCH]].astype(str)
        found = pd.Series(rows[MODALITY].mode()[0], index=obs.index, dtype=object)
        for keys in ([CELL_LINE], [CELL_LINE, BATCH]):
            common = rows.groupby(keys)[MODALITY].agg(lambda values: values.mode()[0])
            known = obs.merge(common.reset_index(), on=keys, how="left")[MODALITY]
            found = known.set_axis(obs.index).astype(object).fillna(found)
        return replace(self, obs=self.obs.assign(**{MODALITY: found}))

    def pools(self, matching: Matching, *, modalities_apart: bool = False) -> IntArray:
        """Return which contexts share their controls: a number for each, ``(n_contexts,)``.

        Parameters
        ----------
        matching
            Contexts of the same batch, or of the same cell line.
        modalities_apart
            Whether batches of a line that differ in modality do not share them.

        Raises
        ------
        ValueError
            If there is no such matching.
        """
        if matching == "batch":
            return np.arange(len(self.obs))
        if matching == "cell_line":
            lines = self.obs[CELL_LINE].astype(str)
            if modalities_apart and MODALITY in self.obs:
                lines = lines.str.cat(self.obs[MODALITY].astype(str), sep="|")
            return pd.factorize(lines)[0].astype(np.int64)
        raise ValueError(f"matching must be 'batch' or 'cell_line', not {matching!r}.")

    def pooled(self, matching: Matching) -> ControlProfiles:
        """Return profiles averaged over the controls that a context is matched with."""
        pools = self.pools(matching)
        return self if matching == "batch" else self._averaged(pools)

    def _averaged(self, pools: IntArray) -> ControlProfiles:
        """Return profiles that are the same for all contexts of a pool."""
        weight = self.obs[N_CELLS].to_numpy(dtype=float)

        def over_pools(values: FloatArray) -> FloatArray:
            return weighted_group_means(values, pools, weight)[pools]

        embedding = None if self.embedding is None else over_pools(self.embedding)
        return replace(self, mean=over_pools(self.mean), embedding=embedding)

    def over_batches(self, *, modalities_apart: bool = False) -> ControlProfiles:
        """Return one context per cell line (or line × modality): the mean over its controls."""
        pools = self.pools("cell_line", modalities_apart=modalities_apart)
        pooled = self._averaged(pools)
        first = np.unique(pools, return_index=True)[1]
        obs = self.obs.iloc[first][[CELL_LINE]].reset_index(drop=True)
        obs[BATCH] = ALL
        obs[N_CELLS] = np.bincount(pools, self.obs[N_CELLS]).astype(np.int64)
        if MODALITY in self.obs:
            obs[MODALITY] = self.obs[MODALITY].to_numpy()[first]
        embedding = None if pooled.embedding is None else pooled.embedding[first]
        return ControlProfiles(obs, pooled.mean[first], self.genes, embedding, self.labels)

    def with_lines(self) -> ControlProfiles:
        """Return profiles with one more context, ``"all"``, for each line that has none so called.

        It is the mean over all controls of the line.
        """
        whole = self.over_batches()
        named = self.obs[[CELL_LINE, BATCH]].astype(str)
        known = named.loc[named[BATCH] == ALL, CELL_LINE]
        more = whole.subset(np.flatnonzero(~whole.obs[CELL_LINE].astype(str).isin(known)))
        obs = pd.concat([self.obs.assign(**named), more.obs.astype({CELL_LINE: str})])
        embedding = None
        if self.embedding is not None and more.embedding is not None:
            embedding = np.concatenate([self.embedding, more.embedding])
        mean = np.concatenate([self.mean, more.mean])
        return replace(self, obs=obs.reset_index(drop=True), mean=mean, embedding=embedding)

    def subset(self, contexts: IntArray) -> ControlProfiles:
        """Return some of the contexts, by position."""
        embedding = None if self.embedding is None else self.embedding[contexts]
        obs = self.obs.iloc[contexts].reset_index(drop=True)
        return replace(self, obs=obs, mean=self.mean[contexts], embedding=embedding)

    def renamed_batches(self, names: npt.NDArray[np.str_]) -> ControlProfiles:
        """Return profiles whose batches have other names, ``(n_contexts,)``."""
        return replace(self, obs=self.obs.assign(**{BATCH: names.astype(object)}))

    def over(self, genes: pd.Index) -> ControlProfiles:
        """Return the profiles with the genes in another order, or fewer of them.

        Raises
        ------
        ValueError
            If a gene is missing.
        """
        if self.genes.equals(genes):
            return self
        column = gene_columns(self.genes, genes)
        return replace(self, mean=self.mean[:, column], genes=genes)

    def to_dict(self) -> dict[str, Any]:
        """Return plain arrays and strings, for saving."""
        named = [name for name in (CELL_LINE, BATCH, MODALITY) if name in self.obs]
        columns = {name: self.obs[name].to_numpy() for name in named}
        columns = {name: values.astype(str) for name, values in columns.items()}
        state = columns | {
            N_CELLS: self.obs[N_CELLS].to_numpy(),
            "mean": self.mean,
            "genes": self.genes.to_numpy(dtype=str),
            "labels": np.array(self.labels, dtype=str),
        }
        return state if self.embedding is None else state | {"embedding": self.embedding}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ControlProfiles:
        """Rebuild what :meth:`to_dict` returned."""
        named = [name for name in (CELL_LINE, BATCH, MODALITY) if name in state]
        obs = pd.DataFrame({name: state[name] for name in (*named, N_CELLS)})
        return cls(
            obs.astype(dict.fromkeys(named, object)),
            state["mean"],
            pd.Index(state["genes"].astype(object)),
            state.get("embedding"),
            tuple(str(label) for label in state.get("labels", ())),
        )


def gene_columns(held: pd.Index, genes: pd.Index) -> IntArray:
    """Return the positions of genes among those that controls hold."""
    column = held.get_indexer(genes)
    if (column == -1).any():
        raise ValueError(
            f"The control cells lack {(column == -1).sum():,} of the {len(genes):,} genes "
            f"the model predicts, {genes[column == -1][0]!r} among them."
        )
    return column.astype(np.int64)
