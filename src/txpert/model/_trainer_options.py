"""Options of ``train()`` that go on to the trainers of scvi-tools and Lightning, checked."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Mapping
from typing import Any

import lightning.pytorch
import torch
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping, Timer
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from scvi.train import SaveCheckpoint, Trainer, TrainRunner

from txpert._options import check_number, check_whole

from ._plan import MONITOR

_OWN = (
    "max_epochs",
    "lr",
    "batch_size",
    "unit",
    "controls",
    "early_stopping",
    "early_stopping_patience",
    "refit",
    "checkpoint",
    "plan_kwargs",
)
"""Arguments of ``train`` itself."""

_SET_HERE = ("model", "training_plan", "data_splitter", "use_distributed_sampler")

_NOT_TAKEN = {
    "overfit_batches": "it draws single conditions in place of minibatches. limit_train_batches "
    "takes some of the minibatches of each epoch",
    "barebones": "without logging and validation no number of epochs can be chosen. "
    "enable_progress_bar=False leaves out the bar",
}

_STOPPING = {"early_stopping_monitor": MONITOR, "early_stopping_mode": "max"}

_PRECISIONS = (None, "32-true", "16-mixed", "bf16-mixed", 32, 16, "32", "16", "bf16")


def trainer_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options, callbacks as a list.

    Raises
    ------
    TypeError
        If the trainers have no such option, ``train`` sets it itself, or a callback is none.
    ValueError
        If a value makes no sense or cannot work.
    """
    _check_names(given)
    for name, reason in _NOT_TAKEN.items():
        if given.get(name):
            raise ValueError(f"{name} is not taken: {reason}.")
    for name, value in _STOPPING.items():
        if given.get(name, value) != value:
            raise ValueError(
                f"{name}={given[name]!r} is not taken: early stopping waits for the largest "
                f"{MONITOR}. Leave it out."
            )
    check_number("early_stopping_min_delta", given.get("early_stopping_min_delta", 0))
    check_whole(
        "early_stopping_warmup_epochs", given.get("early_stopping_warmup_epochs", 0), least=0
    )
    check_whole("accumulate_grad_batches", given.get("accumulate_grad_batches", 1), least=1)
    apart = given.get("check_val_every_n_epoch")
    check_whole("check_val_every_n_epoch", apart, least=1, optional=True)
    if given.get("limit_train_batches") == 0:
        raise ValueError(
            "limit_train_batches must be above 0, or nothing is trained, not "
            f"{given['limit_train_batches']!r}."
        )
    if given.get("precision") not in _PRECISIONS:
        raise ValueError(
            "precision must be '32-true', '16-mixed' or 'bf16-mixed', since sums over edges are "
            f"in single precision, not {given['precision']!r}."
        )
    _check_time(given.get("max_time"))
    _check_devices(given)
    callbacks = {"callbacks": _callbacks(given)} if "callbacks" in given else {}
    return {**given, **callbacks}


def _check_names(given: Mapping[str, Any]) -> None:
    """Raise a TypeError if an option is unknown or not one to give here."""
    own = [name for name in _OWN if name in given]
    if own:
        raise TypeError(
            f"trainer_config takes no {own[0]!r}, an argument of train itself: give it there, "
            f"train({own[0]}=...)."
        )
    here = [name for name in _SET_HERE if name in given]
    if here:
        raise TypeError(f"train() takes no {here[0]!r}: it sets that itself.")
    known = {
        name
        for of in (Trainer.__init__, lightning.pytorch.Trainer.__init__, TrainRunner.__init__)
        for name in inspect.signature(of).parameters
    } - {"self", "kwargs", "trainer_kwargs"}
    unknown = sorted(set(given) - known)
    if unknown:
        close = difflib.get_close_matches(unknown[0], [*known, *_OWN], n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise TypeError(
            f"train() has no argument {unknown[0]!r}, and neither have the trainers of scvi-tools "
            f"and Lightning.{hint}"
        )


def _check_time(max_time: Any) -> None:
    """Raise a ValueError if a time is none, or none at all is left to train."""
    try:
        seconds = Timer(max_time).time_remaining()
    except (MisconfigurationException, AttributeError, TypeError) as error:
        raise ValueError(
            "max_time must be text as DD:HH:MM:SS, a timedelta or a dictionary such as "
            f"{{'hours': 2}}, not {max_time!r}."
        ) from error
    if seconds is not None and seconds <= 0:
        raise ValueError(f"max_time must be above 0, or nothing is trained, not {max_time!r}.")


def _callbacks(given: Mapping[str, Any]) -> list[Any]:
    """Return the callbacks as a list; raise an error if one is none or cannot work."""
    callbacks = given["callbacks"]
    if callbacks is None:
        return []
    found = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    for callback in found:
        if isinstance(callback, type) or not hasattr(callback, "on_train_epoch_end"):
            raise TypeError(
                "callbacks takes callbacks of Lightning, such as LearningRateMonitor(), not "
                f"{callback!r}."
            )
        if isinstance(callback, EarlyStopping):
            raise ValueError(
                "callbacks takes no EarlyStopping, which would go on counting from one fit of a "
                "training to the next: early_stopping_patience and early_stopping_min_delta say "
                "when train() stops by validation Pearson Δ."
            )
        if isinstance(callback, Timer):
            raise ValueError(
                "callbacks takes no Timer, whose time would run on from one fit of a training to "
                "the next and leave none to the last: max_time counts for each fit."
            )
        saves = isinstance(callback, Checkpoint) and not isinstance(callback, SaveCheckpoint)
        if saves and not given.get("enable_checkpointing"):
            raise ValueError(
                f"A {type(callback).__name__} in callbacks needs enable_checkpointing=True, with "
                "which scvi-tools saves the model, too."
            )
    return found


def _check_devices(trainer_kwargs: Mapping[str, Any]) -> None:
    """Raise a ValueError if there are not so many devices, before any process starts."""
    devices, accelerator = trainer_kwargs.get("devices"), trainer_kwargs.get("accelerator")
    known = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
    if isinstance(accelerator, str) and accelerator not in known:
        raise ValueError(f"accelerator must be one of {', '.join(known)}, not {accelerator!r}.")
    other = torch.cuda.is_available() or torch.backends.mps.is_available()
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not other)
    wanted = int(devices) if isinstance(devices, str) and devices.isdecimal() else devices
    if isinstance(wanted, str) and wanted not in ("auto", "-1") and "," not in wanted:
        raise ValueError(f"devices must be 'auto', a number or a list of them, not {devices!r}.")
    if isinstance(wanted, int) and (wanted == 0 or wanted < -1):
        raise ValueError(f"devices must be at least 1, 'auto', or -1 for all, not {devices!r}.")
    if on_cpu and isinstance(wanted, int) and wanted > (os.cpu_count() or 1):
        raise ValueError(
            f"devices={wanted}, but there are {os.cpu_count()} processor cores: each device is a "
            "process with a copy of the data. Take devices=1."
        )
