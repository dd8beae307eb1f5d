from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import (
    BATCH,
    CELL_LINE,
    CONTROL,
    N_CELLS,
    PERTURBATION,
    SPLIT,
    TRAIN,
)
from txpert.data import (
    ConditionTable,
    ControlProfiles,
    canonical_label,
    parse_targets,
    weighted_group_means,
)


class GeneralBaseline:
    """Matched control plus the mean effect of the perturbation in training (paper, "general").

    The effect of a perturbation is its Δ averaged over all training cells that have it, of any
    cell line. A combination not trained on has the sum of its targets' effects; a target not
    trained on has the mean effect of all training perturbations of a single gene (of all
    training perturbations, if none is of a single gene).

    Parameters
    ----------
    pseudobulk
        Table made by :func:`txpert.pp.pseudobulk`. With a split, only ``"train"`` is looked at.

    Raises
    ------
    KeyError
        If this is no pseudobulk table.
    ValueError
        If no perturbation is in training.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> baseline = GeneralBaseline(tx.pp.pseudobulk(adata))
    >>> baseline.predict("GENE3", batch="batch_1").shape
    (1, 60)
    """

    def __init__(self, pseudobulk: AnnData | ConditionTable) -> None:
        table = (
            pseudobulk
            if isinstance(pseudobulk, ConditionTable)
            else ConditionTable.from_anndata(pseudobulk)
        )
        training = ~table.obs[CONTROL].to_numpy(dtype=bool)
        if SPLIT in table.obs:
            training &= (table.obs[SPLIT] == TRAIN).to_numpy()
        if not training.any():
            raise ValueError("No perturbation is in training; tx.pp.split(adata) makes a split.")
        rows = table.subset(training)
        labels = rows.obs[PERTURBATION].astype(str).map(canonical_label)
        code, names = pd.factorize(labels, sort=True)
        self._effects = weighted_group_means(rows.delta, code, rows.obs[N_CELLS].to_numpy())
        self._row = {label: i for i, label in enumerate(names)}
        single = np.array([len(parse_targets(label)) == 1 for label in names])
        self._mean_effect = self._effects[single if single.any() else ~single].mean(axis=0)
        self.control_profiles = table.controls

    def predict(
        self,
        perturbations: str | Sequence[str] | pd.DataFrame,
        *,
        cell_line: str | Sequence[str] | None = None,
        batch: str | Sequence[str] | None = None,
        controls: AnnData | ControlProfiles | None = None,
    ) -> AnnData:
        """Predict as :meth:`txpert.TxPertModel.predict` does, for any gene."""
        keys = {name: name for name in (CONTROL, CELL_LINE, BATCH)}
        profiles = self.control_profiles.given(controls, keys, layer=None)
        obs, context = profiles.conditions(perturbations, cell_line=cell_line, batch=batch)
        code, labels = pd.factorize(obs[PERTURBATION])
        effects = np.stack([self._effect(label) for label in labels])
        return profiles.prediction(obs, context, profiles.mean[context] + effects[code])

    def _effect(self, label: str) -> np.ndarray:
        row = self._row.get(canonical_label(label))
        if row is not None:
            return self._effects[row]
        parts = [
            self._effects[self._row[target]] if target in self._row else self._mean_effect
            for target in parse_targets(label)
        ]
        return np.sum(parts, axis=0) if parts else np.zeros_like(self._mean_effect)
