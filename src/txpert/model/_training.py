from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scvi.train import TrainRunner

from txpert.data import (
    ConditionTable,
    Controls,
    Matching,
    PerturbationSplitter,
    Screen,
    Unit,
)

from ._module import TxPertModule
from ._plan import MONITOR, BestWeights, TxPertTrainingPlan, run


class PerturbationTrainingMixin:
    """Training on the conditions of a screen, selected by validation Pearson Δ."""

    _data_splitter_cls = PerturbationSplitter
    _training_plan_cls = TxPertTrainingPlan
    _train_runner_cls = TrainRunner

    module: TxPertModule
    nodes: pd.Index
    matching: Matching

    def _attached(self) -> tuple[Screen, ConditionTable]:
        raise NotImplementedError

    def train(
        self,
        max_epochs: int | None = None,
        *,
        lr: float = 1e-3,
        batch_size: int = 128,
        unit: Unit | None = None,
        controls: Controls = "averaged",
        early_stopping: bool = True,
        early_stopping_patience: int | None = None,
        accelerator: str = "auto",
        devices: int | list[int] | str = "auto",
        plan_kwargs: Mapping[str, Any] | None = None,
        **trainer_kwargs: Any,
    ) -> None:
        """Train on the training perturbations and all controls.

        The weights of the epoch with the best validation Pearson Δ are kept, also when training
        is interrupted by Ctrl-C. ``model.history`` holds train_loss, validation_loss and
        pearson_delta_validation of every epoch.

        Parameters
        ----------
        max_epochs
            Passes over the training rows; by default as many as make 3,000 steps, but 20 to 500.
        lr
            Learning rate of AdamW.
        batch_size
            Rows of a minibatch.
        unit
            ``"pseudobulk"`` trains on condition means weighted by their numbers of cells, which
            has the gradient of training on the cells and far fewer rows; ``"cell"`` on cells.
            The default is pseudobulk with averaged controls, cells with sampled ones.
        controls
            ``"averaged"``, or ``"sampled"`` for each cell (not with pseudobulk). They are those
            of the same batch or of the whole cell line, as the model's ``matching`` says.
        early_stopping
            Stop when validation Pearson Δ no longer rises. Without validation perturbations all
            epochs are run and the last weights kept.
        early_stopping_patience
            Epochs to wait for a better score; by default as many as make 200 steps, but 10 at
            least.
        accelerator, devices
            As in Lightning.
        plan_kwargs
            Further arguments of :class:`~txpert.model.TxPertTrainingPlan`.
        **trainer_kwargs
            Further arguments of :class:`scvi.train.Trainer`.
        """
        splitter = self._data_splitter_cls(
            *self._attached(),
            self.nodes,
            batch_size=batch_size,
            unit=unit or ("pseudobulk" if controls == "averaged" else "cell"),
            controls=controls,
            matching=self.matching,
        )
        self.module.train()  # Lightning leaves the mode that an earlier prediction set
        self.trained_on_ = splitter.trained_on
        self.module.trained.copy_(splitter.trained_nodes(len(self.nodes)))
        steps = max(1, splitter.n_train // batch_size)
        if max_epochs is None:
            max_epochs = int(np.clip(3_000 // steps, 20, 500))
        if early_stopping_patience is None:
            early_stopping_patience = max(200 // steps, 10)
        validated = splitter.n_val > 0
        callbacks = list(trainer_kwargs.pop("callbacks", ()))
        if validated:
            callbacks.append(BestWeights(self.module))
        plan = self._training_plan_cls(
            self.module,
            validation_delta=splitter.validation.observed_delta(),
            lr=lr,
            **(plan_kwargs or {}),
        )
        runner = self._train_runner_cls(
            self,
            training_plan=plan,
            data_splitter=splitter,
            max_epochs=max_epochs,
            accelerator=accelerator,
            devices=devices,
            early_stopping=early_stopping and validated,
            early_stopping_monitor=MONITOR,
            early_stopping_mode="max",
            early_stopping_patience=early_stopping_patience,
            callbacks=callbacks,
            **{"check_val_every_n_epoch": 1, "log_every_n_steps": 1, **trainer_kwargs},
        )
        run(runner)
