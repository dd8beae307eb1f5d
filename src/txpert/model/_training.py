from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scvi import settings
from scvi.train import TrainRunner

from txpert._constants import CELL_LINE, CONTROL, PERTURBATION, SPLIT, TRAIN, VALIDATION
from txpert.data import ConditionTable, Screen, average_over_batches
from txpert.splits import hold_out

from ._blend import Blend, across_lines
from ._checkpoints import Checkpoints, describe
from ._data_splitter import PerturbationSplitter, Unit
from ._folds import best_epoch, folds
from ._plan import BestWeights, TxPertTrainingPlan, early_stopping, refuse_subprocesses, run
from ._prediction import PredictingModelClass
from ._stacking import HeldOut
from ._torch_datasets import Controls


@dataclass(frozen=True)
class TrainingOptions:
    """What :meth:`TrainableModelClass.train` was called with."""

    max_epochs: int | None
    lr: float
    batch_size: int
    unit: Unit
    controls: Controls
    early_stopping: bool
    early_stopping_patience: int | None
    plan_kwargs: Mapping[str, Any]
    trainer_kwargs: Mapping[str, Any]
    fresh: bool
    checkpoints: Checkpoints | None = None

    def description(self) -> dict[str, Any]:
        """Return what decides the outcome of a training."""
        names = ("lr", "batch_size", "unit", "controls", "max_epochs")
        more = ("early_stopping", "early_stopping_patience", "plan_kwargs")
        return {name: getattr(self, name) for name in (*names, *more)}

    def lengths(self, n_train: int) -> tuple[int, int]:
        """Return the epochs to train and to wait for a better score."""
        steps = max(1, n_train // self.batch_size)
        max_epochs, patience = self.max_epochs, self.early_stopping_patience
        if max_epochs is None:
            max_epochs = int(np.clip(3_000 // steps, 20, 500))
        return max_epochs, max(100 // steps, 10) if patience is None else patience


class TrainableModelClass(PredictingModelClass):
    """A model trained on the conditions of a screen, selected by validation Pearson Δ."""

    _data_splitter_cls = PerturbationSplitter
    _training_plan_cls = TxPertTrainingPlan
    _train_runner_cls = TrainRunner

    prediction: str
    trained_on_: list[tuple[str, str]]

    @abstractmethod
    def _attached(self) -> tuple[Screen, ConditionTable]:
        """Return the cells and the pseudobulk of the data attached to the model."""

    def train(
        self,
        max_epochs: int | None = None,
        *,
        lr: float = 2e-3,
        batch_size: int = 128,
        unit: Unit | None = None,
        controls: Controls = "averaged",
        early_stopping: bool = True,
        early_stopping_patience: int | None = None,
        checkpoint: str | Path | None = None,
        accelerator: str = "auto",
        devices: int | list[int] | str = "auto",
        plan_kwargs: Mapping[str, Any] | None = None,
        **trainer_kwargs: Any,
    ) -> None:
        """Train on the training perturbations and all controls.

        The weights of the epoch with the best validation Pearson Δ are kept, also when training
        is interrupted by Ctrl-C. ``model.history`` holds train_loss, validation_loss and
        pearson_delta_validation of every epoch, of the network alone. Then the network is blended
        with simpler predictors, by the weights that are best for the validation perturbations
        (:func:`txpert.model.stack`).

        Without validation perturbations some training perturbations are held out first, in turn,
        to find the weights and the number of epochs that is best on average, and the network is
        trained anew on all: with fewer than 100 perturbations a fifth five times, else a fifth
        once.

        Parameters
        ----------
        max_epochs
            Passes over the training rows; by default as many as make 3,000 steps, but 20 to 500.
        lr
            Learning rate of AdamW.
        batch_size
            Rows of a minibatch, over all devices.
        unit
            ``"pseudobulk"`` trains on condition means weighted by their numbers of cells, which
            has the gradient of training on the cells and far fewer rows; ``"cell"`` on cells.
            The default is pseudobulk with averaged controls, cells with sampled ones.
        controls
            ``"averaged"``, or ``"sampled"`` for each cell (not with pseudobulk). They are those
            of the same batch or of the whole cell line, as the model's ``matching`` says.
        early_stopping
            Stop when validation Pearson Δ no longer rises. With ``prediction="network"`` and no
            validation perturbations all epochs are run and the last weights kept.
        early_stopping_patience
            Epochs to wait for a better score; by default as many as make 100 steps, but 10 at
            least.
        checkpoint
            Folder to write the state of training to, now and then. If it holds that of a training
            broken off, of the same model with the same data and arguments, this is taken up where
            it was last written, and ends as it would have; one that ended is not repeated.
        accelerator, devices
            As in Lightning. Several devices share out the rows of each minibatch, and their
            gradient is that of the whole of it.
        plan_kwargs
            Further arguments of :class:`~txpert.model.TxPertTrainingPlan`.
        **trainer_kwargs
            Further arguments of :class:`scvi.train.Trainer`, such as ``precision``.

        Raises
        ------
        ValueError
            If the options make no sense, minibatches are too small for the devices, or the folder
            for checkpoints cannot be written, holds another training or a damaged file.
        """
        options = TrainingOptions(
            max_epochs,
            lr,
            batch_size,
            unit or ("pseudobulk" if controls == "averaged" else "cell"),
            controls,
            early_stopping,
            early_stopping_patience,
            plan_kwargs or {},
            {"accelerator": accelerator, "devices": devices, **trainer_kwargs},
            fresh=not self.is_trained_,
        )
        screen, table = self._attached()
        if checkpoint is not None:
            options = self._checkpointed(checkpoint, options, table)
        self.blend_ = None
        if self.prediction == "network":
            self._fit(screen, table, options)
        elif (table.obs[SPLIT] == VALIDATION).any():
            self._fit(screen, table, options)
            blend = self._simple_paths(table)
            self._blend_by([self._held_out(table, blend)], table, blend)
        else:
            self._cross_fit(screen, table, options)

    def _checkpointed(
        self, folder: str | Path, options: TrainingOptions, table: ConditionTable
    ) -> TrainingOptions:
        described = {
            "prediction": self.prediction,
            "matching": self.matching,
            **options.description(),
            "scvi.settings.seed": settings.seed or 0,
        }
        description = describe(self.module, self.nodes, table, described)
        checkpoints = Checkpoints(folder, self, description)
        return replace(options, fresh=not self.is_trained_, checkpoints=checkpoints)

    def _cross_fit(self, screen: Screen, table: ConditionTable, options: TrainingOptions) -> None:
        """Find epochs and weights on perturbations held out in turn; train on all of them."""
        initial = {name: value.clone() for name, value in self.module.state_dict().items()}
        curves: list[dict[int, float]] = []
        held_out: list[HeldOut] = []
        for part in folds(table):
            cells = hold_out(pd.Series(screen.split), screen.perturbation, part)
            conditions = hold_out(table.obs[SPLIT], table.obs[PERTURBATION], part)
            of_fold = replace(table, obs=table.obs.assign(**{SPLIT: conditions}))
            curve = self._fit(replace(screen, split=cells), of_fold, options)
            held_out.append(self._held_out(of_fold, self._simple_paths(of_fold)))
            if curve is None:
                break
            curves.append(curve)
            self.module.load_state_dict(initial)
        else:
            if any(curves):
                options = replace(options, max_epochs=best_epoch(curves))
            self._fit(screen, table, options)
        self._blend_by(held_out, table, self._simple_paths(table))

    def _held_out(self, table: ConditionTable, blend: Blend) -> HeldOut:
        """Return Δ of the validation perturbations by each path."""
        rows = table.subset((table.obs[SPLIT] == VALIDATION).to_numpy())
        if self.module.ignores_batch(self.matching):
            rows = rows.over_batches()
        network, obs = average_over_batches(self._network_delta(rows.obs, rows.controls), rows.obs)
        observed, _ = average_over_batches(blend.target.taken_from(rows).delta, rows.obs)
        labels = obs[PERTURBATION].astype(str).tolist()
        lines = obs[CELL_LINE].to_numpy(dtype=str)
        return HeldOut(blend.kinds(labels), lines, *blend.simple(labels), network, observed)

    def _blend_by(self, held_out: list[HeldOut], table: ConditionTable, blend: Blend) -> None:
        parts = [*held_out, *across_lines(_training_rows(table), self._kernels)]
        self.blend_ = (blend.weigh(HeldOut.join(parts)) if parts else blend).to_dict()

    def _simple_paths(self, table: ConditionTable) -> Blend:
        return Blend.fit(_training_rows(table), self._kernels)

    def _fit(
        self, screen: Screen, table: ConditionTable, options: TrainingOptions
    ) -> dict[int, float] | None:
        """Train the network; return its validation scores by epoch, None after Ctrl-C."""
        splitter = self._data_splitter_cls(
            screen,
            table,
            self.nodes,
            batch_size=options.batch_size,
            unit=options.unit,
            controls=options.controls,
            matching=self.matching,
            pool_batches=self.module.ignores_batch(self.matching),
        )
        self.module.train()  # Lightning leaves the mode that an earlier prediction set
        self.trained_on_ = splitter.trained_on
        self.module.trained.copy_(splitter.trained_nodes(len(self.nodes)))
        if options.fresh:
            self.module.decoder.start_from(splitter.training_effects())
        max_epochs, patience = options.lengths(splitter.n_train)
        validated = splitter.n_val > 0
        trainer_kwargs = dict(options.trainer_kwargs)
        callbacks = list(trainer_kwargs.pop("callbacks", ()))
        best = BestWeights(self.module)
        if validated:
            callbacks.append(best)
        if validated and options.early_stopping:
            callbacks.append(early_stopping(patience, trainer_kwargs))
        plan = self._training_plan_cls(
            self.module,
            validation_delta=splitter.validation.observed_delta(),
            validation_nodes=splitter.validation_nodes(len(self.nodes)),
            lr=options.lr,
            **options.plan_kwargs,
        )
        fit = None if options.checkpoints is None else options.checkpoints.next_fit()
        if fit is not None:
            callbacks.append(fit)
            trainer_kwargs |= fit.trainer_kwargs(trainer_kwargs.get("plugins"))
        runner = self._train_runner_cls(
            self,
            training_plan=plan,
            data_splitter=splitter,
            max_epochs=max_epochs,
            callbacks=callbacks,
            use_distributed_sampler=False,  # the splitter shares out the rows
            **{"check_val_every_n_epoch": 1, "log_every_n_steps": 1, **trainer_kwargs},
        )
        refuse_subprocesses(runner.trainer)
        if fit is not None and fit.outcome:
            return fit.restore(self, runner.device)
        if not run(runner):
            return None
        if fit is not None:
            fit.finish(self, best.scores)
        return best.scores


def _training_rows(table: ConditionTable) -> ConditionTable:
    rows = table.over_batches()
    return rows.subset(((rows.obs[SPLIT] == TRAIN) & ~rows.obs[CONTROL]).to_numpy())
