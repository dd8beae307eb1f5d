"""The conditions of a prediction, and what is predicted of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import ALL, BATCH, CELL_LINE, CONTROL, DELTA, MODALITY, PERTURBATION
from txpert._options import check_names
from txpert._types import BoolArray, FloatArray, IntArray

from ._tokens import drop_controls, parse_targets


def condition_names(obs: pd.DataFrame) -> pd.Index:
    """Name conditions by cell line, batch and perturbation, such as ``"K562|gem_1|KLF1"``.

    With a modality, that stands before the perturbation.
    """
    names = [CELL_LINE, BATCH, *([MODALITY] if MODALITY in obs else []), PERTURBATION]
    parts = obs[names].astype(str)
    return pd.Index(
        ["|".join(row) for row in parts.itertuples(index=False, name=None)], dtype=object
    )


def _contexts(obs: pd.DataFrame) -> Iterable[tuple[str, str]]:
    return zip(obs[CELL_LINE].astype(str), obs[BATCH].astype(str), strict=True)


class ConditionsMixin:
    """Lays out conditions in the contexts that there are controls of."""

    obs: pd.DataFrame
    mean: FloatArray
    genes: pd.Index
    labels: tuple[str, ...]

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
            cell_line (not needed where there is one) and batch, and modality if you like, one
            condition per row.
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
                otherwise = ALL if default is None else default
                column = column.mask(missing, otherwise if modality is None else modality)
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
        lines = sorted(self.obs[CELL_LINE].astype(str).unique())
        if CELL_LINE not in frame and len(lines) == 1:
            frame = frame.assign(**{CELL_LINE: lines[0]})
        missing = {PERTURBATION, CELL_LINE, BATCH} - set(frame)
        if missing:
            choice = f" cell_line is one of {', '.join(lines)}." if CELL_LINE in missing else ""
            raise KeyError(
                f"The frame of conditions lacks the columns {sorted(missing)}: add them.{choice}"
            )
        obs = frame[[PERTURBATION, CELL_LINE, BATCH]].astype(str).reset_index(drop=True)
        read = {label: self._read(label) for label in obs[PERTURBATION].unique()}
        obs[PERTURBATION] = obs[PERTURBATION].map(read)
        known = {name: i for i, name in enumerate(_contexts(self.obs))}
        context = np.array([known.get(name, -1) for name in _contexts(obs)], dtype=np.int64)
        if (context == -1).any():
            row = obs[context == -1].iloc[0]
            raise KeyError(
                f"There are no controls of cell line {row[CELL_LINE]!r}, batch {row[BATCH]!r}."
            )
        return obs, context

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
