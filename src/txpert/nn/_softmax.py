from __future__ import annotations

import torch
from torch import Tensor


def per_head(x: Tensor, alpha: Tensor) -> Tensor:
    """Multiply each head's channels by its weight, in place."""
    n, n_heads = alpha.shape
    x.view(n, n_heads, -1).mul_(alpha[:, :, None])
    return x


def softmax(score: Tensor, local: Tensor, n_nodes: int) -> Tensor:
    """Softmax over the edges into each node."""
    index = local[:, None].expand_as(score)
    top = score.new_full((n_nodes, score.shape[1]), -torch.inf)
    top.scatter_reduce_(0, index, score, "amax")
    weight = (score - top.index_select(0, local)).exp_()
    total = weight.new_zeros(n_nodes, score.shape[1]).index_add_(0, local, weight)
    return weight / total.index_select(0, local)
