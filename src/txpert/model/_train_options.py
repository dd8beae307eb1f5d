"""The options of ``train()``: checked, and with what follows from others filled in."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
from scvi.train import TrainingPlan

from txpert._options import check_choice, check_flag, check_number, check_whole
from txpert.nn._similarity import Similarity

from ._checkpoints import Checkpoints
from ._data_splitter import Unit, check_unit
from ._plan import TxPertTrainingPlan
from ._progress import TrainingProgress
from ._torch_datasets import Controls
from ._trainer_options import trainer_options

_NOT_DECISIVE = (
    "callbacks",
    "logger",
    "plugins",
    "profiler",
    "accelerator",
    "devices",
    "strategy",
)
"""Options of the trainer that change where and with what messages a training runs."""

_APART = 5
"""Epochs between two validations, if they are short and many."""

_OF_PLAN = ("optimizer", "optimizer_creator", "compile", "compile_kwargs")
"""Options of scvi-tools' training plan that have an effect in ours."""


@dataclass(frozen=True)
class TrainingOptions:
    """What :meth:`txpert.TxPertModel.train` was called with."""

    max_epochs: int | None
    lr: float
    batch_size: int
    unit: Unit
    controls: Controls
    early_stopping: bool
    early_stopping_patience: int | None
    refit: bool
    plan_kwargs: Mapping[str, Any]
    trainer_kwargs: Mapping[str, Any]
    fresh: bool = True
    checkpoints: Checkpoints | None = None
    progress: TrainingProgress | None = None

    @classmethod
    def of(
        cls,
        *,
        lr: float | None,
        unit: Unit | None,
        controls: Controls,
        plan_kwargs: Mapping[str, Any] | None,
        trainer_kwargs: Mapping[str, Any],
        **options: Any,
    ) -> TrainingOptions:
        """Check the options of a training and fill in what follows from others.

        Raises
        ------
        ValueError
            If one makes no sense, or would have no effect.
        TypeError
            If there is no such option, or its value is of a wrong type.
        """
        if not isinstance(plan_kwargs, Mapping | None):
            raise TypeError(f"plan_kwargs is a dictionary of arguments, not {plan_kwargs!r}.")
        plan = _plain(plan_kwargs or {})
        rates = [rate for rate in (lr, plan.pop("lr", None)) if rate is not None]
        for rate in rates:
            check_number("lr", rate, above=0)
        if len(set(rates)) > 1:
            raise ValueError(f"lr is given twice, as {' and '.join(map(str, sorted(rates)))}.")
        _check_plan(plan, lr=bool(rates))
        unit = unit or ("pseudobulk" if controls == "averaged" else "cell")
        found = cls(
            lr=float(rates[0]) if rates else 2e-3,
            unit=unit,
            controls=controls,
            plan_kwargs=plan,
            trainer_kwargs=trainer_options(_plain(trainer_kwargs)),
            **_plain(options),
        )
        check_unit(unit, controls)
        for name in ("early_stopping", "refit"):
            check_flag(name, getattr(found, name))
        check_whole("batch_size", found.batch_size, least=1)
        for name in ("max_epochs", "early_stopping_patience"):
            check_whole(name, getattr(found, name), least=1, optional=True)
        return found

    def description(self) -> dict[str, Any]:
        """Return what decides the outcome of a training."""
        names = ("lr", "batch_size", "unit", "controls", "max_epochs", "refit")
        more = ("early_stopping", "early_stopping_patience", "plan_kwargs")
        trainer = {
            name: value
            for name, value in sorted(self.trainer_kwargs.items())
            if name not in _NOT_DECISIVE and not name.startswith(("enable_", "progress"))
        }
        return {name: getattr(self, name) for name in (*names, *more)} | {"trainer": trainer}

    @property
    def shows_progress(self) -> bool:
        """Whether there is a progress bar, and it is not Lightning's own."""
        wanted = ("enable_progress_bar", "simple_progress_bar", "progress_bar_refresh_rate")
        return all(self.trainer_kwargs.get(name, True) for name in wanted)

    def lengths(self, n_train: int) -> Lengths:
        """Return how long to train on so many rows, and how often to validate."""
        steps = max(1, n_train // self.batch_size)
        max_epochs, patience = self.max_epochs, self.early_stopping_patience
        if max_epochs is None:
            max_epochs = int(np.clip(3_000 // steps, 20, 500))
        if patience is None:
            patience = max(100 // steps, 10)
        apart = self.trainer_kwargs.get("check_val_every_n_epoch") or 1
        chosen = {"check_val_every_n_epoch", "val_check_interval"} & set(self.trainer_kwargs)
        if steps == 1 and not chosen:
            apart = max(1, min(_APART, max_epochs // 20, patience // 5))
        return Lengths(max_epochs, apart, math.ceil(patience / apart))


class Lengths(NamedTuple):
    """Epochs to train, epochs between validations, and validations to wait for a better score."""

    max_epochs: int
    apart: int
    patience: int


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with NumPy's numbers, which Lightning does not take, as Python's."""
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in options.items()
    }


def _check_plan(plan: Mapping[str, Any], *, lr: bool) -> None:
    """Raise an error if an option of the plan is unknown, makes no sense or has no effect.

    Parameters
    ----------
    plan
        The options, without the learning rate.
    lr
        Whether that was given.
    """
    scvi = inspect.signature(TrainingPlan).parameters
    ours = {*inspect.signature(TxPertTrainingPlan).parameters, *_OF_PLAN}
    known = sorted(ours - {"module", "validation_delta", "validation_nodes", "kwargs"})
    for name in sorted(set(plan) - set(known)):
        if name not in scvi or name in ("module", "loss_kwargs"):
            raise ValueError(f"plan_kwargs has no {name!r}; it takes {', '.join(known)}.")
        if plan[name] != scvi[name].default:
            raise ValueError(
                f"{name!r} in plan_kwargs would have no effect: leave it out. plan_kwargs takes "
                f"{', '.join(known)}."
            )
    check_whole("warmup_steps", plan.get("warmup_steps", 0), least=0)
    for name in ("weight_decay", "similarity_weight", "eps"):
        check_number(name, plan.get(name, 0), least=0, optional=name == "eps")
    check_flag("compile", plan.get("compile", False))
    check_choice("similarity", plan.get("similarity"), (None, *get_args(Similarity)))
    optimizer, creator = plan.get("optimizer", "Custom"), plan.get("optimizer_creator")
    check_choice("optimizer", optimizer, ("Adam", "AdamW", "Custom"))
    if creator is None:
        return
    if not callable(creator):
        raise TypeError(f"optimizer_creator is a function of the parameters, not {creator!r}.")
    given = {"optimizer": optimizer != "Custom", "lr": lr}
    idle = [name for name in given if given[name]] + sorted({"weight_decay", "eps"} & set(plan))
    if idle:
        raise ValueError(
            f"{idle[0]} has no effect next to optimizer_creator, which makes the optimizer: leave "
            "out one of the two."
        )
