"""Reading what :meth:`txpert.TxPertModel.predict` returned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import CELL_LINE, CONTROL, DELTA, N_CELLS, PERTURBATION, UNS_KEY
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data._batches import average_over_batches
from txpert.data._tokens import canonical_label

from ._results import one_of

STD = "std"


@dataclass(frozen=True)
class Predicted:
    """Δ of perturbation × cell line, averaged over batches.

    Attributes
    ----------
    obs
        perturbation and cell_line of each row, and the numeric columns of the prediction's obs.
    delta, std
        Shape ``(n, n_genes)``; ``std`` is ``None`` where it was not asked for.
    genes
        Names of the genes.
    of_effects
        Whether Δ is an effect as measured (:func:`txpert.pp.from_effects`): controls are zero.
    measured
        Whether it is a pseudobulk, no prediction.
    """

    obs: pd.DataFrame
    delta: FloatArray
    std: FloatArray | None
    genes: pd.Index
    of_effects: bool = False
    measured: bool = False

    @property
    def kind(self) -> str:
        """How Δ is called: predicted or observed."""
        return "observed" if self.measured else "predicted"

    @classmethod
    def of(cls, prediction: AnnData, cell_line: str | None = None) -> Predicted:
        """Read a prediction, or a pseudobulk, without its controls.

        Raises
        ------
        KeyError
            If it lacks Δ, the column perturbation, or the cell line.
        """
        if DELTA not in prediction.layers or PERTURBATION not in prediction.obs:
            raise KeyError(
                'The figure needs layers["delta"] and obs["perturbation"]: what '
                "model.predict(...), a baseline's predict or tx.pp.pseudobulk(adata) returns."
            )
        obs = prediction.obs.reset_index(drop=True)
        obs = obs.assign(**{PERTURBATION: [canonical_label(str(p)) for p in obs[PERTURBATION]]})
        obs[CELL_LINE] = obs[CELL_LINE].astype(str) if CELL_LINE in obs else "all"
        keep = (obs[PERTURBATION] != CONTROL).to_numpy()
        if cell_line is not None:
            lines = list(dict.fromkeys(obs[CELL_LINE]))
            keep = keep & (obs[CELL_LINE] == one_of(cell_line, lines, "cell line")).to_numpy()
        if not keep.any():
            raise KeyError("There is nothing but controls in the prediction.")
        obs = obs[keep].reset_index(drop=True)
        if N_CELLS not in obs:
            obs[N_CELLS] = 1
        rows = obs[[PERTURBATION, CELL_LINE, N_CELLS]]
        delta, frame = average_over_batches(_dense(prediction.layers[DELTA])[keep], rows)
        std = None
        if STD in prediction.layers:
            std = average_over_batches(_dense(prediction.layers[STD])[keep], rows)[0]
        numbers = obs.select_dtypes("number").columns.difference([N_CELLS])
        means = obs.groupby([PERTURBATION, CELL_LINE])[list(numbers)].mean().reset_index()
        frame = frame.merge(means, on=[PERTURBATION, CELL_LINE], how="left", validate="1:1")
        of_effects = _is_of_effects(prediction, keep)
        measured = CONTROL in prediction.obs and UNS_KEY not in prediction.uns
        return cls(frame, delta, std, prediction.var_names, of_effects, measured)

    def row(self, perturbation: str) -> int:
        """Return the position of a perturbation, in the first cell line that has it.

        Raises
        ------
        KeyError
            If it is not among those predicted.
        """
        labels = list(self.obs[PERTURBATION])
        label = one_of(canonical_label(perturbation), labels, f"{self.kind} perturbation")
        return labels.index(label)

    def name(self, row: int) -> tuple[str, str]:
        """Return perturbation and cell line of a row."""
        return str(self.obs[PERTURBATION].iloc[row]), str(self.obs[CELL_LINE].iloc[row])

    def named(self) -> list[str]:
        """Name the rows: by perturbation, and by cell line where there are several."""
        names = list(self.obs[PERTURBATION])
        if self.obs[CELL_LINE].nunique() == 1:
            return names
        pairs = zip(names, self.obs[CELL_LINE], strict=True)
        return [f"{name}, {line}" for name, line in pairs]

    def rows_like(self, other: Predicted) -> IntArray:
        """Return where each row of another table is in this one; −1 where it is not."""
        keys = [PERTURBATION, CELL_LINE]
        own = pd.MultiIndex.from_frame(self.obs[keys])
        return own.get_indexer(pd.MultiIndex.from_frame(other.obs[keys])).astype(np.int64)

    def delta_like(self, other: Predicted) -> FloatArray:
        """Return Δ of the rows and genes of another table; NaN where this one has none.

        Raises
        ------
        ValueError
            If the two have no gene in common.
        """
        row, column = self.rows_like(other), self.genes.get_indexer(other.genes)
        if (column == -1).all():
            raise ValueError(
                "What was observed and what is predicted have no gene in common; name the genes "
                "of both the same way (var_names)."
            )
        values = self.delta[np.maximum(row, 0)][:, np.maximum(column, 0)].astype(float)
        values[row == -1] = np.nan
        values[:, column == -1] = np.nan
        return values


def _is_of_effects(prediction: AnnData, perturbed: BoolArray) -> bool:
    """Say whether expression is Δ, as where controls are zero; another tool may have none."""
    if prediction.X is None:
        return False
    at = int(np.flatnonzero(perturbed)[0])
    row = slice(at, at + 1)
    expression, change = _dense(prediction.X[row]), _dense(prediction.layers[DELTA][row])
    return bool(np.array_equal(expression, change, equal_nan=True))


def _dense(matrix: object) -> FloatArray:
    values = matrix.toarray() if hasattr(matrix, "toarray") else matrix
    return np.asarray(values, dtype=np.float32)
