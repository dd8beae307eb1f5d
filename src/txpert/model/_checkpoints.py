"""Checkpoints: the state of a training, written now and then, from which it is resumed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import lightning.pytorch as pl
import pandas as pd
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_only
from scvi import settings
from scvi.model.base import BaseModelClass

from txpert._compat import SimpleLogger

from ._history import History

_APART = 20
"""A checkpoint is written after so many times as long as it took to write the last one."""


class Checkpoints:
    """A folder in which a training can be resumed, with a file for each of its fits.

    ``start.pt`` holds the weights that training started from and what was trained; ``fit_0.pt``,
    ``fit_1.pt``, … the state of each fit, or its outcome once it came to its end. A model that
    takes up a training is first set to the state in which that training started.

    Parameters
    ----------
    folder
        Made if it does not exist.
    model
        What is to be trained.
    description
        What the training is, by name; all of it must be as in the folder.

    Raises
    ------
    ValueError
        If the folder cannot be written, holds another training or an unreadable file.
    """

    def __init__(
        self, folder: str | Path, model: BaseModelClass, description: Mapping[str, str]
    ) -> None:
        self.folder = Path(folder)
        self._n_fits = 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise ValueError(
                f"Checkpoints cannot be written to {str(self.folder)!r} ({error.strerror}): give "
                "a folder that you may write to, or train without checkpoint."
            ) from error
        start = read(self.folder / "start.pt")
        if start is not None:
            self._check(start["description"], description)
            restore(model, start)
            model.is_trained_ = start["is_trained"]
            model.trained_on_ = [tuple(pair) for pair in start["trained_on"]]
        else:
            start = {
                "description": dict(description),
                "is_trained": model.is_trained_,
                "trained_on": list(model.trained_on_),
            }
            rank_zero_only(write)(start | state_of(model), self.folder / "start.pt")
        self._description = dict(description)

    def _check(self, stored: Mapping[str, str], now: Mapping[str, str]) -> None:
        differing = [name for name in now if stored.get(name) != now[name]]
        if not differing:
            return
        name = differing[0]
        hashed = name in ("data", "model")
        what = f"another {name}" if hashed else f"{name} {stored.get(name)}, not {now[name]}"
        raise ValueError(
            f"The checkpoints in {str(self.folder)!r} are of another training ({what}): give "
            "another folder, or delete this one."
        )

    def next_fit(self) -> FitCheckpoint:
        """Return the checkpoint of the next fit of this training."""
        self._n_fits += 1
        fit = FitCheckpoint(self.folder / f"fit_{self._n_fits - 1}.pt", self._description)
        if fit.stored is not None:
            self._check(fit.stored, self._description)
        return fit


class FitCheckpoint(pl.Callback):
    """Writes the state of a fit now and then, at the start of an epoch.

    Parameters
    ----------
    path
        Its file.
    description
        What the training is, by name.

    Attributes
    ----------
    stored
        The description in the file, ``None`` if there is no file.
    outcome
        What :meth:`finish` wrote; empty before the fit came to its end.
    resume_from
        A file to take the fit up from; ``None`` to start it.
    """

    def __init__(self, path: Path, description: Mapping[str, str]) -> None:
        self.path = path
        self._description = dict(description)
        state = read(path)
        self.stored = None if state is None else _described(state)
        self.outcome: dict[str, Any] = (state or {}).get("outcome", {})
        self.resume_from = None if state is None or self.outcome else str(path)
        self._history: History = {}
        self._loaded: dict[str, Any] = {}
        self._written, self._seconds = time.monotonic(), 0.0

    def trainer_kwargs(self, plugins: Any = None) -> dict[str, Any]:
        """Return what the trainer needs, given the other plugins."""
        others = plugins if isinstance(plugins, list) else [plugins] if plugins else []
        return {"plugins": [*others, CheckpointIO()], "ckpt_path": self.resume_from}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put back random numbers and history of a fit that is resumed."""
        if not self._loaded:
            return
        set_random_state(self._loaded["random"])
        if isinstance(trainer.logger, SimpleLogger) and trainer.is_global_zero:
            trainer.logger.experiment.data |= read_history(self._loaded["history"])

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the state, unless it was written a moment ago."""
        if self._loaded:
            # Lightning would go on within the epoch before, which is complete.
            trainer.fit_loop.epoch_loop.restarting = False
            self._loaded = {}
            return
        start = time.monotonic()
        due = trainer.current_epoch > 0 and start - self._written >= _APART * self._seconds
        if trainer.strategy.broadcast(due):
            if isinstance(trainer.logger, SimpleLogger) and trainer.is_global_zero:
                self._history = trainer.logger.history
            trainer.save_checkpoint(self.path)
            self._written = time.monotonic()
            self._seconds = self._written - start

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the random numbers and the history."""
        return {
            "description": self._description,
            "random": random_state(),
            "history": plain_history(self._history),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` returned."""
        self._loaded = state_dict

    def finish(self, model: BaseModelClass, scores: dict[int, float]) -> None:
        """Write the outcome of the fit in place of its state."""
        outcome = state_of(model) | {"scores": scores}
        finished = {"description": self._description, "outcome": outcome}
        rank_zero_only(write)(finished, self.path)

    def restore(self, model: BaseModelClass, device: torch.device) -> dict[int, float]:
        """Put the outcome of the fit into the model; return its validation scores."""
        restore(model, self.outcome)
        model.module.eval()
        model.to_device(device)
        model.is_trained_ = True
        return self.outcome["scores"]


class CheckpointIO(TorchCheckpointIO):
    """Writes checkpoints; where one cannot be written (a full disk), warns and goes on."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint."""
        write(checkpoint, Path(path))


def write(state: Mapping[str, Any], path: Path) -> None:
    """Write a file whole or not at all; warn if that fails."""
    part = path.with_suffix(".part")
    try:
        torch.save(state, part)
        part.replace(path)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        warnings.warn(
            f"The checkpoint {str(path)!r} could not be written ({error}). Training goes on; it "
            "could be resumed from the last one written.",
            UserWarning,
            stacklevel=settings.warnings_stacklevel,
        )


def read(path: Path) -> dict[str, Any] | None:
    """Return what a file holds, ``None`` if there is none."""
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"The checkpoint {str(path)!r} cannot be read, it is damaged or no checkpoint of "
            "txpert: delete it, and what it holds is trained again."
        ) from error


def _described(state: Mapping[str, Any]) -> dict[str, str]:
    """Return the description in a fit's file, finished or not."""
    if "description" in state:
        return state["description"]
    callbacks = state.get("callbacks", {})
    of_fit = [v for name, v in callbacks.items() if name.startswith("FitCheckpoint")]
    return of_fit[0].get("description", {}) if of_fit else {}


def state_of(model: BaseModelClass) -> dict[str, Any]:
    """Return weights and history of a model and the state of the random numbers."""
    return {
        "weights": model.module.state_dict(),
        "history": plain_history(model.history_ or {}),
        "random": random_state(),
    }


def restore(model: BaseModelClass, state: Mapping[str, Any]) -> None:
    """Take up what :func:`state_of` returned."""
    model.module.load_state_dict(state["weights"])
    model.history_ = read_history(state["history"]) or None
    set_random_state(state["random"])


def random_state() -> dict[str, Any]:
    """Return the state of torch's generators, of the CPU and of each GPU."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "gpus": gpus}


def set_random_state(state: Mapping[str, Any]) -> None:
    """Set torch's generators to a state; those of GPUs if there are as many as then."""
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available() and len(state["gpus"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["gpus"])


def plain_history(history: History) -> dict[str, Any]:
    """Return the history of a training as lists."""
    return {
        name: [frame.index.name, frame.index.tolist(), [float(x) for x in frame.iloc[:, 0]]]
        for name, frame in history.items()
    }


def read_history(plain: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Return what :func:`plain_history` was given."""
    return {
        name: pd.DataFrame({name: values}, index=pd.Index(index, name=index_name))
        for name, (index_name, index, values) in plain.items()
    }
