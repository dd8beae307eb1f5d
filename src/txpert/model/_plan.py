"""The training plan: AdamW on the module's loss, validated by Pearson Δ."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from scvi.train import TrainingPlan
from torch import Tensor

from txpert._types import FloatArray
from txpert.metrics import pearson_delta
from txpert.nn._similarity import Similarity

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
        Learning rate and weight decay of AdamW, or of the ``optimizer`` among ``kwargs``.
    warmup_steps
        Steps over which the learning rate rises linearly from 0; with 0 it does not.
    similarity, similarity_weight
        Add ``"cosine"`` or ``"pearson"`` dissimilarity of Δ to the squared error, times this
        weight (see :meth:`TxPertModule.loss`). Squared errors are often below 0.01.
    eps
        Added to the denominator of the optimizer; by default PyTorch's 1e-8, or scvi-tools' 0.01
        with an ``optimizer`` among ``kwargs``.
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
        eps: float | None = None,
        **kwargs: Any,
    ) -> None:
        rates: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay}
        rates |= {} if eps is None else {"eps": eps}
        if kwargs.get("optimizer", "Custom") == "Custom":
            adamw = partial(torch.optim.AdamW, fused=True, **rates)
            creator = kwargs.get("optimizer_creator") or adamw
            kwargs = {**kwargs, "optimizer": "Custom", "optimizer_creator": creator}
        super().__init__(module, **rates, **kwargs)
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
        observed = self.validation_delta
        if np.isnan(observed).any():
            predicted, observed = _over_measured(predicted, observed)
        score = np.nanmean(pearson_delta(predicted, observed))
        self.log(MONITOR, float(score), prog_bar=True, sync_dist=self.use_sync_dist)
        del self._embeddings, self._delta_sum, self._n_cells

    def configure_optimizers(self) -> dict[str, Any]:
        """Return AdamW with a linear warm-up."""
        config = super().configure_optimizers()
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            config["optimizer"], WarmUp(self.warmup_steps)
        )
        return config | {"lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _over_measured(predicted: FloatArray, observed: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give genes not measured (NaN) the mean of their row: they have no part in a correlation."""
    measured = np.isfinite(observed)
    number = np.maximum(measured.sum(axis=1, keepdims=True), 1)

    def level(values: FloatArray) -> FloatArray:
        mean = np.where(measured, values, 0).sum(axis=1, keepdims=True) / number
        return np.where(measured, values, mean)

    return level(predicted), level(observed)


@dataclass(frozen=True)
class WarmUp:
    """Factor of the learning rate at each step; no lambda, so that a trained model is pickled."""

    steps: int

    def __call__(self, step: int) -> float:
        """Return a number that rises linearly to 1."""
        return min(1.0, (step + 1) / max(1, self.steps))
