from ._depmap import depmap
from ._diffusion import diffusion_kernel
from ._download import fetch, sources
from ._features import from_features
from ._go import go, go_genes
from ._interactions import biogrid, intact
from ._interop import (
    from_hetero,
    from_networkx,
    from_pyg,
    from_scipy,
    to_hetero,
    to_networkx,
    to_pyg,
    to_scipy,
)
from ._joint import SupraGraph, Union, share_nodes, supra_graph, union
from ._knowledge_graph import KnowledgeGraph
from ._names import map_genes
from ._reports import coverage_table, overlap
from ._screen import from_screen
from ._sets import from_gmt, reactome
from ._spectral import spectral_embedding
from ._string import string

__all__ = [
    "KnowledgeGraph",
    "SupraGraph",
    "Union",
    "biogrid",
    "coverage_table",
    "depmap",
    "diffusion_kernel",
    "fetch",
    "from_features",
    "from_gmt",
    "from_hetero",
    "from_networkx",
    "from_pyg",
    "from_scipy",
    "from_screen",
    "go",
    "go_genes",
    "intact",
    "map_genes",
    "overlap",
    "reactome",
    "share_nodes",
    "sources",
    "spectral_embedding",
    "string",
    "supra_graph",
    "to_hetero",
    "to_networkx",
    "to_pyg",
    "to_scipy",
    "union",
]
