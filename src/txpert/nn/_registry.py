from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from torch import nn

from ._edges import GraphTensors

ENCODERS: dict[str, type[nn.Module]] = {}
"""Perturbation encoders by the name a user gives."""

EncoderClass = TypeVar("EncoderClass", bound=type[nn.Module])


def register_encoder(name: str) -> Callable[[EncoderClass], EncoderClass]:
    """Make a class available as ``TxPertModel(encoder=name)``.

    The class is a :class:`torch.nn.Module` built by ``Encoder(graphs, n_nodes, n_latent,
    **options)``, where ``graphs`` is a list of :class:`GraphTensors` over the same nodes and
    ``options`` are the user's ``encoder_options``. Its ``forward()`` returns the embeddings of all
    nodes, ``(n_nodes, n_latent)``. What it needs after loading must be in its parameters and
    buffers or follow from the arguments.

    An encoder whose embeddings do not draw on one another along the edges of the graphs has a
    method ``paths()`` that returns the edges along which they do, ``(2, n_edges)``: the model
    gives nodes beyond them the mean embedding.

    Parameters
    ----------
    name
        What users call the encoder.

    Raises
    ------
    ValueError
        If another encoder has that name.

    Examples
    --------
    >>> import torch
    >>> import txpert as tx
    >>> @tx.nn.register_encoder("degree")
    ... class DegreeEncoder(torch.nn.Module):
    ...     def __init__(self, graphs, n_nodes, n_latent):
    ...         super().__init__()
    ...         degree = torch.bincount(tx.nn.join_edges(graphs)[1], minlength=n_nodes)
    ...         self.register_buffer("degree", degree.float()[:, None], persistent=False)
    ...         self.project = torch.nn.Linear(1, n_latent)
    ...
    ...     def forward(self):
    ...         return self.project(self.degree.log1p())
    >>> tx.nn.make_encoder("degree", [], n_nodes=3, n_latent=2)().shape
    torch.Size([3, 2])
    """

    def register(encoder: EncoderClass) -> EncoderClass:
        known = ENCODERS.get(name, encoder)
        # A notebook cell that is run again defines the same class anew.
        if (known.__module__, known.__qualname__) != (encoder.__module__, encoder.__qualname__):
            raise ValueError(
                f"There is an encoder {name!r} already, {known.__qualname__}; take another name."
            )
        ENCODERS[name] = encoder
        return encoder

    return register


def make_encoder(
    name: str,
    graphs: Sequence[GraphTensors],
    n_nodes: int,
    n_latent: int,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build the perturbation encoder called ``name``.

    Raises
    ------
    ValueError
        If no encoder has that name, or it cannot do with the graphs.
    """
    if name not in ENCODERS:
        raise ValueError(
            f"There is no encoder {name!r}; choose from {', '.join(sorted(ENCODERS))}."
        )
    return ENCODERS[name](graphs, n_nodes, n_latent, **(options or {}))
