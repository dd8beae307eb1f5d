from ._basal import BasalMLP
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
from ._embedding import FeatureEncoder
from ._expander import expander_edges
from ._exphormer import ExphormerEncoder
from ._free import FreeEmbeddings
from ._gat import GATEncoder
from ._gat_hybrid import GATHybridEncoder
from ._gat_mlg import GATMLGEncoder
from ._gcn import GCNEncoder
from ._hybrid_bmp import HybridBMPEncoder
from ._nodes import NodeRows, Nodes
from ._registry import ENCODERS, EncoderConfig, make_encoder, register_encoder
from ._sgc import SGCEncoder
from ._similarity import Similarity, delta_similarity

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
    "FreeEmbeddings",
    "GATEncoder",
    "GATHybridEncoder",
    "GATMLGEncoder",
    "GCNEncoder",
    "GraphTensors",
    "HybridBMPEncoder",
    "InteractionCombination",
    "LowRankDecoder",
    "NodeRows",
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
]
