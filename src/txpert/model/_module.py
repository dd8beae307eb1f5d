"""The network: basal encoder, perturbation encoder and decoder."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, get_args

import torch
from scvi.module.base import BaseModuleClass, LossOutput, auto_move_data
from torch import Tensor, nn
from torch.nn import functional as F

from txpert.data._controls import Matching
from txpert.nn import Decoder, EncoderConfig, GraphTensors, Nodes
from txpert.nn._combination import CombinationName, make_combination
from txpert.nn._decoder import find_decoder, make_decoder
from txpert.nn._edges import join_edges, reachable
from txpert.nn._mlp import BasalMLP
from txpert.nn._narrowed import narrowed
from txpert.nn._registry import make_encoder
from txpert.nn._similarity import Similarity, delta_similarity

from ._embedded_nodes import EmbeddedNodes
from ._torch_datasets import (
    CONTROL_EMBEDDING,
    CONTROL_PROFILE,
    EXPRESSION,
    MEASURED,
    PERTURBATION,
    WEIGHT,
)

Decoding = Literal["low_rank", "delta", "direct"]
Basal = Literal["mlp", "embedding", "none"]


class TxPertModule(BaseModuleClass):
    r"""Basal encoder, perturbation encoder over knowledge graphs, and decoder.

    With control profile :math:`\bar x`, targets :math:`P` and node embeddings
    :math:`Z = \mathrm{GNN}(G)` the prediction is

    .. math::

        \hat y = g\Big(f(\bar x) + \sum_{p \in P} z_p\Big) \quad\text{("direct")}, \qquad
        \hat y = \bar x + g\Big(\sum_{p \in P} z_p\Big) \quad\text{("delta")},

    with an MLP as decoder :math:`g`; "low_rank" is as "delta", with
    ``LowRankDecoder``.

    A node about which training said nothing (an isolated one that was no training target, say)
    has the mean embedding of the training targets in evaluation mode.

    Parameters
    ----------
    n_genes
        Number of genes predicted.
    graphs
        Graphs over the nodes.
    nodes
        Genes that can be perturbed.
    encoder
        Perturbation encoder, by name or configuration.
    basal
        What the basal encoder :math:`f` reads: the control profile (``"mlp"``) or a precomputed
        ``"embedding"`` of the controls; ``"none"`` leaves it out, the default unless decoding is
        direct.
    n_embedding
        Length of that embedding.
    decoding
        ``"low_rank"``, ``"delta"`` or ``"direct"``.
    combination
        How several targets act together, see ``make_combination``.
    n_latent, n_hidden, dropout
        Sizes of the latent space and the hidden layers, and their dropout.
    control_node
        Add a learned embedding of "control" to every row, perturbed or not.
    mean_control
        Mean control profile, ``(n_genes,)``. Direct decoding starts from it, which saves the
        epochs that learning the level of each gene would take.
    gene_rank
        Rank of each gene's name, ``(n_genes,)``, by default its position. Layers have the genes in
        this order, so that their order in the data decides neither initial weights nor the order
        of summation.
    """

    def __init__(
        self,
        n_genes: int,
        graphs: Sequence[GraphTensors],
        nodes: Nodes,
        *,
        encoder: str | EncoderConfig = "bmp",
        basal: Basal | None = None,
        n_embedding: int = 0,
        decoding: Decoding = "low_rank",
        combination: CombinationName = "sum",
        n_latent: int = 64,
        n_hidden: int = 512,
        dropout: float = 0.2,
        control_node: bool = False,
        mean_control: Tensor | None = None,
        gene_rank: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.reads = default_basal(basal, decoding)
        self.decoding = decoding
        self.n_latent = n_latent
        n_input = {"mlp": n_genes, "embedding": n_embedding, "none": 0}[self.reads]
        self.basal = (
            BasalMLP(n_input, n_latent, n_hidden=n_hidden, dropout=dropout) if n_input else None
        )
        self.control_node = nn.Parameter(torch.zeros(n_latent)) if control_node else None
        self.encoder = make_encoder(encoder, graphs, nodes, n_latent)
        self.combination = make_combination(combination, n_latent)
        self.decoder: Decoder = make_decoder(
            decoding, n_latent, n_genes, n_hidden=n_hidden, dropout=dropout
        )
        in_order = gene_rank is None or bool((gene_rank.diff() == 1).all())
        rank = None if in_order else gene_rank
        self.register_buffer("rank", rank, persistent=False)
        self.register_buffer("by_name", None if rank is None else rank.argsort(), persistent=False)
        if mean_control is not None:
            self.decoder.start_at(self._by_name(mean_control))
        paths: Callable[[], Tensor] | None = getattr(self.encoder, "paths", None)
        edges = paths() if paths is not None else join_edges(graphs)
        self.register_buffer("paths", edges, persistent=False)
        self.register_buffer("described", nodes.has_features(), persistent=False)
        self.register_buffer("trained", torch.zeros(nodes.n, dtype=torch.bool))
        self._known = self.trained.clone(), self.described
        self._last: EmbeddedNodes | None = None
        self._embeds_some = "wanted" in inspect.signature(self.encoder.forward).parameters

    def _by_name(self, values: Tensor) -> Tensor:
        """Bring genes, the last dimension, into the order that layers have them in."""
        return values if self.by_name is None else values.index_select(-1, self.by_name)

    def start_from(self, effects: Tensor) -> None:
        """Give the decoder Δ of the training perturbations, ``(n, n_genes)``."""
        self.decoder.start_from(self._by_name(effects))

    def ignores_batch(self, matching: Matching) -> bool:
        """Return whether all batches of a cell line have the same predicted Δ."""
        return not self.decoder.reads_controls and (
            self.reads == "none" or matching == "cell_line"
        )

    def embed(self, wanted: Tensor | None = None) -> Tensor:
        """Return the embeddings of the nodes, ``(n_nodes, n_latent)``.

        Parameters
        ----------
        wanted
            Positions of the nodes needed. If the encoder can do with some, those of others are
            left undefined.
        """
        if wanted is not None or self.training or torch.is_grad_enabled():
            return self._embed(wanted)
        state = [*self.encoder.state_dict().values(), self.trained]
        if self._last is None or not self._last.holds(self.encoder, state):
            copied = [tensor.clone() for tensor in state]
            self._last = EmbeddedNodes(self.encoder, copied, self._embed(None))
        return self._last.embeddings

    def _embed(self, wanted: Tensor | None) -> Tensor:
        embeddings = self.encoder() if wanted is None else self._embed_some(wanted)
        if self.training or not self.trained.any():
            return embeddings
        mean = embeddings[self.trained].mean(dim=0)
        return torch.where(self._informed()[:, None], embeddings, mean)

    def _embed_some(self, wanted: Tensor) -> Tensor:
        if not self._embeds_some:
            return self.encoder()
        nodes = torch.cat([wanted, self.trained.nonzero().flatten()]).unique()
        some = self.encoder(nodes)
        return some.new_zeros(len(self.trained), some.shape[1]).index_copy(0, nodes, some)

    def narrowed(self) -> AbstractContextManager[None]:
        """Let training update the embeddings that it reads and no others; see ``narrowed``."""
        targets = self.trained.nonzero().flatten()
        if not self._embeds_some or not len(targets):
            return nullcontext()
        return narrowed(self.encoder, targets)

    @torch.inference_mode(mode=False)  # what is kept must do for later gradients
    def _informed(self) -> Tensor:
        """Return which nodes draw on something that training has touched, ``(n_nodes,)``.

        Training touches the rows of its targets and of the nodes upstream of them, and what is
        made of given features.
        """
        trained, informed = self._known
        if trained.device != self.trained.device or not torch.equal(trained, self.trained):
            source, target = self.paths
            touched = reachable(self.trained, target, source)
            informed = reachable(touched | self.described, source, target)
            self._known = self.trained.clone(), informed
        return informed

    def targets(self, embeddings: Tensor, perturbation: Tensor) -> tuple[Tensor, Tensor]:
        """Look up the embeddings of each perturbation's targets.

        Parameters
        ----------
        embeddings
            Of all nodes, ``(n_nodes, n_latent)``.
        perturbation
            Positions of the targets, filled up with ``n_nodes``, ``(n, order)``.

        Returns
        -------
        The embeddings, ``(n, order, n_latent)``, zero where there is no target, and where there
        is one, ``(n, order)``.
        """
        padded = F.pad(embeddings, (0, 0, 0, 1))
        return padded[perturbation], perturbation < len(embeddings)

    def _get_inference_input(self, tensors: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        return {PERTURBATION: tensors[PERTURBATION]}

    @auto_move_data
    def inference(self, perturbation: Tensor) -> dict[str, Tensor]:
        """Return the embeddings of each row's targets; see :meth:`targets`."""
        if self._embeds_some and self.training:
            nodes, position = perturbation.unique(return_inverse=True)
            wanted = nodes[nodes < len(self.trained)]
            targets, present = self.targets(self.encoder(wanted), position)
        else:
            targets, present = self.targets(self.embed(), perturbation)
        return {"targets": targets, "present": present}

    def _get_generative_input(
        self, tensors: dict[str, Tensor], inference_outputs: dict[str, Tensor], **_: Any
    ) -> dict[str, Tensor | None]:
        return {
            CONTROL_PROFILE: tensors[CONTROL_PROFILE],
            CONTROL_EMBEDDING: tensors.get(CONTROL_EMBEDDING),
            **inference_outputs,
        }

    @auto_move_data
    def generative(
        self,
        control_profile: Tensor,
        targets: Tensor,
        present: Tensor,
        control_embedding: Tensor | None = None,
        state: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Predict expression, ``(n, n_genes)``, from controls and targets' embeddings.

        ``state`` is the basal state where it is known already.
        """
        if state is None:
            state = self.basal_state(control_profile, control_embedding)
        decoded = self.decode(state, targets, present)
        reads_controls = self.decoder.reads_controls
        return {"expression": decoded if reads_controls else decoded + control_profile}

    @auto_move_data
    def decode(self, state: Tensor, targets: Tensor, present: Tensor) -> Tensor:
        """Return what the decoder makes of basal states and targets' embeddings.

        Returns
        -------
        Change of the control profiles, ``(n, n_genes)``, or expression if the decoder reads them.
        """
        latent = self.combination(state, targets, present)
        decoded = self.decoder(latent, present.sum(dim=1, keepdim=True))
        return decoded if self.rank is None else decoded.index_select(1, self.rank)

    @auto_move_data
    def basal_state(
        self, control_profile: Tensor, control_embedding: Tensor | None = None
    ) -> Tensor:
        """Return the basal states that controls stand for, ``(n, n_latent)``."""
        if self.basal is None:
            state = control_profile.new_zeros(len(control_profile), self.n_latent)
        elif self.reads == "mlp":
            state = self.basal(self._by_name(control_profile))
        else:
            state = self.basal(control_embedding)
        return state if self.control_node is None else state + self.control_node

    def loss(
        self,
        tensors: dict[str, Tensor],
        inference_outputs: dict[str, Tensor],
        generative_outputs: dict[str, Tensor],
        *,
        similarity: Similarity | None = None,
        similarity_weight: float = 0.0,
    ) -> LossOutput:
        r"""Mean squared error per cell and gene, and optionally dissimilarity of Δ.

        A row that is the mean of :math:`n` cells weighs :math:`n`. Cells of one condition share
        their prediction, so :math:`\sum_i \lVert y_i - \hat y \rVert^2 = n \lVert \bar y - \hat y
        \rVert^2` + constant, and the gradient is that of training on the cells. With
        ``similarity``, the perturbed rows add :math:`\lambda n (1 - r(\hat\Delta, \Delta))`.
        Genes that were not measured in a row have no part in either.
        """
        expression, observed = generative_outputs["expression"], tensors[EXPRESSION]
        measured = tensors.get(MEASURED)
        if measured is not None:
            # What is predicted there is no error, and has no gradient.
            expression = torch.where(measured, expression, tensors[CONTROL_PROFILE])
            observed = torch.where(measured, observed, tensors[CONTROL_PROFILE])
        error = F.mse_loss(expression, observed, reduction="none").mean(dim=1)
        weight = tensors[WEIGHT]
        cost = error
        if similarity is not None:
            control = tensors[CONTROL_PROFILE]
            r = delta_similarity(expression - control, observed - control, similarity)
            cost = error + similarity_weight * (1 - r) * inference_outputs["present"].any(dim=1)
        loss = (weight * cost).sum() / weight.sum()
        return LossOutput(loss=loss, reconstruction_loss=error, n_obs_minibatch=len(error))


def default_basal(basal: Basal | None, decoding: Decoding) -> Basal:
    """Check how a prediction is made; return what the basal encoder reads.

    Raises
    ------
    ValueError
        If a name is unknown, or nothing would tell direct decoding the context.
    """
    reads_controls = find_decoder(decoding).reads_controls
    if basal is None:
        return "mlp" if reads_controls else "none"
    if basal not in get_args(Basal):
        raise ValueError(
            f"basal must be {', '.join(map(repr, get_args(Basal)))} or a trained scvi-tools "
            f"model, not {basal!r}."
        )
    if basal == "none" and reads_controls:
        raise ValueError(
            f"Without a basal encoder nothing tells {decoding} decoding which cells are "
            "perturbed: take another decoding with basal='none'."
        )
    return basal
