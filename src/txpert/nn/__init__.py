from ._basal import BasalMLP
from ._decoder import Decoder
from ._edges import GraphTensors, join_edges, reachable
from ._expander import expander_edges
from ._exphormer import ExphormerEncoder
from ._free import FreeEmbeddings
from ._gat import GATEncoder
from ._gat_hybrid import GATHybridEncoder
from ._gat_mlg import GATMLGEncoder
from ._hybrid_bmp import HybridBMPEncoder
from ._registry import ENCODERS, make_encoder, register_encoder
from ._sgc import SGCEncoder

__all__ = [
    "ENCODERS",
    "BasalMLP",
    "Decoder",
    "ExphormerEncoder",
    "FreeEmbeddings",
    "GATEncoder",
    "GATHybridEncoder",
    "GATMLGEncoder",
    "GraphTensors",
    "HybridBMPEncoder",
    "SGCEncoder",
    "expander_edges",
    "join_edges",
    "make_encoder",
    "reachable",
    "register_encoder",
]
