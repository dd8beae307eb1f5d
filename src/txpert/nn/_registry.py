"""The registry of perturbation encoders, and how a user chooses one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import nn

from txpert._options import check_flag, check_number, check_whole
from txpert._registry import add_entry, first_line

from ._edges import GraphTensors
from ._entries import Entry
from ._nodes import Nodes

ENCODERS: dict[str, Entry[nn.Module]] = {}
"""Perturbation encoders by the name that ``TxPertModel(encoder=...)`` takes."""

_LEAST = {
    "n_input": 1,
    "n_hidden": 1,
    "n_layers": 1,
    "n_heads": 1,
    "n_channels": 1,
    "n_queries": 1,
    "n_hops": 0,
    "n_cycles": 0,
    "seed": 0,
}
"""Smallest value of options of the package's encoders that are whole numbers."""
_FLAGS = frozenset({"activate_output", "edge_weights", "local", "refined"})

EncoderClass = TypeVar("EncoderClass", bound=type[nn.Module])


def register_encoder(
    name: str,
    *,
    description: str = "",
    reference: str = "",
    multi_graph: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Callable[[EncoderClass], EncoderClass]:
    """Make a class available as ``TxPertModel(encoder=name)``.

    The class is a :class:`torch.nn.Module` built by ``Encoder(graphs, nodes, n_latent,
    **options)``, where ``graphs`` is a list of :class:`GraphTensors`, ``nodes`` the genes
    (:class:`Nodes`; ``nodes.embedding(n)`` makes its input) and ``options`` those of the user's
    :class:`EncoderConfig`. Its ``forward()`` returns the embeddings of all nodes,
    ``(n_nodes, n_latent)``. What it needs after loading must be in its parameters and buffers or
    follow from the arguments.

    If ``forward`` has an argument ``wanted``, training passes it the nodes of a minibatch,
    sorted and each once, and takes their embeddings only, ``(n_wanted, n_latent)``. It then
    reads the same nodes for the same targets each time: others are not trained.

    An encoder whose embeddings do not draw on one another along the edges of the graphs has a
    method ``paths()`` that returns the edges along which they do, ``(2, n_edges)``: the model
    gives nodes beyond them the mean embedding.

    Parameters
    ----------
    name
        Name of the encoder.
    description
        What it is, in one line; by default the first line of the class's docstring.
    reference
        Publication, as a DOI or an arXiv number.
    multi_graph
        Whether the encoder tells its graphs apart; others take their union.
    options
        Keyword arguments that the name stands for, where it is a preset of the class.

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
    ...     def __init__(self, graphs, nodes, n_latent):
    ...         super().__init__()
    ...         degree = torch.bincount(tx.nn.join_edges(graphs)[1], minlength=nodes.n)
    ...         self.register_buffer("degree", degree.float()[:, None], persistent=False)
    ...         self.project = torch.nn.Linear(1, n_latent)
    ...
    ...     def forward(self):
    ...         return self.project(self.degree.log1p())
    >>> make_encoder("degree", [], tx.nn.Nodes(3), n_latent=2)().shape
    torch.Size([3, 2])
    """

    def register(encoder: EncoderClass) -> EncoderClass:
        told = description or first_line(encoder)
        entry: Entry[nn.Module] = Entry(encoder, told, reference, multi_graph, options or {})
        add_entry(ENCODERS, name, entry, kind="encoder")
        return encoder

    return register


@dataclass(frozen=True)
class EncoderConfig:
    """A perturbation encoder with options: ``TxPertModel(encoder=EncoderConfig(...))``.

    Parameters
    ----------
    name
        Name of the encoder.
    options
        Keyword arguments of the encoder.

    Raises
    ------
    ValueError
        If there is no such encoder or it has no such option, or the value of an option of one of
        the package's encoders makes no sense.
    TypeError
        If the options are no dictionary.

    Examples
    --------
    >>> EncoderConfig("gat", {"n_layers": 2})
    EncoderConfig(name='gat', options={'n_layers': 2})
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in ENCODERS:
            raise ValueError(
                f"There is no encoder {self.name!r}; choose from {', '.join(sorted(ENCODERS))}."
            )
        if not isinstance(self.options, Mapping):
            raise TypeError(f"options is a dictionary of options by name, not {self.options!r}.")
        unknown = [option for option in self.options if not self._takes(option)]
        if unknown:
            known = ", ".join(self._parameters()) or "none"
            raise ValueError(
                f"Encoder {self.name!r} has no option {unknown[0]!r}; it has: {known}."
            )
        if ENCODERS[self.name].cls.__module__.startswith(f"{__package__}."):
            for option, value in self.options.items():
                _check_option(option, value)

    @classmethod
    def of(cls, encoder: str | EncoderConfig | Mapping[str, Any]) -> EncoderConfig:
        """Return the configuration that a name, a configuration or its dictionary stands for."""
        if isinstance(encoder, Mapping):
            if "name" not in encoder or not set(encoder) <= {"name", "options"}:
                raise ValueError(
                    "encoder as a dictionary is {'name': ..., 'options': {...}}, not "
                    f"{dict(encoder)!r}."
                )
            return cls(**encoder)
        if not isinstance(encoder, str | EncoderConfig):
            raise TypeError(
                f"encoder is the name of one, such as 'gat', or an EncoderConfig, not {encoder!r}."
            )
        return cls(encoder) if isinstance(encoder, str) else encoder

    def to_dict(self) -> dict[str, Any]:
        """Return name and options, for saving."""
        return {"name": self.name, "options": dict(self.options)}

    def seeded(self, seed: int) -> EncoderConfig:
        """Return the configuration with a seed, if the encoder takes one and none is given."""
        if "seed" in self.options or not self._takes("seed"):
            return self
        return EncoderConfig(self.name, {**self.options, "seed": seed})

    def _parameters(self) -> dict[str, inspect.Parameter]:
        """Return the encoder's keyword arguments, after graphs, nodes and n_latent."""
        parameters = list(inspect.signature(ENCODERS[self.name].cls).parameters.items())
        return dict(parameters[3:])

    def _takes(self, option: str) -> bool:
        return option in self._parameters()


def _check_option(option: str, value: Any) -> None:
    name = f"The encoder's option {option}"
    if option in _LEAST:
        check_whole(name, value, least=_LEAST[option])
    elif option in _FLAGS:
        check_flag(name, value)
    elif option == "dropout":
        check_number(name, value, least=0)
        if value >= 1:
            raise ValueError(f"{name} must be below 1, not {value!r}.")


def make_encoder(
    encoder: str | EncoderConfig, graphs: Sequence[GraphTensors], nodes: Nodes, n_latent: int
) -> nn.Module:
    """Build a perturbation encoder.

    Raises
    ------
    ValueError
        If there is no such encoder, or it cannot do with the graphs or the nodes.
    """
    config = EncoderConfig.of(encoder)
    entry = ENCODERS[config.name]
    return entry.cls(graphs, nodes, n_latent, **{**entry.options, **config.options})
