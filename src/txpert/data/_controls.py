"""Mean control profiles of each context, and predictions that start from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from mudata import MuData

from txpert._constants import (
    ALL,
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
from txpert._options import check_names
from txpert._repr import as_html, as_text, listed
from txpert._types import BoolArray, FloatArray, IntArray

from ._group_sums import group_sums, weighted_group_means
from ._keys import obs_columns
from ._labels import read_context, read_flags
from ._matrix import expression_matrix
from ._tokens import drop_controls, parse_targets
from ._values import ValueCheck, check_log_normalized

Matching = Literal["batch", "cell_line"]
Embed = Callable[[AnnData | MuData, IntArray], FloatArray]
"""Returns the embedding of some cells (by position), ``(n_cells, n_embedding)``."""


def condition_names(obs: pd.DataFrame) -> pd.Index:
    """Name conditions by cell line, batch and perturbation, such as ``"K562|gem_1|KLF1"``.

    With a modality, that stands before the perturbation.
    """
    names = [CELL_LINE, BATCH, *([MODALITY] if MODALITY in obs else []), PERTURBATION]
    parts = obs[names].astype(str)
    return pd.Index(
        ["|".join(row) for row in parts.itertuples(index=False, name=None)], dtype=object
    )


@dataclass(frozen=True, repr=False)
class ControlProfiles:
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
        missing = np.isnan(self.mean)
        if not missing.any():
            return self
        one_group = np.zeros(len(self.mean), dtype=np.int64)
        mean = weighted_group_means(self.mean, one_group, self.obs[N_CELLS].to_numpy(float))
        return replace(self, mean=np.where(missing, np.nan_to_num(mean), self.mean))

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
            found = known.set_axis(obs.index).fillna(found)
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

    def given(
        self,
        controls: AnnData | ControlProfiles | None,
        keys: Mapping[str, str | None],
        layer: str | None,
        embed: Embed | None = None,
    ) -> ControlProfiles:
        """Return the profiles a user gave, as cells or averaged, over these genes; or these."""
        if controls is None:
            return self
        if not isinstance(controls, ControlProfiles | AnnData | MuData):
            raise TypeError(
                "controls takes control cells (AnnData) or averaged profiles such as "
                f"model.control_profiles, not {controls!r}."
            )
        if isinstance(controls, ControlProfiles):
            profiles = controls.over(self.genes)
        else:
            embedding = None if embed is None else embed(controls, np.arange(controls.n_obs))
            profiles = ControlProfiles.from_cells(
                controls, self.genes, keys, layer, embedding, effects=self.of_effects
            )
        if MODALITY in self.obs and MODALITY not in profiles.obs:
            own = self.obs[[CELL_LINE, BATCH, MODALITY]].assign(**{CONTROL: False})
            profiles = profiles.with_modality_of(own)
        return replace(profiles, labels=(*self.labels, *profiles.labels))

    def over(self, genes: pd.Index) -> ControlProfiles:
        """Return the profiles with the genes in another order, or fewer of them.

        Raises
        ------
        ValueError
            If a gene is missing.
        """
        if self.genes.equals(genes):
            return self
        column = _columns(self.genes, genes)
        return replace(self, mean=self.mean[:, column], genes=genes)

    @classmethod
    def from_cells(
        cls,
        cells: AnnData,
        genes: pd.Index,
        keys: Mapping[str, str | None],
        layer: str | None,
        embedding: FloatArray | None = None,
        *,
        effects: bool = False,
    ) -> ControlProfiles:
        """Average a user's own control cells by the contexts their obs columns name.

        Raises
        ------
        ValueError
            If there are no cells, some are flagged as perturbed, the flag is not boolean, a batch
            or cell line is missing, a gene is missing or repeated, or the values are not
            log-normalized.
        KeyError
            If the layer does not exist.
        """
        _check_controls(cells, keys[CONTROL])
        matrix = expression_matrix(cells, layer)
        if not effects:
            check_log_normalized(matrix, "The control cells' expression")
        column = _columns(cells.var_names, genes)
        there = {name: key for name in (CELL_LINE, BATCH) if (key := keys[name]) in cells.obs}
        held = obs_columns(cells.obs, there)
        columns = {name: read_context(held.get(name), cells.n_obs) for name in (CELL_LINE, BATCH)}
        frame = pd.DataFrame(columns, index=np.arange(cells.n_obs)).astype(str)
        grouped = frame.groupby([CELL_LINE, BATCH])
        obs = grouped.size().rename(N_CELLS).reset_index()
        context = grouped.ngroup().to_numpy()
        where = "The control cells' expression"
        check = ValueCheck(where, cells.obs_names, effects=effects, missing=effects)
        sums = group_sums(matrix, context, len(obs), check=check)
        check.conclude()
        if not effects:
            check.refuse_partly_missing(context, len(obs))
        mean = sums[:, column] / obs[[N_CELLS]].to_numpy()
        if embedding is not None:
            embedding = weighted_group_means(embedding, context, np.ones(len(context)))
        return cls(obs, mean.astype(np.float32), genes, embedding)

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

    def conditions(
        self,
        perturbations: str | Sequence[str] | pd.DataFrame,
        *,
        cell_line: str | Sequence[str] | None = None,
        batch: str | Sequence[str] | None = None,
        modality: str | None = None,
    ) -> tuple[pd.DataFrame, IntArray]:
        """Lay out the conditions of a prediction.

        Parameters
        ----------
        perturbations
            Labels, each crossed with every context, or a frame with the columns perturbation,
            cell_line and batch, and modality if you like, one condition per row.
        cell_line, batch
            Only contexts of these.
        modality
            How the cells are perturbed; by default as most training perturbations of the context
            are. A column of the frame goes before.

        Returns
        -------
        perturbation, cell_line, batch and, where the data or the caller name any, modality of
        each condition, and the position of its context.

        Raises
        ------
        KeyError
            If a context asked for has no control profile, or a column is missing.
        """
        if isinstance(perturbations, pd.DataFrame):
            return self._with_modality(*self._listed(perturbations), perturbations, modality)
        if isinstance(perturbations, str):
            perturbations = [perturbations]
        labels = check_names("perturbations", perturbations)
        if not labels:
            raise ValueError("No perturbation was asked for: perturbations is empty.")
        labels = list(dict.fromkeys(self._read(label) for label in labels))
        chosen = self.among(cell_line, batch)
        context = np.tile(chosen, len(labels))
        obs = self.obs.iloc[context][[CELL_LINE, BATCH]].astype(str).reset_index(drop=True)
        obs.insert(0, PERTURBATION, np.repeat(np.asarray(labels, dtype=object), len(chosen)))
        return self._with_modality(obs, context, obs, modality)

    def _with_modality(
        self, obs: pd.DataFrame, context: IntArray, asked: pd.DataFrame, modality: str | None
    ) -> tuple[pd.DataFrame, IntArray]:
        """Add the modality of conditions: the one asked for, or else that of their contexts."""
        default = (
            self.obs[MODALITY].to_numpy(dtype=object)[context] if MODALITY in self.obs else None
        )
        if MODALITY in asked:
            column = asked[MODALITY].astype(object).reset_index(drop=True)
            missing = column.isna()
            if missing.any():
                column = column.mask(missing, default if modality is None else modality)
            return obs.assign(**{MODALITY: column.astype(str)}), context
        if modality is not None:
            return obs.assign(**{MODALITY: str(modality)}), context
        return (obs if default is None else obs.assign(**{MODALITY: default})), context

    def _read(self, label: str) -> str:
        """Check a label and drop the parts that are labels of controls."""
        if not isinstance(label, str):
            parse_targets(label)
        read = drop_controls(label, self.labels)
        parse_targets(read)
        return read

    def among(
        self, cell_line: str | Sequence[str] | None, batch: str | Sequence[str] | None
    ) -> IntArray:
        """Return the positions of the contexts of some cell lines and batches.

        Raises
        ------
        KeyError
            If there is none.
        """
        chosen = np.flatnonzero(self._among(CELL_LINE, cell_line) & self._among(BATCH, batch))
        if not chosen.size:
            raise KeyError(f"No context has both cell line {cell_line!r} and batch {batch!r}.")
        return chosen.astype(np.int64)

    def _among(self, column: str, wanted: str | Sequence[str] | None) -> BoolArray:
        values = self.obs[column].astype(str)
        if wanted is None:
            return np.ones(len(values), dtype=bool)
        several = pd.api.types.is_list_like(wanted)
        names = [str(name) for name in wanted] if several else [str(wanted)]
        unknown = sorted(set(names) - set(values))
        if unknown:
            raise KeyError(
                f"There are no controls of {column} {unknown[0]!r}; there are of "
                f"{', '.join(sorted(set(values)))}. Pass control cells of your own by controls=."
            )
        return values.isin(names).to_numpy()

    def _listed(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, IntArray]:
        missing = {PERTURBATION, CELL_LINE, BATCH} - set(frame)
        if missing:
            raise KeyError(f"The frame of conditions lacks the columns {sorted(missing)}.")
        obs = frame[[PERTURBATION, CELL_LINE, BATCH]].astype(str).reset_index(drop=True)
        obs[PERTURBATION] = obs[PERTURBATION].map(self._read)
        known = pd.MultiIndex.from_frame(self.obs[[CELL_LINE, BATCH]].astype(str))
        context = known.get_indexer(pd.MultiIndex.from_frame(obs[[CELL_LINE, BATCH]]))
        if (context == -1).any():
            row = obs[context == -1].iloc[0]
            raise KeyError(
                f"There are no controls of cell line {row[CELL_LINE]!r}, batch {row[BATCH]!r}."
            )
        return obs, context.astype(np.int64)

    def prediction(self, obs: pd.DataFrame, context: IntArray, expression: FloatArray) -> AnnData:
        """Return predicted expression, with ``layers["delta"]`` and ``layers["control"]``.

        Parameters
        ----------
        obs, context
            From :meth:`conditions`.
        expression
            Predicted profiles, shape ``(n_conditions, n_genes)``.
        """
        control = self.mean[context]
        return self._predicted(obs, expression, expression - control, control)

    def prediction_from_delta(
        self, obs: pd.DataFrame, context: IntArray, delta: FloatArray, *, clip: bool = False
    ) -> AnnData:
        """Return what :meth:`prediction` does, from Δ, which is not copied.

        Parameters
        ----------
        obs, context
            From :meth:`conditions`.
        delta
            Predicted change of the control profiles, shape ``(n_conditions, n_genes)``.
        clip
            Whether predicted expression below zero is set to zero; Δ stays as it is.
        """
        control = self.mean[context]
        expression = control + delta
        if clip:
            np.maximum(expression, 0, out=expression)
        return self._predicted(obs, expression, delta, control)

    def _predicted(
        self, obs: pd.DataFrame, expression: FloatArray, delta: FloatArray, control: FloatArray
    ) -> AnnData:
        prediction = AnnData(
            expression,
            obs=obs.set_axis(condition_names(obs), axis=0),
            var=pd.DataFrame(index=self.genes),
            layers={DELTA: delta, CONTROL: control},
        )
        prediction.obs_names_make_unique()
        return prediction


def _check_controls(cells: AnnData, flag: str | None) -> None:
    """Refuse cells that are flagged as perturbed, and var names that repeat."""
    if not cells.n_obs or (
        flag in cells.obs
        and not read_flags(
            obs_columns(cells.obs, {CONTROL: flag})[CONTROL], f"{flag!r}: True for controls"
        ).all()
    ):
        raise ValueError(
            "controls takes control cells only, and at least one: "
            f"adata[adata.obs[{flag!r}]].copy()"
        )
    if not cells.var_names.is_unique:
        repeated = cells.var_names[cells.var_names.duplicated()][0]
        raise ValueError(
            f"The var name {repeated!r} of the control cells occurs more than once. "
            "Run var_names_make_unique() on them first."
        )


def _columns(held: pd.Index, genes: pd.Index) -> IntArray:
    """Return the positions of genes among those that controls hold."""
    column = held.get_indexer(genes)
    if (column == -1).any():
        raise ValueError(
            f"The control cells lack {(column == -1).sum():,} of the {len(genes):,} genes "
            f"the model predicts, {genes[column == -1][0]!r} among them."
        )
    return column.astype(np.int64)
