"""What happens around a fit: best weights, early stopping, interruption."""

from __future__ import annotations

import copy
import signal
import warnings
from typing import Any

import lightning.pytorch as pl
import numpy as np
from lightning.pytorch.utilities.exceptions import SIGTERMException
from scvi import settings
from scvi.train import LoudEarlyStopping, TrainRunner
from torch import Tensor

from ._checkpoints import FitCheckpoint
from ._module import TxPertModule
from ._plan import MONITOR


class TrainingInterrupted(UserWarning):
    """Training was ended by Ctrl-C, and the model keeps what it learned until then."""


class BestWeights(pl.Callback):
    """Keeps the weights of the best epoch in memory and puts them back when training ends.

    Also when it ends by Ctrl-C or an error, so that nothing learned is lost.

    Parameters
    ----------
    module
        The module trained.
    """

    def __init__(self, module: TxPertModule) -> None:
        self.module = module
        self.scores: dict[int, float] = {}
        self._weights: dict[str, Tensor] | None = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the weights if they are the best so far, and the best score of the epoch."""
        score, epoch = float(trainer.callback_metrics[MONITOR]), trainer.current_epoch + 1
        if score > np.nanmax([-np.inf, *self.scores.values()]):
            self._weights = copy.deepcopy(self.module.state_dict())
        self.scores[epoch] = float(np.fmax(score, self.scores.get(epoch, np.nan)))

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the best weights back."""
        self._restore()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Put the best weights back."""
        self._restore()

    def state_dict(self) -> dict[str, Any]:
        """Return the scores by epoch and the best weights, for a checkpoint."""
        return {"scores": self.scores, "weights": self._weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` returned."""
        self.scores, self._weights = state_dict["scores"], state_dict["weights"]

    def _restore(self) -> None:
        if self._weights is not None:
            self.module.load_state_dict(self._weights)


class EarlyStopping(LoudEarlyStopping):
    """That of scvi-tools, but it does not print a line for every fit of a training."""

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Print nothing: the progress bar and the history show where a fit ended."""


def early_stopping(patience: int, trainer_kwargs: dict[str, Any]) -> EarlyStopping:
    """Return the callback that ends training when the score no longer rises.

    Made here since scvi-tools' trainer leaves it out where several processes train together; the
    score that they see is the same. Takes scvi-tools' arguments of early stopping out of those of
    the trainer.
    """
    return EarlyStopping(
        monitor=MONITOR,
        mode="max",
        patience=patience,
        min_delta=trainer_kwargs.pop("early_stopping_min_delta", 0.0),
        warmup_epochs=trainer_kwargs.pop("early_stopping_warmup_epochs", 0),
        check_on_train_epoch_end=False,  # an epoch that max_steps cuts short is not validated
    )


def refuse_subprocesses(trainer: pl.Trainer) -> None:
    """Raise a ValueError if what is trained would be left behind in another process."""
    if getattr(trainer.strategy, "_start_method", "popen") != "popen":
        raise ValueError(
            "Several devices cannot be used from a notebook, nor with strategies that spawn or "
            "fork: what is learned would stay in their processes. Train in a script with "
            "strategy='ddp', or with devices=1."
        )


def run(runner: TrainRunner) -> bool:
    """Train, and treat Ctrl-C as an early end: the model is then trained as far as it got.

    Lightning answers Ctrl-C by ending the process, which no notebook wants. Schedulers that end a
    job by SIGTERM do want it.

    Returns
    -------
    Whether training came to its own end.

    Raises
    ------
    SystemExit
        After SIGTERM, with the exit status that a shell gives for it, 143.
    """
    try:
        runner()
    except SIGTERMException as error:
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit:
        if not runner.trainer.interrupted:
            raise
        runner.model.module.eval()
        runner.model.is_trained_ = True
        kept = runner.trainer.callback_metrics.get(MONITOR)
        message = (
            f"Training was interrupted in epoch {runner.trainer.current_epoch + 1}; the model "
            f"keeps the weights of {'that moment' if kept is None else 'its best epoch'}."
        )
        if any(isinstance(callback, FitCheckpoint) for callback in runner.trainer.callbacks):
            message += " Called again with the same arguments, train takes it up."
        warnings.warn(
            message,
            TrainingInterrupted,
            stacklevel=settings.warnings_stacklevel,
        )
        return False
    return True
