"""The pseudobulk of a screen: its conditions, their mean profiles and their controls."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from scipy import sparse

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
from txpert._types import BoolArray, FloatArray, IntArray

from ._asked_conditions import condition_names
from ._batches import OverBatches
from ._controls import ControlProfiles
from ._group_sums import group_sums, weighted_group_means
from ._keys import (
    BATCH_KEY,
    CELL_LINE_KEY,
    MODALITY_KEY,
    SPLIT_KEY,
    ObsKeys,
    check_anndata,
)
from ._labels import read_flags
from ._matrix import expression_matrix
from ._measured import check_panel, unmeasured_entries, warn_of_zero_genes
from ._screen import Screen
from ._tokens import is_control_name
from ._values import ValueCheck

CONTROL_LABELS = "txpert_control_labels"
"""Key in ``uns`` of a table with labels of control cells that no one would know for such."""


@dataclass(frozen=True)
class ConditionTable:
    """Pseudobulk of a screen: one row per cell line × batch × modality × perturbation.

    Training, baselines, metrics and plots live on this table; controls are rows too, one per cell
    line × batch whatever the modality.

    Attributes
    ----------
    obs
        perturbation, control, cell_line, batch, n_cells and, where the data have them, split and
        modality of each condition.
    genes
        Names of the genes.
    mean
        Mean profile of each condition, shape ``(n_conditions, n_genes)``; NaN where a gene was
        not measured.
    controls
        Mean control profile of each context.
    context
        Position of each condition's context in ``controls``, shape ``(n_conditions,)``.

    Examples
    --------
    >>> import numpy as np
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> table = tx.data.ConditionTable.of(adata)
    >>> table.mean.shape, table.over_batches().mean.shape  # two batches, and over both of them
    ((26, 60), (13, 60))
    >>> training = table.training()
    >>> training.obs["perturbation"].nunique()
    7
    >>> np.average(training.delta, axis=0, weights=training.obs["n_cells"]).shape
    (60,)
    """

    obs: pd.DataFrame
    genes: pd.Index
    mean: FloatArray
    controls: ControlProfiles
    context: IntArray

    @classmethod
    def from_screen(cls, screen: Screen) -> ConditionTable:
        """Average the cells of each condition in one pass over the screen.

        Raises
        ------
        ValueError
            If a cell is infinite, negative, in raw counts or too large for a logarithm, or NaN in
            a gene that other cells of its context have; or cells of one condition are in
            different splits. Effects may be of any sign and size, and NaN anywhere.

        Warns
        -----
        UserWarning
            If genes are zero in all cells of a cell line while other lines express them.
        """
        obs, condition = conditions_of(screen)
        obs.index = condition_names(obs)
        effects = screen.of_effects
        check = ValueCheck("Expression", screen.names, screen.batch, effects=effects, missing=True)
        mean = group_sums(screen.X, condition, len(obs), dtype=np.float32, check=check)
        mean /= np.bincount(condition, minlength=len(obs))[:, None].astype(np.float32)
        check_panel(mean, obs, condition, screen.genes, check)
        check.conclude()
        if not np.nan_to_num(mean).any():
            raise ValueError("Expression is zero in all genes of all cells.")
        mean[unmeasured_entries(screen.measured, obs, screen.genes)] = np.nan
        if not effects:
            warn_of_zero_genes(mean, obs)
        table = cls._with_contexts(obs, screen.genes, mean, screen.control_labels)
        return table._embedded(screen)

    @classmethod
    def of(cls, data: AnnData | ConditionTable) -> ConditionTable:
        """Return the table of a screen, read from cells or from a pseudobulk.

        Parameters
        ----------
        data
            A table; what :func:`txpert.pp.pseudobulk` returned, known by its obs column
            ``n_cells`` and one row per condition; or cells, log-normalized, with the usual obs
            columns.
        """
        if isinstance(data, ConditionTable):
            return data
        check_anndata(data)
        names = (PERTURBATION, CELL_LINE, BATCH, MODALITY)
        condition = [name for name in names if name in data.obs]
        if N_CELLS in data.obs and not data.obs.duplicated(condition).any():
            return cls.from_anndata(data)
        keys = ObsKeys.of(
            data,
            batch=BATCH_KEY,
            cell_line=CELL_LINE_KEY,
            split=SPLIT_KEY,
            modality=MODALITY_KEY,
        )
        screen = Screen.from_anndata(data, keys)
        screen.check_values("adata.X")
        return cls.from_screen(screen)

    @classmethod
    def from_anndata(cls, pseudobulk: AnnData) -> ConditionTable:
        """Read the table back from what :func:`txpert.pp.pseudobulk` returned.

        Raises
        ------
        KeyError
            If a column is missing.
        ValueError
            If the control flag is not boolean, or a context has no control row or several.
        """
        missing = {PERTURBATION, CONTROL, CELL_LINE, BATCH, N_CELLS} - set(pseudobulk.obs)
        if missing:
            raise KeyError(
                f"obs lacks {', '.join(sorted(missing))}: this is no pseudobulk table. "
                "Make one by tx.pp.pseudobulk(adata)."
            )
        control = read_flags(pseudobulk.obs[CONTROL], "tx.pp.pseudobulk(adata)")
        obs = pseudobulk.obs.assign(**{CONTROL: control}).rename_axis(index=None)
        matrix = expression_matrix(pseudobulk, None)
        mean = np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix, np.float32)
        labels = tuple(map(str, pseudobulk.uns.get(CONTROL_LABELS, ())))
        return cls._with_contexts(obs, pseudobulk.var_names, mean, labels)

    @classmethod
    def _with_contexts(
        cls, obs: pd.DataFrame, genes: pd.Index, mean: FloatArray, labels: tuple[str, ...]
    ) -> ConditionTable:
        control = obs[CONTROL].to_numpy(dtype=bool)
        contexts = obs.loc[control, [CELL_LINE, BATCH, N_CELLS]].reset_index(drop=True)
        position = pd.MultiIndex.from_frame(contexts[[CELL_LINE, BATCH]].astype(str))
        if not position.is_unique:
            line, batch = position[position.duplicated()][0]
            raise ValueError(
                f"The table has several control rows of cell line {line!r}, batch {batch!r}. Give "
                "tables that are joined batches of different names."
            )
        context = position.get_indexer(
            pd.MultiIndex.from_frame(obs[[CELL_LINE, BATCH]].astype(str))
        )
        if (context == -1).any():
            raise ValueError(_without_controls(obs[context == -1]))
        profiles = mean[control]
        if not np.nan_to_num(profiles).any():  # effects: Δ is X itself
            profiles = np.zeros_like(profiles)
        controls = ControlProfiles(contexts, profiles, genes, labels=labels)
        controls = controls.with_modality_of(obs)
        return cls(obs, genes, mean, controls, context.astype(np.int64))

    def _embedded(self, screen: Screen) -> ConditionTable:
        """Return the table with the mean embedding of each context's controls, if any."""
        if screen.embedding is None:
            return self
        cells = np.flatnonzero(screen.control)
        context = self.context_of(screen)[cells]
        embedding = weighted_group_means(screen.embedding[cells], context, np.ones(len(cells)))
        return replace(self, controls=replace(self.controls, embedding=embedding))

    @property
    def delta(self) -> FloatArray:
        """Mean profile minus that of the matched controls, shape ``(n_conditions, n_genes)``."""
        return self.mean - self.control_mean

    @property
    def control_mean(self) -> FloatArray:
        """Mean profile of each condition's matched controls, ``(n_conditions, n_genes)``."""
        return self.controls.mean[self.context]

    def context_of(self, screen: Screen) -> IntArray:
        """Return the position in ``controls`` of each cell of the screen this table is made of."""
        lookup = np.full((len(screen.cell_line.categories), len(screen.batch.categories)), -1)
        contexts = self.controls.obs
        lookup[contexts[CELL_LINE].cat.codes, contexts[BATCH].cat.codes] = np.arange(len(contexts))
        return lookup[screen.cell_line.codes, screen.batch.codes]

    def condition_of(self, screen: Screen) -> IntArray:
        """Return the position of each cell's condition."""
        names = [CELL_LINE, BATCH, *([MODALITY] if MODALITY in self.obs else []), PERTURBATION]
        conditions = [pd.Categorical(self.obs[name]) for name in names]
        return np.searchsorted(_condition_codes(conditions), _condition_codes(_factors(screen)))

    def subset(self, rows: BoolArray | IntArray) -> ConditionTable:
        """Return some of the conditions; contexts stay whole."""
        return ConditionTable(
            self.obs.iloc[np.flatnonzero(rows) if rows.dtype == bool else rows],
            self.genes,
            self.mean[rows],
            self.controls,
            self.context[rows],
        )

    def training(self) -> ConditionTable:
        """Return the perturbed conditions of split "train", or all where there is no split.

        Raises
        ------
        ValueError
            If there are none.
        """
        training = ~self.obs[CONTROL].to_numpy(dtype=bool)
        if SPLIT in self.obs:
            training &= (self.obs[SPLIT] == TRAIN).to_numpy()
        if not training.any():
            raise ValueError("No perturbation is in training; tx.pp.split(adata) makes a split.")
        return self.subset(training)

    def with_split(self, screen: Screen) -> ConditionTable:
        """Return the table with the split of the screen that it is made of, which changed.

        Raises
        ------
        ValueError
            If cells of one condition are in different splits.
        """
        if screen.split is None:
            return replace(self, obs=self.obs.drop(columns=SPLIT, errors="ignore"))
        split = _split_of_conditions(screen.split, self.condition_of(screen), self.obs)
        return replace(self, obs=self.obs.assign(**{SPLIT: split}))

    def over_batches(self) -> ConditionTable:
        """Return one row per cell line × modality × perturbation: the line's controls plus Δ.

        Where a prediction of Δ does not depend on the batch, the squared error over these rows,
        weighted by numbers of cells, is that over the conditions up to a constant. Batches of
        different splits stay apart.
        """
        batches = OverBatches.of(self.obs, SPLIT)
        obs = batches.obs
        if np.isnan(self.mean.sum()):
            delta = batches.mean(self.delta)
        else:  # the same, without a copy of all conditions
            mean = batches.mean(self.mean)
            shape = len(obs), len(self.controls.mean)
            entries = batches.n_cells, (batches.group, self.context)
            share = sparse.csr_array(entries, shape=shape, dtype=np.float32)
            delta = mean - share @ self.controls.mean / obs[N_CELLS].to_numpy(np.float32)[:, None]
        controls = self.controls.over_batches()
        lines = pd.Index(controls.obs[CELL_LINE].astype(str))
        context = lines.get_indexer(pd.Index(obs[CELL_LINE].astype(str))).astype(np.int64)
        obs[BATCH] = ALL
        # As strings: pandas gives an empty group too small an integer type for many categories.
        obs[CONTROL] = (obs[PERTURBATION].astype(str) == CONTROL).to_numpy()
        obs.index = condition_names(obs)
        return ConditionTable(obs, self.genes, controls.mean[context] + delta, controls, context)

    def to_anndata(self) -> AnnData:
        """Return the table as AnnData, with ``layers["control"]`` and ``layers["delta"]``."""
        control = self.control_mean
        odd = [label for label in self.controls.labels if not is_control_name(label)]
        return AnnData(
            self.mean.copy(),
            obs=self.obs.copy(),
            var=pd.DataFrame(index=self.genes),
            layers={CONTROL: control, DELTA: self.mean - control},
            uns={CONTROL_LABELS: np.array(odd, dtype=object)} if odd else {},
        )


def conditions_of(screen: Screen) -> tuple[pd.DataFrame, IntArray]:
    """List the conditions of a screen, without reading its expression.

    Returns
    -------
    perturbation, control, cell_line, batch, n_cells and, if there are any, modality and split of
    each condition, and the position of each cell's condition.

    Raises
    ------
    ValueError
        If cells of one condition are in different splits.
    """
    factors = _factors(screen)
    shape = tuple(len(factor.categories) for factor in factors)
    groups, condition = np.unique(_condition_codes(factors), return_inverse=True)
    line, batch, *modality, perturbation = (
        pd.Categorical.from_codes(code, dtype=factor.dtype)
        for code, factor in zip(np.unravel_index(groups, shape), factors, strict=True)
    )
    weight = np.ones(len(condition)) if screen.n_cells is None else screen.n_cells
    obs = pd.DataFrame(
        {
            PERTURBATION: perturbation,
            CONTROL: np.asarray(perturbation == CONTROL),
            CELL_LINE: line,
            BATCH: batch,
            N_CELLS: np.bincount(condition, weight, len(groups)).astype(np.int64),
        }
    )
    if modality:
        obs[MODALITY] = modality[0]
    if screen.split is not None:
        obs[SPLIT] = _split_of_conditions(screen.split, condition, obs)
    return obs, condition


def context_names(obs: pd.DataFrame) -> npt.NDArray[np.str_]:
    """Name cell line and, if there is one, modality of each row, such as ``"K562|CRISPRi"``."""
    lines = obs[CELL_LINE].astype(str)
    if MODALITY in obs:
        lines = lines.str.cat(obs[MODALITY].astype(str), sep="|")
    return lines.to_numpy(dtype=str)


def pairs(obs: pd.DataFrame) -> list[tuple[str, str]]:
    """Return perturbation and context (:func:`context_names`) of each row: what leaks go by."""
    return list(zip(obs[PERTURBATION].astype(str), map(str, context_names(obs)), strict=True))


def _factors(screen: Screen) -> list[pd.Categorical]:
    modality = [] if screen.modality is None else [screen.modality]
    return [screen.cell_line, screen.batch, *modality, screen.perturbation]


def _condition_codes(factors: list[pd.Categorical]) -> IntArray:
    """Give every combination of the factors' categories a number of its own."""
    shape = tuple(len(factor.categories) for factor in factors)
    codes = [factor.codes.astype(np.int64) for factor in factors]
    return np.ravel_multi_index(codes, shape)


def _split_of_conditions(
    split: pd.Categorical, condition: IntArray, obs: pd.DataFrame
) -> pd.Categorical:
    codes = split.codes.astype(np.int64)
    low = np.full(len(obs), np.iinfo(np.int64).max)
    high = np.full(len(obs), np.iinfo(np.int64).min)
    np.minimum.at(low, condition, codes)
    np.maximum.at(high, condition, codes)
    mixed = (low != high) & ~obs[CONTROL].to_numpy()
    if mixed.any():
        row = obs[mixed].iloc[0]
        raise ValueError(
            f"Cells of perturbation {row[PERTURBATION]!r} in cell line {row[CELL_LINE]!r}, batch "
            f"{row[BATCH]!r} are in more than one split. A condition belongs to one split; "
            "tx.pp.split(adata) makes such a split."
        )
    return pd.Categorical.from_codes(np.where(mixed | obs[CONTROL], -1, low), dtype=split.dtype)


def _without_controls(obs: pd.DataFrame) -> str:
    contexts = (obs[CELL_LINE].astype(str) + " / " + obs[BATCH].astype(str)).unique()
    some = ", ".join(contexts[:5]) + (", …" if len(contexts) > 5 else "")
    return (
        f"The table has no control row for {len(contexts)} of its contexts (cell line / batch): "
        f"{some}. Keep the controls (obs['control']) when rows are chosen, or drop those contexts."
    )
