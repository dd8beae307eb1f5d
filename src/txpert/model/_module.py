from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from scvi.module.base import BaseModuleClass, LossOutput, auto_move_data
from torch import Tensor
from torch.nn import functional as F

from txpert.data import CONTROL_PROFILE, EXPRESSION, PERTURBATION, WEIGHT
from txpert.nn import BasalMLP, Decoder, GraphTensors, join_edges, make_encoder, reachable

Decoding = Literal["direct", "delta"]


class TxPertModule(BaseModuleClass):
    r"""Basal encoder, perturbation encoder over knowledge graphs, and decoder.

    With control profile :math:`\bar x`, targets :math:`P` and node embeddings
    :math:`Z = \mathrm{GNN}(G)` the prediction is

    .. math::

        \hat y = g\Big(f(\bar x) + \sum_{p \in P} z_p\Big) \quad\text{("direct")}, \qquad
        \hat y = \bar x + g\Big(\sum_{p \in P} z_p\Big) \quad\text{("delta")}.

    A node about which training said nothing (an isolated one that was no training target, say)
    has the mean embedding of the training targets in evaluation mode.

    Parameters
    ----------
    n_genes
        Number of genes predicted.
    graphs
        Graphs over the nodes.
    n_nodes
        Number of genes that can be perturbed.
    encoder, encoder_options
        Name of the perturbation encoder and its keyword arguments.
    decoding
        ``"direct"`` or ``"delta"``.
    n_latent, n_hidden, dropout
        Sizes of the latent space and the hidden layers, and their dropout.
    mean_control
        Mean control profile, ``(n_genes,)``. Direct decoding starts from it, which saves the
        epochs that learning the level of each gene would take.
    """

    def __init__(
        self,
        n_genes: int,
        graphs: Sequence[GraphTensors],
        n_nodes: int,
        *,
        encoder: str = "gat",
        encoder_options: Mapping[str, Any] | None = None,
        decoding: Decoding = "direct",
        n_latent: int = 64,
        n_hidden: int = 512,
        dropout: float = 0.2,
        mean_control: Tensor | None = None,
    ) -> None:
        super().__init__()
        if decoding not in ("direct", "delta"):
            raise ValueError(f"decoding must be 'direct' or 'delta', not {decoding!r}.")
        self.basal = (
            BasalMLP(n_genes, n_latent, n_hidden=n_hidden, dropout=dropout)
            if decoding == "direct"
            else None
        )
        self.encoder = make_encoder(encoder, graphs, n_nodes, n_latent, encoder_options)
        self.decoder = Decoder(n_latent, n_genes, n_hidden=n_hidden, dropout=dropout)
        if decoding == "direct" and mean_control is not None:
            self.decoder.start_from(mean_control)
        paths: Callable[[], Tensor] | None = getattr(self.encoder, "paths", None)
        edges = paths() if paths is not None else join_edges(graphs)
        self.register_buffer("paths", edges, persistent=False)
        self.register_buffer("trained", torch.zeros(n_nodes, dtype=torch.bool))

    def embed(self) -> Tensor:
        """Return the embeddings of all nodes, ``(n_nodes, n_latent)``."""
        embeddings = self.encoder()
        if self.training or not self.trained.any():
            return embeddings
        mean = embeddings[self.trained].mean(dim=0)
        return torch.where(self._informed()[:, None], embeddings, mean)

    def _informed(self) -> Tensor:
        """Return which nodes draw on an input row that training has touched, ``(n_nodes,)``.

        Training touches the rows of its targets and of the nodes upstream of them.
        """
        source, target = self.paths
        touched = reachable(self.trained, target, source)
        return reachable(touched, source, target)

    @staticmethod
    def combine(embeddings: Tensor, perturbation: Tensor) -> Tensor:
        """Sum the embeddings of each perturbation's targets.

        Parameters
        ----------
        embeddings
            Of all nodes, ``(n_nodes, n_latent)``.
        perturbation
            Positions of the targets, filled up with ``n_nodes``, ``(n, order)``.

        Returns
        -------
        Perturbation effects in the latent space, ``(n, n_latent)``; zero for controls.
        """
        padded = F.pad(embeddings, (0, 0, 0, 1))
        return padded[perturbation].sum(dim=1)

    def _get_inference_input(self, tensors: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        return {PERTURBATION: tensors[PERTURBATION]}

    @auto_move_data
    def inference(self, perturbation: Tensor) -> dict[str, Tensor]:
        """Return the latent effect of each row's perturbation."""
        return {"effect": self.combine(self.embed(), perturbation)}

    def _get_generative_input(
        self, tensors: dict[str, Tensor], inference_outputs: dict[str, Tensor], **_: Any
    ) -> dict[str, Tensor]:
        return {CONTROL_PROFILE: tensors[CONTROL_PROFILE], "effect": inference_outputs["effect"]}

    @auto_move_data
    def generative(self, control_profile: Tensor, effect: Tensor) -> dict[str, Tensor]:
        """Predict expression, ``(n, n_genes)``, from control profiles and latent effects."""
        if self.basal is None:
            return {"expression": control_profile + self.decoder(effect)}
        return {"expression": self.decoder(self.basal(control_profile) + effect)}

    def loss(
        self,
        tensors: dict[str, Tensor],
        inference_outputs: dict[str, Tensor],
        generative_outputs: dict[str, Tensor],
    ) -> LossOutput:
        r"""Mean squared error per cell and gene.

        A row that is the mean of :math:`n` cells weighs :math:`n`. Cells of one condition share
        their prediction, so :math:`\sum_i \lVert y_i - \hat y \rVert^2 = n \lVert \bar y - \hat y
        \rVert^2` + constant, and the gradient is that of training on the cells.
        """
        error = F.mse_loss(
            generative_outputs["expression"], tensors[EXPRESSION], reduction="none"
        ).mean(dim=1)
        weight = tensors[WEIGHT]
        loss = (weight * error).sum() / weight.sum()
        return LossOutput(loss=loss, reconstruction_loss=error, n_obs_minibatch=len(error))
