"""Neural networks: perturbation encoders over graphs, decoders, combinations of targets."""

from ._bmp import BMPEncoder
from ._combination import (
    CombinationName,
    InteractionCombination,
    SequentialCombination,
    SumCombination,
    make_combination,
)
from ._decoder import (
    DECODERS,
    Decoder,
    LowRankDecoder,
    find_decoder,
    make_decoder,
    register_decoder,
)
from ._edges import GraphTensors, join_edges, reachable
from ._exphormer import ExphormerEncoder
from ._gat import GATEncoder
from ._gat_hybrid import GATHybridEncoder
from ._gat_mlg import GATMLGEncoder
from ._gcn import GCNEncoder, SGCEncoder
from ._mlp import BasalMLP
from ._nodes import NodeEmbedding, Nodes
from ._provenance import expander_edges
from ._registry import ENCODERS, EncoderConfig, make_encoder, register_encoder
from ._show import show
from ._similarity import Similarity, delta_similarity
from ._without_graphs import FeatureEncoder, FreeEncoder

__all__ = [
    "DECODERS",
    "ENCODERS",
    "BMPEncoder",
    "BasalMLP",
    "CombinationName",
    "Decoder",
    "EncoderConfig",
    "ExphormerEncoder",
    "FeatureEncoder",
    "FreeEncoder",
    "GATEncoder",
    "GATHybridEncoder",
    "GATMLGEncoder",
    "GCNEncoder",
    "GraphTensors",
    "InteractionCombination",
    "LowRankDecoder",
    "NodeEmbedding",
    "Nodes",
    "SGCEncoder",
    "SequentialCombination",
    "Similarity",
    "SumCombination",
    "delta_similarity",
    "expander_edges",
    "find_decoder",
    "join_edges",
    "make_combination",
    "make_decoder",
    "make_encoder",
    "reachable",
    "register_decoder",
    "register_encoder",
    "show",
]
