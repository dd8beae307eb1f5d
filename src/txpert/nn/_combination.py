"""How the embeddings of several targets combine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ._mlp import node_mlp

CombinationName = Literal["sum", "interaction", "sequential"]


class SumCombination(nn.Module):
    r"""Add the embeddings of all targets to the basal state, :math:`s + \sum_{p \in P} z_p`."""

    def forward(self, state: Tensor, targets: Tensor, present: Tensor) -> Tensor:
        """Return perturbed states, ``(n, n_latent)``.

        Parameters
        ----------
        state
            Basal states, ``(n, n_latent)``.
        targets
            Embeddings of each row's targets, ``(n, order, n_latent)``; zero where there is none.
        present
            Where there is one, ``(n, order)``.
        """
        return state + targets.sum(dim=1)


class InteractionCombination(nn.Module):
    r"""Add a term for every pair of targets to their sum.

    .. math:: s + \sum_{p \in P} z_p + W \sum_{\{p, q\} \subseteq P} z_p \odot z_q

    The order of the targets does not count, and single perturbations are as in the sum. The term
    starts at zero and learns from combinations in training.

    Parameters
    ----------
    n_latent
        Dimensionality of the embeddings.
    """

    def __init__(self, n_latent: int) -> None:
        super().__init__()
        self.pair = nn.Linear(n_latent, n_latent, bias=False)
        nn.init.zeros_(self.pair.weight)

    def forward(self, state: Tensor, targets: Tensor, present: Tensor) -> Tensor:
        """Return perturbed states; see :meth:`SumCombination.forward`."""
        total = targets.sum(dim=1)
        pairs = (total.square() - targets.square().sum(dim=1)) / 2
        return state + total + self.pair(pairs)


class SequentialCombination(nn.Module):
    r"""Perturb the state by one target after the other (the paper's generalization).

    .. math:: T(s, z) = s + z + \mathrm{MLP}(s \oplus z)

    The transition depends on the order. The mean over the targets' order and its reverse is
    taken, which no longer does for pairs; of three and more, whose targets come in alphabetical
    order, other orders are not looked at. The MLP starts at zero, where the result is the sum.

    Parameters
    ----------
    n_latent
        Dimensionality of the embeddings.
    n_hidden
        Number of nodes in the MLP's hidden layer.
    """

    def __init__(self, n_latent: int, *, n_hidden: int = 128) -> None:
        super().__init__()
        self.mlp = node_mlp(2 * n_latent, n_hidden, n_latent, dropout=0.0)
        for parameter in self.mlp[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, state: Tensor, targets: Tensor, present: Tensor) -> Tensor:
        """Return perturbed states; see :meth:`SumCombination.forward`."""
        order = targets.shape[1]
        forth = self._in_turn(state, targets, present, range(order))
        if order == 1:
            return forth
        back = self._in_turn(state, targets, present, reversed(range(order)))
        return (forth + back) / 2

    def _in_turn(
        self, state: Tensor, targets: Tensor, present: Tensor, steps: Iterable[int]
    ) -> Tensor:
        for i in steps:
            z = targets[:, i]
            moved = state + z + self.mlp(torch.cat([state, z], dim=1))
            state = torch.where(present[:, i, None], moved, state)
        return state


def make_combination(name: CombinationName, n_latent: int) -> nn.Module:
    """Build the combination of that name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name == "sum":
        return SumCombination()
    if name == "interaction":
        return InteractionCombination(n_latent)
    if name == "sequential":
        return SequentialCombination(n_latent)
    raise ValueError(
        f"There is no combination {name!r}; choose from {', '.join(get_args(CombinationName))}."
    )
