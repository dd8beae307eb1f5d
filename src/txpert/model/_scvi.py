"""What users of scvi-tools look for on a model: cells' embeddings, and clear refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from mudata import MuData

from txpert.data import ConditionTable
from txpert.data._screen import Screen

_SPLITTING = (
    "train_size",
    "validation_size",
    "shuffle_set_split",
    "datasplitter_kwargs",
    "external_indexing",
    "datamodule",
)
_HIDDEN = {
    "differential_abundance": "it has no latent space of cells",
    "get_normalized_expression": (
        "it predicts log-normalized expression of perturbations: model.predict(...), or for each "
        "cell tx.tl.predict(adata, model)"
    ),
    "posterior_predictive_sample": (
        "it predicts mean profiles and has no distribution of counts to draw from, so "
        "scvi.criticism does not apply; tx.tl.evaluate and tx.tl.ceiling say how good it is"
    ),
}


def refusal(name: str) -> str:
    """Return why an option of scvi-tools that divides cells is not taken, and what is."""
    return (
        f"{name} is not taken: whole perturbations are held out, not cells, by the column of obs "
        "that tx.pp.split(adata, ...) writes and setup_anndata(split_key=...) names."
    )


def scvi_options(
    plan_kwargs: Mapping[str, Any] | None, trainer_kwargs: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read scvi-tools' other ways to give options of ``train``.

    Parameters
    ----------
    plan_kwargs
        Arguments of the training plan; they go before those in ``plan_config``.
    trainer_kwargs
        All else that ``train`` was given.

    Raises
    ------
    TypeError
        If options by name are no dictionary.
    ValueError
        If an option divides cells.
    """
    rest = dict(trainer_kwargs)
    plans = {"plan_config": rest.pop("plan_config", None), "plan_kwargs": plan_kwargs}
    for name, given in {**plans, "trainer_config": rest.get("trainer_config")}.items():
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(f"{name} takes a dictionary of options by name, not {given!r}.")
    for name in _SPLITTING:
        if rest.pop(name, None) not in (None, True if name == "shuffle_set_split" else None):
            raise ValueError(refusal(name))
    if rest.pop("load_sparse_tensor", False):
        raise ValueError("load_sparse_tensor is not taken: minibatches are dense means.")
    plan = {**(plans["plan_config"] or {}), **(plan_kwargs or {})}
    return plan, {**(rest.pop("trainer_config", None) or {}), **rest}


class ScviMixin:
    """Methods of scvi-tools' models that have a meaning here, and those that have none."""

    _check_if_trained: Callable[..., None]
    _validate_anndata: Callable[..., Any]
    get_perturbation_embedding: Callable[..., pd.DataFrame]
    read: Callable[..., tuple[Screen, ConditionTable]]

    def get_latent_representation(
        self,
        adata: AnnData | MuData | None = None,
        indices: Sequence[int] | None = None,
        batch_size: int | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return the latent embedding of each cell's perturbation.

        Cells of one perturbation share it, and that of a control is 0;
        :meth:`get_perturbation_embedding` returns it by name.

        Parameters
        ----------
        adata
            Cells, annotated like those of training; by default those.
        indices
            Only these cells, by position.
        batch_size
            Not used: the embeddings are computed once, whatever the number of cells.

        Returns
        -------
        Shape ``(n_cells, n_latent)``.

        Raises
        ------
        KeyError
            If a target is no node of the model.
        ValueError
            If the model has no network among its components.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), encoder="free")
        >>> model.train(max_epochs=1, enable_progress_bar=False)
        >>> adata.obsm["X_txpert"] = model.get_latent_representation()  # for scanpy
        >>> adata.obsm["X_txpert"].shape
        (360, 64)
        >>> controls = adata.obs["control"].to_numpy().nonzero()[0]
        >>> bool(model.get_latent_representation(indices=controls).any())
        False
        """
        self._check_if_trained(warn=True)
        screen, _ = self.read(self._validate_anndata(adata))
        labels = screen.perturbation.categories.tolist()
        codes = np.asarray(screen.perturbation.codes)
        embeddings = self.get_perturbation_embedding(labels).to_numpy()
        if indices is not None:
            chosen = np.asarray(indices)
            codes = codes[chosen if chosen.size else chosen.astype(np.int64)]
        return embeddings[codes]

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in _HIDDEN]

    def _refuse(self, name: str) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__} has no {name}: {_HIDDEN[name]}.")

    def differential_abundance(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise an error: there is no latent space of cells."""
        self._refuse("differential_abundance")

    def get_normalized_expression(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise an error that names :meth:`predict`."""
        self._refuse("get_normalized_expression")

    def posterior_predictive_sample(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise an error: means are predicted, no distribution of counts."""
        self._refuse("posterior_predictive_sample")
