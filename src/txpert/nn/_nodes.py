from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Nodes:
    """Genes that can be perturbed, and what an encoder may know of each besides the graphs.

    Parameters
    ----------
    n
        Number of genes.
    learned
        Whether each gene has a row of its own to learn.
    features
        Tables of given features, each ``(n, n_features)``, centred; a row of zeros says nothing.
    """

    n: int
    learned: bool = True
    features: tuple[Tensor, ...] = ()

    def given(self) -> Nodes:
        """Return the same genes without rows to learn."""
        return replace(self, learned=False)

    def described(self) -> Tensor:
        """Return which genes have features, ``(n,)``."""
        described = torch.zeros(self.n, dtype=torch.bool)
        for table in self.features:
            described |= table.any(dim=1)
        return described

    def rows(self, n_columns: int) -> NodeRows:
        """Return a module whose output, ``(n, n_columns)``, is an encoder's input."""
        return NodeRows(self, n_columns)


class NodeRows(nn.Module):
    r"""Input rows of the nodes: learned, from given features, or both.

    .. math:: H = E + \sum_k F_k W_k,

    with free rows :math:`E` and a linear map of each table of features.

    Parameters
    ----------
    nodes
        The nodes.
    n_columns
        Length of a row.

    Raises
    ------
    ValueError
        If there is nothing to make rows of.
    """

    def __init__(self, nodes: Nodes, n_columns: int) -> None:
        super().__init__()
        if not nodes.learned and not nodes.features:
            raise ValueError(
                "Nodes need learned rows or given features: node_inputs=['learned', features]."
            )
        self.learned = nn.Parameter(torch.empty(nodes.n, n_columns)) if nodes.learned else None
        self.maps = nn.ModuleList(
            nn.Linear(table.shape[1], n_columns, bias=False) for table in nodes.features
        )
        for i, table in enumerate(nodes.features):
            self.register_buffer(f"features_{i}", table, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        if self.learned is not None:
            nn.init.xavier_uniform_(self.learned)
        for weight in self.maps.parameters():
            nn.init.xavier_uniform_(weight)

    def forward(self, wanted: Tensor | None = None) -> Tensor:
        """Return the rows of all nodes, or of those wanted, ``(n_nodes, n_columns)``."""
        tables = (getattr(self, f"features_{i}") for i in range(len(self.maps)))
        parts = [
            linear(table if wanted is None else table[wanted])
            for linear, table in zip(self.maps, tables, strict=True)
        ]
        if self.learned is not None:
            # A tensor of its own: changing it leaves the parameter alone.
            parts.append(self.learned.clone() if wanted is None else self.learned[wanted])
        return torch.stack(parts).sum(dim=0) if len(parts) > 1 else parts[0]
