"""``train()``: choose epochs and weights on held-out perturbations, then train on all."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from scvi import settings

from txpert._constants import CONTROL, TRAIN, VALIDATION
from txpert._options import check_path
from txpert.data import ConditionTable
from txpert.data._controls import Matching
from txpert.data._screen import Screen
from txpert.splits._hash import split_hash

from ._checkpoints import Checkpoints
from ._component import NETWORK, Sources
from ._data_splitter import PerturbationSplitter, Unit
from ._description import describe, named
from ._earlier_training import refuse_leak, unchanged_on_failure, warn_of_forgotten
from ._ensemble import Ensemble
from ._fit import fit_network
from ._held_out import FEW, TrainingData, across_lines, best_epoch
from ._history import NumberedTrainRunner, number_fits
from ._module import TxPertModule
from ._plan import TxPertTrainingPlan
from ._progress import TrainingProgress, without_advertising
from ._record import storable
from ._scvi import scvi_options
from ._stacking import HeldOut
from ._torch_datasets import Controls
from ._train_options import TrainingOptions


class TrainingMixin:
    """Trains the components of a model and weighs them."""

    _data_splitter_cls = PerturbationSplitter
    _training_plan_cls = TxPertTrainingPlan
    _train_runner_cls = NumberedTrainRunner

    module: TxPertModule
    nodes: pd.Index
    matching: Matching
    components: tuple[str, ...]
    trained_on_: list[tuple[str, str]]
    ensemble_: dict[str, Any] | None
    training_: dict[str, Any]
    is_trained_: bool
    history_: Any

    @property
    @abstractmethod
    def _sources(self) -> Sources:
        """What the components are made from."""

    @abstractmethod
    def _current_split(self) -> tuple[Screen, ConditionTable]:
        """Return cells and pseudobulk of the attached data, with the split in obs as it is now."""

    def train(
        self,
        max_epochs: int | None = None,
        *,
        lr: float | None = None,
        batch_size: int | None = None,
        unit: Unit | None = None,
        controls: Controls = "averaged",
        early_stopping: bool = True,
        early_stopping_patience: int | None = None,
        refit: bool = True,
        checkpoint: str | Path | None = None,
        accelerator: str = "auto",
        devices: int | list[int] | str = "auto",
        plan_kwargs: Mapping[str, Any] | None = None,
        **trainer_kwargs: Any,
    ) -> None:
        """Train on the training perturbations and all controls.

        Validation perturbations choose the number of epochs (that of the best validation
        Pearson Δ) and the weights of the components. Then, with ``refit``, everything is trained
        again on training and validation perturbations together, the network for the number of
        epochs chosen. With fewer than 100 training and validation perturbations, five-fold
        cross-validation over all of them replaces the validation split; with 100 or more and no
        validation perturbations, one random fifth is held out.

        ``model.history`` holds train_loss of every epoch of the network, validation_loss and
        pearson_delta_validation of those after which it was validated, and in fit which fit that
        was: train_loss goes on with later fits.
        ``model.trained_on_`` lists what was trained on. A fit interrupted by Ctrl-C keeps the
        best weights so far; a training that raises leaves the model as it was.

        A second call trains the network further. Once it was trained on the perturbations that
        choose, nothing is chosen again: all epochs are run and the weights of the components
        stay. Perturbations that :meth:`update` added are forgotten, with a warning: to keep them,
        train on the joined data.

        Parameters
        ----------
        max_epochs
            Maximum number of epochs. Defaults to 3,000 optimizer steps, clipped to [20, 500]
            epochs.
        lr
            Learning rate of AdamW, 0.002 by default; also accepted in ``plan_kwargs``.
        batch_size
            Rows of a minibatch, over all devices; by default ``scvi.settings.batch_size`` (128).
        unit
            ``"pseudobulk"`` trains on condition means weighted by their numbers of cells, which
            has the gradient of training on the cells and far fewer rows; ``"cell"`` on cells.
            The default is pseudobulk with averaged controls, cells with sampled ones.
        controls
            ``"averaged"``, or ``"sampled"`` for each cell (not with pseudobulk). They are those
            of the same batch or of the whole cell line, as the model's ``matching`` says.
        early_stopping
            Stop when validation Pearson Δ no longer rises. With ``components="network"`` and no
            validation perturbations all epochs are run and the last weights kept.
        early_stopping_patience
            Epochs to wait for a better score; by default as many as make 100 steps, but 10 at
            least. The network is validated after each epoch; where it has fewer rows than two
            minibatches, after every fifth, unless ``max_epochs`` is below 100, the patience below
            25 or ``check_val_every_n_epoch`` given.
        refit
            Train on training and validation perturbations once epochs and weights are chosen;
            ``False`` keeps what was trained on the training perturbations alone.
        checkpoint
            Folder to write the state of training to, now and then. If it holds that of a training
            broken off, of the same model with the same data and arguments, this is taken up where
            it was last written, and ends as it would have; one that ended is not repeated.
        accelerator, devices
            As in Lightning. Several devices divide the rows of each minibatch, and their
            gradient is that of the whole of it.
        plan_kwargs
            Options of optimizer and loss, such as ``weight_decay``, ``optimizer`` or
            ``similarity``.
        **trainer_kwargs
            Further arguments of :class:`scvi.train.Trainer`, such as ``precision``. Callbacks and
            ``max_time`` count for each of the fits that a training consists of. Cells are not
            divided here, so scvi-tools' ``train_size`` and the like are refused: perturbations
            are, by :func:`txpert.pp.split`.

        Raises
        ------
        ValueError
            If the options make no sense or would have no effect, the network is not trained for a
            single step, the split changed after a training such that held-out perturbations were
            trained on, minibatches are too small for the devices, or the folder for checkpoints
            cannot be written, holds another training or a damaged file.
        TypeError
            If there is no such option, or its value is of a wrong type.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
        >>> model.train(enable_progress_bar=False)
        >>> model.is_trained
        True
        """
        plan_kwargs, trainer_kwargs = scvi_options(plan_kwargs, trainer_kwargs)
        options = TrainingOptions.of(
            max_epochs=max_epochs,
            lr=lr,
            batch_size=settings.batch_size if batch_size is None else batch_size,
            unit=unit,
            controls=controls,
            early_stopping=early_stopping,
            early_stopping_patience=early_stopping_patience,
            refit=refit,
            plan_kwargs=plan_kwargs,
            trainer_kwargs={"accelerator": accelerator, "devices": devices, **trainer_kwargs},
        )
        if checkpoint is not None:
            check_path("checkpoint", checkpoint)
        screen, table = self._current_split()
        data = TrainingData.of(screen, table)
        refuse_leak(self, data)
        warn_of_forgotten(self, data)
        with unchanged_on_failure(self), without_advertising():
            if checkpoint is not None:
                options = self._checkpointed(checkpoint, options, data.table)
            epochs = self._choose_and_train(data, replace(options, fresh=not self.is_trained_))
        about = {**options.description(), "epochs": epochs, "seed": settings.seed or 0}
        self.training_ = storable(named(about))
        self.training_["split_sha256"] = split_hash(table.obs[~table.obs[CONTROL]])

    def _choose_and_train(self, data: TrainingData, options: TrainingOptions) -> int | None:
        """Train; return the number of epochs that was chosen, if one was."""
        everything = data.with_validation() if options.refit else data
        again = self.is_trained_ and _chosen_by(data) <= set(self.trained_on_)
        parts = [] if again else self._parts(data, everything)
        progress = TrainingProgress(len(parts) + 1, shown=options.shows_progress)
        options = replace(options, progress=progress)
        curves: list[dict[int, float]] = []
        held_out: list[HeldOut] = []
        fitted: Ensemble | None = None
        initial = {name: value.clone() for name, value in self.module.state_dict().items()}
        for number, part in enumerate(parts, start=1):
            progress.title = f"Training to choose epochs and weights, {number} of {len(parts)}"
            curve = self._fit(part, options)
            if len(self.components) > 1:
                ensemble = Ensemble.fit(part.training, self.components, self._sources)
                held_out.append(part.evaluate(ensemble, self.matching, pooled=self._pooled))
                fitted = ensemble if part is everything else None
            curves += [] if curve is None else [curve]
            if curve is None or part is everything:
                everything = part if part is data else everything
                break  # interrupted, or there is no refit
            self.module.load_state_dict(initial)
        else:
            if any(curves):
                options = replace(options, max_epochs=best_epoch(curves))
            progress.title = "Training on all" if parts else "Training"
            self._fit(everything, options)
        progress.close()
        self._combine(held_out, everything, fitted, keep_weights=again)
        return best_epoch(curves) if any(curves) else options.max_epochs

    def _parts(self, data: TrainingData, everything: TrainingData) -> list[TrainingData]:
        """Return data that each hold out perturbations which choose epochs and weights."""
        if self.components != (NETWORK,) and len(self.components) == 1:
            return []  # nothing to choose
        if not data.validated:
            return everything.folds() if len(self.components) > 1 else []
        labels = everything.labels(TRAIN)
        # Of perturbations measured in another cell line only the user's own split knows.
        elsewhere = data.labels(VALIDATION) & data.labels(TRAIN)
        few = everything is not data and len(labels) < FEW and not elsewhere
        return (everything.folds() if few and len(self.components) > 1 else []) or [data]

    def _fit(self, data: TrainingData, options: TrainingOptions) -> dict[int, float] | None:
        """Train what minibatches train; return its validation scores, None after Ctrl-C."""
        if NETWORK not in self.components:
            self.is_trained_ = True
            return {}
        self.trained_on_ = data.trained_on
        scores = fit_network(self, data, options)
        number_fits(self.history_)
        return scores

    @property
    def _pooled(self) -> bool:
        """Whether no component depends on the batch."""
        return NETWORK not in self.components or self.module.ignores_batch(self.matching)

    def _combine(
        self,
        held_out: list[HeldOut],
        data: TrainingData,
        fitted: Ensemble | None,
        *,
        keep_weights: bool,
    ) -> None:
        """Fit the components to all data and weigh them by what was held out."""
        self.trained_on_ = data.trained_on
        if self.components == (NETWORK,):
            return
        ensemble = fitted or Ensemble.fit(data.training, self.components, self._sources)
        if keep_weights and self.ensemble_ is not None:
            self.ensemble_ = ensemble.to_dict() | {"weights": self.ensemble_["weights"]}
            return
        if len(self.components) > 1:
            sources = replace(self._sources, earlier=ensemble.components)
            held_out = [*held_out, *across_lines(data.training, self.components, sources)]
        if held_out:
            ensemble = ensemble.weigh(HeldOut.concatenate(held_out))
        self.ensemble_ = ensemble.to_dict()

    def _checkpointed(
        self, folder: str | Path, options: TrainingOptions, table: ConditionTable
    ) -> TrainingOptions:
        described = {
            "components": self.components,
            "matching": self.matching,
            **options.description(),
            "scvi.settings.seed": settings.seed or 0,
        }
        description = describe(self, table, described)
        return replace(options, checkpoints=Checkpoints(folder, self, description))


def _chosen_by(data: TrainingData) -> set[tuple[str, str]]:
    """Return what is held out to choose epochs and weights."""
    return set(data.pairs(VALIDATION) if data.validated else data.trained_on)
