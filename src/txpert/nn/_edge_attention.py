"""Dot-product attention with edge features, computed block by block."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.utils import softmax

from ._gatv2 import weight_bias
from ._messages import in_float32, per_head
from ._provenance import ProvenanceEdges


class EdgeAttention(nn.Module):
    r"""Dot-product attention over incoming edges, with edge features in the product.

    .. math::

        e_{ji}^k = \frac{1}{\sqrt d} \sum_{c=1}^d (W_K h_j)_c\, (W_Q h_i)_c\, (W_E p_{ji})_c
        + b_k^\top p_{ji} \;[+\, \beta_k \log w_{ji}], \quad
        \alpha_{ji}^k = \operatorname{softmax}_j e_{ji}^k, \quad
        h_i' = \bigoplus_k \sum_j \alpha_{ji}^k (W_V h_j)_k,

    where :math:`p_{ji}` is the multi-hot provenance of edge :math:`j \to i` (Shirzad et al., ICML
    2023, arXiv:2303.06147), and :math:`w_{ji}` its weight, where weights are used. Works through
    target nodes a block at a time, like :class:`GATv2Layer`.

    Parameters
    ----------
    width
        Dimensionality of a node's input and output.
    n_heads
        Number of heads, a divisor of the width.
    n_kinds
        Dimensionality of an edge's provenance.
    weighted
        Use the weights of the edges.
    """

    def __init__(self, width: int, n_heads: int, n_kinds: int, *, weighted: bool = False) -> None:
        super().__init__()
        self.scale = (width // n_heads) ** -0.5
        self.key = nn.Linear(width, width)
        self.query = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.feature = nn.Linear(n_kinds, width)
        self.bias = nn.Linear(n_kinds, n_heads, bias=False)
        self.exponent = nn.Parameter(torch.empty(n_heads)) if weighted else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reset all learnable parameters."""
        for linear in (self.key, self.query, self.value, self.feature, self.bias):
            linear.reset_parameters()
        if self.exponent is not None:
            nn.init.zeros_(self.exponent)

    def forward(self, h: Tensor, edges: ProvenanceEdges) -> Tensor:
        """Map node features to node features, ``(n_nodes, width)``."""
        bias = self.bias(edges.provenance).index_select(0, edges.pattern)
        by_weight = weight_bias(self.exponent, edges.all())
        return in_float32(
            _Attend.apply,
            self.key(h),
            self.query(h) * self.scale,
            self.value(h),
            self.feature(edges.provenance),
            bias if by_weight is None else bias + by_weight,
            edges,
        )


class _Attend(torch.autograd.Function):
    """Attention over incoming edges; ``feature`` has a row per pattern, ``bias`` per edge."""

    @staticmethod
    def forward(
        ctx: Any,
        key: Tensor,
        query: Tensor,
        value: Tensor,
        feature: Tensor,
        bias: Tensor,
        edges: ProvenanceEdges,
    ) -> Tensor:
        n_heads = bias.shape[1]
        out = torch.zeros_like(value)
        attention = value.new_empty(len(edges.source), n_heads)
        for nodes, incoming in edges.all().blocks():
            origin, pattern = edges.source[incoming], edges.pattern[incoming]
            local = edges.target[incoming] - nodes.start
            product = key.index_select(0, origin).mul_(feature.index_select(0, pattern))
            product.mul_(query[nodes].index_select(0, local))
            score = product.view(len(origin), n_heads, -1).sum(-1)
            score += bias[incoming]
            alpha = softmax(score, local, num_nodes=nodes.stop - nodes.start)
            attention[incoming] = alpha
            out[nodes].index_add_(0, local, per_head(value.index_select(0, origin), alpha))
        ctx.save_for_backward(key, query, value, feature, attention)
        ctx.edges = edges
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        key, query, value, feature, attention = ctx.saved_tensors
        edges: ProvenanceEdges = ctx.edges
        n_heads = attention.shape[1]
        grads = [torch.zeros_like(x) for x in (key, query, value, feature)]
        grad_key, grad_query, grad_value, grad_feature = grads
        grad_bias = torch.empty_like(attention)
        for nodes, incoming in edges.all().blocks():
            origin, pattern = edges.source[incoming], edges.pattern[incoming]
            local = edges.target[incoming] - nodes.start
            alpha = attention[incoming]
            g = grad[nodes].index_select(0, local)
            v = value.index_select(0, origin)
            grad_alpha = v.mul_(g).view(len(v), n_heads, -1).sum(-1) * alpha
            total = grad_alpha.new_zeros(nodes.stop - nodes.start, n_heads)
            total.index_add_(0, local, grad_alpha)
            grad_score = grad_alpha - alpha * total.index_select(0, local)
            grad_value.index_add_(0, origin, per_head(g, alpha))
            grad_bias[incoming] = grad_score
            k = key.index_select(0, origin)
            q = per_head(query[nodes].index_select(0, local), grad_score)
            e = feature.index_select(0, pattern)
            grad_feature.index_add_(0, pattern, k * q)
            grad_key.index_add_(0, origin, q.mul_(e))
            grad_query[nodes].index_add_(0, local, per_head(k.mul_(e), grad_score))
        return *grads, grad_bias, None
