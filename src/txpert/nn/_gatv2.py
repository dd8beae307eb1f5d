"""The GATv2 layer, computed block by block.

``torch_geometric.nn.GATv2Conv`` takes 3.3 times as long, and features of all edges in memory
(``benchmarks/libraries.py``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.utils import softmax

from ._edges import Hop
from ._messages import in_float32, per_head

_SLOPE = 0.2
"""Negative slope of the LeakyReLU within GATv2's score."""


class GATv2Layer(nn.Module):
    r"""Graph attention with dynamic scores (GATv2), heads concatenated.

    .. math::

        e_{ji} = a^\top \mathrm{LeakyReLU}(W_s h_j + W_t h_i), \quad
        \alpha_{ji} = \operatorname{softmax}_j e_{ji}, \quad
        h_i' = \sum_j \alpha_{ji} W_s h_j + b

    (Brody et al., ICLR 2022, arXiv:2105.14491). With ``weighted``, :math:`e_{ji}` gains
    :math:`\beta \log w_{ji}` with a learned :math:`\beta` per head, so that attention may follow
    the edges' weights :math:`w`. It computes what :class:`torch_geometric.nn.GATv2Conv` does, a
    block of target nodes at a time: features of edges are made, used and dropped while they are
    in the cache, and made again in the backward pass, so none is kept for all edges at once.

    Parameters
    ----------
    n_in
        Dimensionality of a node's input.
    n_channels, n_heads
        Channels of each head, and their number; the output has ``n_heads * n_channels``.
    weighted
        Use the weights of the edges.
    """

    def __init__(
        self, n_in: int, n_channels: int, n_heads: int, *, weighted: bool = False
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        width = n_heads * n_channels
        self.from_source = nn.Linear(n_in, width)
        self.from_target = nn.Linear(n_in, width)
        self.attention = nn.Parameter(torch.empty(n_heads, n_channels))
        self.exponent = nn.Parameter(torch.empty(n_heads)) if weighted else None
        self.bias = nn.Parameter(torch.empty(width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reset all learnable parameters (Glorot, as in PyTorch Geometric)."""
        for linear in (self.from_source, self.from_target):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        nn.init.xavier_uniform_(self.attention)
        nn.init.zeros_(self.bias)
        if self.exponent is not None:
            nn.init.zeros_(self.exponent)

    def forward(self, h: Tensor, hop: Hop) -> Tensor:
        """Map node features ``(n_needed, n_in)`` to ``(n_nodes, n_heads * n_channels)``."""
        attended = in_float32(
            _Attend.apply,
            self.from_source(h),
            self.from_target(h if hop.needed is None else h.index_select(0, hop.own)),
            torch.block_diag(*self.attention).T,
            weight_bias(self.exponent, hop),
            hop,
        )
        return attended + self.bias


def weight_bias(exponent: Tensor | None, hop: Hop) -> Tensor | None:
    """Return what the weights of the edges add to their scores, ``(n_edges, n_heads)``."""
    if exponent is None or hop.log_weight is None:
        return None
    return hop.log_weight[:, None] * exponent


class _Attend(torch.autograd.Function):
    """Attention over incoming edges; ``score``, ``(width, n_heads)``, maps features to heads."""

    @staticmethod
    def forward(
        ctx: Any, source: Tensor, target: Tensor, score: Tensor, bias: Tensor | None, edges: Hop
    ) -> Tensor:
        n_heads = score.shape[1]
        out = torch.zeros_like(target)
        attention = source.new_empty(len(edges.source), n_heads)
        for nodes, incoming in edges.blocks():
            local = edges.target[incoming] - nodes.start
            x = source.index_select(0, edges.source[incoming])
            s = target[nodes].index_select(0, local).add_(x)
            e = F.leaky_relu_(s, _SLOPE) @ score
            if bias is not None:
                e += bias[incoming]
            alpha = softmax(e, local, num_nodes=nodes.stop - nodes.start)
            attention[incoming] = alpha
            out[nodes].index_add_(0, local, per_head(x, alpha))
        ctx.save_for_backward(source, target, score, attention)
        ctx.edges = edges
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        source, target, score, attention = ctx.saved_tensors
        edges: Hop = ctx.edges
        n_heads = score.shape[1]
        grad_source, grad_target, grad_score = map(torch.zeros_like, (source, target, score))
        grad_bias = torch.empty_like(attention) if ctx.needs_input_grad[3] else None
        for nodes, incoming in edges.blocks():
            origin = edges.source[incoming]
            local = edges.target[incoming] - nodes.start
            alpha = attention[incoming]
            x = source.index_select(0, origin)
            g = grad[nodes].index_select(0, local)
            s = target[nodes].index_select(0, local).add_(x)
            grad_alpha = x.mul_(g).view(len(x), n_heads, -1).sum(-1) * alpha
            total = grad_alpha.new_zeros(nodes.stop - nodes.start, n_heads)
            total.index_add_(0, local, grad_alpha)
            grad_e = grad_alpha - alpha * total.index_select(0, local)
            if grad_bias is not None:
                grad_bias[incoming] = grad_e
            grad_score += F.leaky_relu(s, _SLOPE).T @ grad_e
            grad_s = torch.ops.aten.leaky_relu_backward(grad_e @ score.T, s, _SLOPE, False)
            grad_target[nodes].index_add_(0, local, grad_s)
            grad_source.index_add_(0, origin, grad_s.add_(per_head(g, alpha)))
        return grad_source, grad_target, grad_score, grad_bias, None
