from __future__ import annotations

import copy
import warnings
from functools import partial
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from scvi import settings
from scvi.train import LoudEarlyStopping, TrainingPlan, TrainRunner
from torch import Tensor

from txpert.metrics import pearson_delta
from txpert.nn import Similarity

from ._checkpoints import FitCheckpoint
from ._module import TxPertModule
from ._torch_datasets import CONTROL_PROFILE, GROUP, PERTURBATION, WEIGHT

MONITOR = "pearson_delta_validation"


class TxPertTrainingPlan(TrainingPlan):
    """AdamW on the module's loss, validated by Pearson Δ.

    Logs ``train_loss``, ``validation_loss`` and ``pearson_delta_validation``: the mean over
    validation perturbations of the correlation between predicted and observed Δ, each averaged
    over the batches of a cell line by numbers of cells.

    Parameters
    ----------
    module
        The module to train.
    validation_delta
        Observed Δ of each perturbation × cell line of the validation set, ``(n_groups,
        n_genes)``.
    validation_nodes
        Nodes that these perturbations target.
    lr, weight_decay
        Of AdamW.
    warmup_steps
        Steps over which the learning rate rises linearly from 0.
    similarity, similarity_weight
        Add ``"cosine"`` or ``"pearson"`` dissimilarity of Δ to the squared error, times this
        weight (see :meth:`TxPertModule.loss`). Squared errors are often below 0.01.
    """

    def __init__(
        self,
        module: TxPertModule,
        *,
        validation_delta: Tensor,
        validation_nodes: Tensor,
        lr: float = 2e-3,
        weight_decay: float = 0.0,
        warmup_steps: int = 50,
        similarity: Similarity | None = None,
        similarity_weight: float = 0.01,
        **kwargs: Any,
    ) -> None:
        adamw = partial(torch.optim.AdamW, lr=lr, weight_decay=weight_decay, fused=True)
        super().__init__(module, optimizer="Custom", optimizer_creator=adamw, **kwargs)
        constant = set(dict(self.named_buffers())) - set(self.state_dict())
        self._ddp_params_and_buffers_to_ignore = sorted(constant)
        self.validation_delta = validation_delta.numpy()
        self.validation_nodes = validation_nodes
        self.warmup_steps = warmup_steps
        if similarity is not None:
            self.loss_kwargs |= {
                "similarity": similarity,
                "similarity_weight": similarity_weight,
            }

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a minibatch.

        Where several processes train together, it is multiplied by the weight of this process'
        rows over their mean weight, so that the mean of the gradients is that of all rows.
        """
        output = self.module(batch, loss_kwargs=self.loss_kwargs)[2]
        weight = batch[WEIGHT].sum()
        total = self.trainer.strategy.reduce(weight.clone(), reduce_op="sum")
        loss = output.loss * (weight * self.trainer.world_size / total)
        self.log(
            "train_loss",
            loss,
            on_step=False,
            on_epoch=True,
            prog_bar=True,
            batch_size=int(total),
            sync_dist=self.use_sync_dist,
        )
        return loss

    def on_validation_epoch_start(self) -> None:
        """Run the encoder once for all validation batches."""
        self._embeddings = self.module.embed(self.validation_nodes.to(self.device))
        self._delta_sum = torch.zeros(self.validation_delta.shape, device=self.device)
        self._n_cells = torch.zeros(len(self.validation_delta), device=self.device)

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Collect the predicted Δ of a minibatch by perturbation and cell line."""
        targets, present = self.module.targets(self._embeddings, batch[PERTURBATION])
        inferred = {"targets": targets, "present": present}
        predicted = self.module.generative(**self.module._get_generative_input(batch, inferred))
        loss = self.module.loss(batch, inferred, predicted, **self.loss_kwargs).loss
        weight = batch[WEIGHT]
        self.log("validation_loss", loss, on_epoch=True, batch_size=int(weight.sum()))
        delta = predicted["expression"] - batch[CONTROL_PROFILE]
        self._delta_sum.index_add_(0, batch[GROUP], weight[:, None] * delta)
        self._n_cells.index_add_(0, batch[GROUP], weight)

    def on_validation_epoch_end(self) -> None:
        """Log the mean Pearson Δ over the validation perturbations."""
        predicted = (self._delta_sum / self._n_cells[:, None]).cpu().numpy()
        score = np.nanmean(pearson_delta(predicted, self.validation_delta))
        self.log(MONITOR, float(score), prog_bar=True, sync_dist=self.use_sync_dist)
        del self._embeddings, self._delta_sum, self._n_cells

    def configure_optimizers(self) -> dict[str, Any]:
        """Return AdamW with a linear warm-up."""
        config = super().configure_optimizers()
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            config["optimizer"], lambda step: min(1.0, (step + 1) / self.warmup_steps)
        )
        return config | {"lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


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


def early_stopping(patience: int, trainer_kwargs: dict[str, Any]) -> LoudEarlyStopping:
    """Return the callback that ends training when the score no longer rises.

    Made here since scvi-tools' trainer leaves it out where several processes train together; the
    score that they see is the same. Takes scvi-tools' arguments of early stopping out of those of
    the trainer.
    """
    return LoudEarlyStopping(
        monitor=MONITOR,
        mode="max",
        patience=patience,
        min_delta=trainer_kwargs.pop("early_stopping_min_delta", 0.0),
        warmup_epochs=trainer_kwargs.pop("early_stopping_warmup_epochs", 0),
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

    Lightning answers Ctrl-C by ending the process, which no notebook wants.

    Returns
    -------
    Whether training came to its own end.
    """
    try:
        runner()
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
            UserWarning,
            stacklevel=settings.warnings_stacklevel,
        )
        return False
    return True
