"""Neural networks: perturbation encoders over graphs, decoders, combinations of targets."""

from . import (  # noqa: F401 (each registers itself)
    _bmp,
    _exphormer,
    _gat,
    _gat_hybrid,
    _gat_mlg,
    _gcn,
    _without_graphs,
)
from ._decoder import Decoder, register_decoder
from ._edges import GraphTensors, join_edges
from ._nodes import Nodes
from ._registry import EncoderConfig, register_encoder
from ._show import show

__all__ = [
    "Decoder",
    "EncoderConfig",
    "GraphTensors",
    "Nodes",
    "join_edges",
    "register_decoder",
    "register_encoder",
    "show",
]
