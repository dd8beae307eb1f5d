from ._basal import BasalMLP
from ._decoder import Decoder
from ._edges import join_edges, reachable
from ._gat import GATEncoder
from ._registry import ENCODERS, make_encoder

__all__ = [
    "ENCODERS",
    "BasalMLP",
    "Decoder",
    "GATEncoder",
    "join_edges",
    "make_encoder",
    "reachable",
]
