"""Predictions made by another tool."""

from __future__ import annotations

import numpy as np
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
    PERTURBATION,
    UNS_KEY,
)
from txpert._types import FloatArray, IntArray
from txpert.data import Predictor
from txpert.data._controls import ControlProfiles
from txpert.data._keys import check_anndata
from txpert.data._own_controls import chosen_controls
from txpert.data._predictor import TRAINED_ON
from txpert.data._tokens import canonical_label


class StoredPrediction(Predictor):
    """The prediction of another tool, to be scored with models and baselines.

    Another tool needs neither our code nor our environment: it writes Δ to a file. A condition
    that is not among the stored ones is predicted as NaN. :meth:`predict` needs ``controls``, to
    which Δ is added.

    Parameters
    ----------
    prediction
        Conditions × genes with the predicted Δ in ``layers["delta"]``. ``obs``: perturbation, and
        cell_line, modality and batch unless a prediction holds for all of them (as does the batch
        ``"all"``). X is not looked at. If it
        says what it was trained on, as what models of this package predict does in
        ``uns["txpert"]["trained_on"]`` (a frame with perturbation and cell_line), evaluation warns
        of leaks.

    Raises
    ------
    KeyError
        If ``obs["perturbation"]`` or ``layers["delta"]`` is missing.
    ValueError
        If a condition or a gene occurs twice.
    TypeError
        If it is no AnnData.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, graphs=tx.datasets.toy_graph())
    >>> model.train(max_epochs=1, enable_progress_bar=False)
    >>> other = model.predict(adata.obs["perturbation"].unique())  # or read from an h5ad file
    >>> stored = tx.baselines.StoredPrediction(other)
    >>> tx.tl.evaluate(adata, model, baselines={"other": stored}).index.to_list()
    ['TxPert', 'other']
    """

    def __init__(self, prediction: AnnData) -> None:
        check_anndata(prediction, "prediction")
        if not prediction.var_names.is_unique:
            twice = prediction.var_names[prediction.var_names.duplicated()][0]
            raise ValueError(f"The prediction has the gene {twice!r} more than once.")
        if PERTURBATION not in prediction.obs:
            raise KeyError(
                f"The prediction names no conditions: obs has no column {PERTURBATION!r}."
            )
        if DELTA not in prediction.layers:
            raise KeyError(
                f"The prediction has no layers[{DELTA!r}]: predicted expression minus the mean of "
                "the matched controls."
            )
        seen = prediction.uns.get(UNS_KEY, {}).get(TRAINED_ON)
        if seen is not None:
            columns = (seen[name].astype(str) for name in (PERTURBATION, CELL_LINE))
            self.trained_on_ = list(zip(*columns, strict=True))
        names = (PERTURBATION, CELL_LINE, MODALITY, BATCH)
        self._obs = prediction.obs[[name for name in names if name in prediction.obs]]
        _refuse_repeated(_index(self._obs))
        delta = prediction.layers[DELTA]
        delta = delta.toarray() if sparse.issparse(delta) else delta
        self._values = np.asarray(delta, dtype=np.float32)
        self.genes = prediction.var_names

    def _profiles(self, controls: AnnData | ControlProfiles | None) -> ControlProfiles:
        if controls is None:
            raise ValueError(
                "A stored prediction has no control profiles of its own: give controls=, such as "
                "model.control_profiles or control cells."
            )
        if isinstance(controls, ControlProfiles):
            return controls
        empty = ControlProfiles(pd.DataFrame(), np.empty((0, 0)), self.genes)
        keys = {name: name for name in (CONTROL, CELL_LINE, BATCH)}
        return chosen_controls(empty, controls, keys, layer=None)

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        column = self.genes.get_indexer(profiles.genes)
        if (column == -1).any():
            raise ValueError(
                f"The stored prediction lacks {(column == -1).sum():,} of {len(column):,} genes, "
                f"{profiles.genes[column == -1][0]!r} among them."
            )
        asked = obs[[name for name in self._obs if name != MODALITY or MODALITY in obs]]
        stored = _index(self._obs[list(asked)])
        _refuse_repeated(stored)
        row = stored.get_indexer(_index(asked))
        if BATCH in asked:  # a row of the whole line holds for its batches
            whole = stored.get_indexer(_index(asked.assign(**{BATCH: ALL})))
            row = np.where(row == -1, whole, row)
        delta = self._values[row][:, column]
        delta[row == -1] = np.nan
        return delta


def _index(obs: pd.DataFrame) -> pd.MultiIndex:
    """Return what rows are looked up by."""
    frame = obs.astype(str)
    frame[PERTURBATION] = frame[PERTURBATION].map(canonical_label)
    return pd.MultiIndex.from_frame(frame)


def _refuse_repeated(keys: pd.MultiIndex) -> None:
    if not keys.is_unique:
        twice = " in ".join(map(str, keys[keys.duplicated()][0]))
        raise ValueError(f"The prediction has more than one row for {twice}.")
