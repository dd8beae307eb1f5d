"""Saving, loading and pickling; a model file holds tensors, arrays, numbers and text only."""

from __future__ import annotations

import errno
import pickle
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from mudata import MuData

from txpert._files import replacing_in

from ._checkpoints import plain_history, read_history
from ._progress import without_advertising
from ._registered import check_data, check_kind, unregistered_on_failure
from ._scvi import refusal

Model = TypeVar("Model", bound="SavingMixin")
_FILE = "model.pt"


class SavingMixin:
    """Saves and loads a model, which holds data or not."""

    history_: Any
    _lock: RLock

    @classmethod
    def load(
        cls: type[Model],
        dir_path: str,
        adata: AnnData | MuData | None = None,
        accelerator: str = "auto",
        device: int | str = "auto",
        prefix: str | None = None,
        backup_url: str | None = None,
        datamodule: Any = None,
        allowed_classes_names_list: list[str] | None = None,
        *,
        trust: bool = False,
    ) -> Model:
        """Load a model, with data or without.

        Parameters
        ----------
        dir_path
            Folder that :meth:`save` wrote.
        adata
            Data annotated like those of training; perturbations, batches and cell lines may be
            new. Without data the model predicts for the contexts that it was trained in.
        accelerator, device
            Where the model is put, as in Lightning.
        prefix
            Of the file names in the folder.
        backup_url
            Where the file is downloaded from if it is not in the folder.
        datamodule
            Not used: the model makes its own minibatches.
        allowed_classes_names_list
            Names of other classes whose models are loaded as this one.
        trust
            Open a file that holds other objects than tensors, arrays, numbers and text. Reading
            these runs code that the file's author chose.

        Raises
        ------
        TypeError
            If ``adata`` is no AnnData or MuData, or not that of the two that the model was made
            with.
        ValueError
            If the folder holds no model, or one that holds other objects; or the genes of the
            data are not the model's; or ``datamodule`` is given.

        Examples
        --------
        >>> import tempfile
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
        >>> model.train(enable_progress_bar=False)
        >>> other = tx.datasets.toy(seed=1)  # the same genes in other batches
        >>> other.obs["batch"] = "new_" + other.obs["batch"].astype(str)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/model")
        ...     alone = tx.TxPertModel.load(f"{folder}/model")
        ...     elsewhere = tx.TxPertModel.load(f"{folder}/model", other)
        >>> alone.predict("GENE3", by_batch=True).obs["batch"].to_list()
        ['batch_1', 'batch_2']
        >>> elsewhere.predict("GENE3", by_batch=True).obs["batch"].to_list()
        ['new_batch_1', 'new_batch_2']
        """
        if datamodule is not None:
            raise ValueError(refusal("datamodule"))
        check_data(adata)
        path = Path(dir_path) / f"{prefix or ''}{_FILE}"
        if not trust and (path.exists() or backup_url is None):
            content = check_file(path)
            registry = content.get("attr_dict", {}).get("registry_")
            if adata is not None and registry:
                check_kind(adata, registry)
        with warnings.catch_warnings(), without_advertising():
            warnings.filterwarnings("ignore", message="Save path contains no saved anndata")
            load: Callable[..., Model] = super().load  # type: ignore[misc]
            with unregistered_on_failure(adata):
                model = load(
                    dir_path,
                    adata,
                    accelerator,
                    device,
                    prefix,
                    backup_url,
                    allowed_classes_names_list=allowed_classes_names_list,
                )
        if model.history_ is not None:
            model.history_ = read_history(model.history_)
        return model

    def save(
        self,
        dir_path: str | Path,
        prefix: str | None = None,
        overwrite: bool = False,
        save_anndata: bool = False,
        **kwargs: Any,
    ) -> None:
        """Save the model. What fails or is interrupted leaves an older model as it was.

        Parameters
        ----------
        dir_path
            Folder to write to.
        prefix
            Of the file names in the folder.
        overwrite
            Write to a folder that exists, over the model in it.
        save_anndata
            Write the data as well.
        **kwargs
            Further arguments of :meth:`scvi.model.base.BaseModelClass.save`.

        Raises
        ------
        ValueError
            If the folder exists and ``overwrite`` is not set.
        OSError
            If the files cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
        >>> model.train(enable_progress_bar=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/model")
        ...     loaded = tx.TxPertModel.load(f"{folder}/model")
        >>> loaded.predict("GENE3").n_vars
        60
        """
        if Path(dir_path).exists() and not overwrite:
            raise ValueError(
                f"{str(dir_path)!r} exists: give another folder, or overwrite=True to write over "
                "the model in it."
            )
        save: Callable[..., None] = super().save  # type: ignore[misc]
        with replacing_in(dir_path) as folder:
            try:
                save(str(folder), prefix, True, save_anndata, **kwargs)
            except RuntimeError as error:  # torch's, of a full disk
                reason = str(error).partition("\n")[0]
                raise OSError(errno.EIO, f"torch could not write the weights: {reason}") from error

    def _get_user_attributes(self) -> list[tuple[str, Any]]:
        """Return what scvi-tools saves, in plain forms (it saves names that end in "_")."""
        plain = [(name, value) for name, value in vars(self).items() if name[-1] == "_"]
        return [(name, _plain(value)) for name, value in plain]

    def __getstate__(self) -> dict[str, Any]:
        state = vars(self).copy()
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=RLock())


def check_file(path: Path) -> dict[str, Any]:
    """Return the content of a model file, read without running any code in it.

    Raises
    ------
    ValueError
        If there is none, it cannot be read, or it holds other objects than tensors, arrays,
        numbers and text.
    """
    try:
        with torch.serialization.safe_globals(_plain_types()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ValueError(f"There is no model file {str(path)!r}.") from error
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"The model file {str(path)!r} holds objects that run code when they are read: "
            f"{_named(error)}. If you trust its author: load(..., trust=True)."
        ) from error
    except Exception as error:
        raise ValueError(
            f"The model file {str(path)!r} cannot be read, it is damaged or no model: "
            f"{type(error).__name__}."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"The file {str(path)!r} holds no model.")
    return content


def _plain(value: Any) -> Any:
    """Return mappings as dictionaries and a training history as lists."""
    if isinstance(value, Mapping):
        frames = value and all(isinstance(item, pd.DataFrame) for item in value.values())
        return plain_history(value) if frames else {k: _plain(v) for k, v in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _plain_types() -> list[Any]:
    array = np.zeros(1)
    rebuild = [array.__reduce__()[0], np.float64(0).__reduce__()[0]]  # their module moves
    types = [type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1")]
    more = [type(np.dtype(kind)) for kind in ("u2", "u4", "u8", "?", "U", "O")]
    return [bytes, *rebuild, np.ndarray, np.dtype, *types, *more]


def _named(error: Exception) -> str:
    words = str(error).split("Unsupported global: GLOBAL ")
    return words[1].split(" ")[0] if len(words) > 1 else str(error).partition("\n")[0]
