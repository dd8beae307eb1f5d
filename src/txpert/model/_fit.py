"""One fit of the network to the training conditions of one split."""

from __future__ import annotations

import difflib
import inspect
import math
import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import lightning.pytorch
import numpy as np
import torch
from scvi.train import Trainer, TrainingPlan, TrainRunner

from txpert._options import check_flag, check_number, check_whole

from ._callbacks import BestWeights, early_stopping, refuse_subprocesses, run
from ._checkpoints import Checkpoints
from ._data_splitter import PerturbationSplitter, Unit, check_unit
from ._held_out import TrainingData
from ._plan import TxPertTrainingPlan
from ._progress import EpochProgress, TrainingProgress
from ._torch_datasets import Controls

_NOT_DECISIVE = ("callbacks", "logger", "plugins", "accelerator", "devices", "strategy")
"""Options of the trainer that change where and with what messages a training runs."""

_APART = 5
"""Epochs between two validations, if they are short and many."""

_OWN = ("max_epochs", "lr", "batch_size", "unit", "controls", "refit", "checkpoint")


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
        **options: Any,
    ) -> TrainingOptions:
        """Check the options of a training and fill in what follows from others.

        Raises
        ------
        ValueError
            If one makes no sense.
        """
        if lr is not None:
            check_number("lr", lr, above=0)
        if not isinstance(plan_kwargs, Mapping | None):
            raise TypeError(f"plan_kwargs is a dictionary of arguments, not {plan_kwargs!r}.")
        plan = dict(plan_kwargs or {})
        rates = {value for value in (lr, plan.pop("lr", None)) if value is not None}
        if len(rates) > 1:
            raise ValueError(f"lr is given twice, as {' and '.join(map(str, sorted(rates)))}.")
        unit = unit or ("pseudobulk" if controls == "averaged" else "cell")
        lr = rates.pop() if rates else 2e-3
        found = cls(lr=lr, unit=unit, controls=controls, plan_kwargs=plan, **options)
        check_unit(unit, controls)
        check_number("lr", lr, above=0)
        for name in ("early_stopping", "refit"):
            check_flag(name, getattr(found, name))
        check_whole("batch_size", found.batch_size, least=1)
        for name in ("max_epochs", "early_stopping_patience"):
            check_whole(name, getattr(found, name), least=1, optional=True)
        _check_plan(plan)
        _check_trainer(found.trainer_kwargs)
        _check_devices(found.trainer_kwargs)
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


_CHANGES_ALL = "weight_decay", "optimizer", "optimizer_creator"


def fit_network(
    model: Any, data: TrainingData, options: TrainingOptions
) -> dict[int, float] | None:
    """Train the network; return its validation scores by epoch, None after Ctrl-C."""
    module = model.module
    splitter = model._data_splitter_cls(
        data.screen,
        data.table,
        model.nodes,
        pooled=data.pooled,
        batch_size=options.batch_size,
        unit=options.unit,
        controls=options.controls,
        matching=model.matching,
        pool_batches=module.ignores_batch(model.matching),
    )
    module.train()  # Lightning leaves the mode that an earlier prediction set
    module.trained.copy_(splitter.trained_nodes(len(model.nodes)))
    if options.fresh:
        module.start_from(splitter.training_effects())
    best = BestWeights(module)
    max_epochs, callbacks, trainer_kwargs = _around(splitter, best, options)
    progress = options.progress
    if progress is not None and progress.shown:
        callbacks.append(EpochProgress(progress))
        trainer_kwargs["enable_progress_bar"] = False
    plan = model._training_plan_cls(
        module,
        validation_delta=splitter.validation.observed_delta(),
        validation_nodes=splitter.validation_nodes(len(model.nodes)),
        **{"lr": options.lr, **options.plan_kwargs},
    )
    fit = None if options.checkpoints is None else options.checkpoints.next_fit()
    if fit is not None:
        callbacks.append(fit)
        trainer_kwargs |= fit.trainer_kwargs(trainer_kwargs.get("plugins"))
    runner = model._train_runner_cls(
        model,
        training_plan=plan,
        data_splitter=splitter,
        max_epochs=max_epochs,
        callbacks=callbacks,
        use_distributed_sampler=False,  # the splitter divides the rows
        **{"log_every_n_steps": 1, **trainer_kwargs},
    )
    refuse_subprocesses(runner.trainer)
    if fit is not None and fit.outcome:
        if progress is not None:
            progress.skip()
        return fit.restore(model, runner.device)
    # Other optimizers, and weight decay, may change embeddings without a gradient.
    whole = any(options.plan_kwargs.get(name) for name in _CHANGES_ALL)
    with nullcontext() if whole else module.narrowed():
        ended = run(runner)
    if not ended:
        return None
    if fit is not None:
        fit.finish(model, best.scores)
    return best.scores


def _check_plan(plan_kwargs: Mapping[str, Any]) -> None:
    known = {
        name
        for cls in (TrainingPlan, TxPertTrainingPlan)
        for name in inspect.signature(cls).parameters
    } - {"module", "validation_delta", "validation_nodes", "kwargs", "loss_kwargs"}
    unknown = sorted(set(plan_kwargs) - known)
    if unknown:
        raise ValueError(
            f"plan_kwargs has no {unknown[0]!r}; it takes {', '.join(sorted(known))}."
        )


def _check_trainer(trainer_kwargs: Mapping[str, Any]) -> None:
    """Refuse arguments that the trainer does not have."""
    known = {
        name
        for of in (Trainer.__init__, lightning.pytorch.Trainer.__init__, TrainRunner.__init__)
        for name in inspect.signature(of).parameters
    }
    unknown = sorted(set(trainer_kwargs) - known)
    if unknown:
        close = difflib.get_close_matches(unknown[0], [*known, *_OWN], n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise TypeError(
            f"train() has no argument {unknown[0]!r}, and neither have the trainers of scvi-tools "
            f"and Lightning.{hint}"
        )
    if trainer_kwargs.get("overfit_batches"):
        raise ValueError(
            "overfit_batches is not taken: it draws single conditions in place of minibatches. "
            "limit_train_batches takes some of the minibatches of each epoch."
        )


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


def _around(
    splitter: PerturbationSplitter, best: BestWeights, options: TrainingOptions
) -> tuple[int, list[Any], dict[str, Any]]:
    """Return the number of epochs, the callbacks and the other options of the trainer."""
    lengths = options.lengths(splitter.n_train)
    trainer_kwargs = {"check_val_every_n_epoch": lengths.apart, **options.trainer_kwargs}
    callbacks = list(trainer_kwargs.pop("callbacks", ()))
    validated = splitter.n_val > 0
    if validated:
        callbacks.append(best)
    if validated and options.early_stopping:
        callbacks.append(early_stopping(lengths.patience, trainer_kwargs))
    else:
        for name in ("early_stopping_min_delta", "early_stopping_warmup_epochs"):
            trainer_kwargs.pop(name, None)
    return lengths.max_epochs, callbacks, trainer_kwargs
