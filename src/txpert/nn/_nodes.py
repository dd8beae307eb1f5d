"""Inputs of the encoders: a learned embedding per gene, given features, or both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Nodes:
    """Genes that can be perturbed, and what encoders read of them apart from the graphs.

    Parameters
    ----------
    n
        Number of genes.
    learned
        Whether each gene has a learned embedding.
    features
        Tables of given features, each ``(n, n_features)``, centered; zeros where a gene has none.

    Examples
    --------
    >>> import torch
    >>> import txpert as tx
    >>> features = torch.tensor([[1.0, -0.5], [-1.0, 0.5], [0.0, 0.0]])
    >>> nodes = tx.nn.Nodes(3, features=(features,))
    >>> nodes.has_features().tolist()
    [True, True, False]
    >>> nodes.embedding(8)().shape  # the input of an encoder
    torch.Size([3, 8])

    Without learned embeddings a gene that has no features has nothing:

    >>> nodes.features_only().embedding(8)().any(dim=1).tolist()
    [True, True, False]
    """

    n: int
    learned: bool = True
    features: tuple[Tensor, ...] = ()

    def features_only(self) -> Nodes:
        """Return the same genes without learned embeddings."""
        return replace(self, learned=False)

    def has_features(self) -> Tensor:
        """Return which genes have features, ``(n,)``."""
        found = torch.zeros(self.n, dtype=torch.bool)
        for table in self.features:
            found |= table.any(dim=1)
        return found

    def embedding(self, n_columns: int) -> NodeEmbedding:
        """Return a module whose output, ``(n, n_columns)``, is an encoder's input."""
        return NodeEmbedding(self, n_columns)


class NodeEmbedding(nn.Module):
    r"""Input of the encoders: learned embeddings, linear maps of given features, or their sum.

    .. math:: H = E + \sum_k F_k W_k,

    with learned embeddings :math:`E` and weights :math:`W_k` for each table of features.

    Parameters
    ----------
    nodes
        The nodes.
    n_columns
        Dimensionality of the embedding.

    Raises
    ------
    ValueError
        If there are neither learned embeddings nor features.
    """

    some: nn.Parameter | None
    rows: Tensor | None
    position: Tensor | None

    def __init__(self, nodes: Nodes, n_columns: int) -> None:
        super().__init__()
        if not nodes.learned and not nodes.features:
            raise ValueError(
                "Nodes need learned embeddings or given features: "
                "node_inputs=['learned', features]."
            )
        self.learned = nn.Parameter(torch.empty(nodes.n, n_columns)) if nodes.learned else None
        self.maps = nn.ModuleList(
            nn.Linear(table.shape[1], n_columns, bias=False) for table in nodes.features
        )
        for i, table in enumerate(nodes.features):
            self.register_buffer(f"features_{i}", table, persistent=False)
        self.register_parameter("some", None)
        self.register_buffer("rows", None, persistent=False)
        self.register_buffer("position", None, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reset all learnable parameters."""
        if self.learned is not None:
            nn.init.xavier_uniform_(self.learned)
        for weight in self.maps.parameters():
            nn.init.xavier_uniform_(weight)

    def forward(self, wanted: Tensor | None = None) -> Tensor:
        """Return the inputs of all nodes, or of those wanted, ``(n_nodes, n_columns)``."""
        tables = (getattr(self, f"features_{i}") for i in range(len(self.maps)))
        parts = [
            linear(table if wanted is None else table[wanted])
            for linear, table in zip(self.maps, tables, strict=True)
        ]
        if self.learned is not None:
            parts.append(self._learned(self.learned, wanted))
        return torch.stack(parts).sum(dim=0) if len(parts) > 1 else parts[0]

    def _learned(self, table: nn.Parameter, wanted: Tensor | None) -> Tensor:
        if self.some is not None and self.position is not None:
            if wanted is not None and torch.is_grad_enabled():
                return self.some[self._among_rows(self.position[wanted])]
            self._write_back()
        # A tensor of its own: changing it leaves the parameter alone.
        return table.clone() if wanted is None else table[wanted]

    def _among_rows(self, position: Tensor) -> Tensor:
        if (position < 0).any():
            raise RuntimeError(
                "In training the encoder reads the embedding of a node that it did not read when "
                "all targets in training were wanted: its forward() must read the same nodes for "
                "the same targets. Without the argument wanted it may read any."
            )
        return position

    def narrow(self, rows: Tensor) -> None:
        """Make the learned embeddings of some nodes a parameter of their own, ``some``.

        Those of others are fixed until :meth:`widen`. What is saved stays the same.

        Parameters
        ----------
        rows
            Positions of the nodes, each once. To look others up with a gradient is a
            RuntimeError.
        """
        if self.learned is None:
            return
        self.rows = rows
        self.position = torch.full((len(self.learned),), -1, device=rows.device)
        self.position[rows] = torch.arange(len(rows), device=rows.device)
        self.some = nn.Parameter(self.learned.detach()[rows])
        self.learned.requires_grad_(False)

    def widen(self) -> None:
        """Undo :meth:`narrow`; what was learned since is kept."""
        if self.learned is not None:
            self._write_back()
            self.some, self.rows, self.position = None, None, None
            self.learned.requires_grad_(True)

    def _write_back(self) -> None:
        if self.some is not None and self.learned is not None:
            self.learned.data[self.rows] = self.some.data

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        self._write_back()
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination.pop(f"{prefix}some", None)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, metadata: Any, strict: bool, missing: Any, *more: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, metadata, strict, missing, *more)
        if self.some is not None and self.learned is not None:
            missing[:] = [key for key in missing if key != f"{prefix}some"]
            self.some.data.copy_(self.learned.data[self.rows])
