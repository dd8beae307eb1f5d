"""Knowledge graphs over genes: builders, filters, reports, conversions."""

from ._depmap import depmap
from ._download import fetch
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
from ._knowledge_graph import KnowledgeGraph
from ._names import map_genes
from ._reports import coverage_table, overlap
from ._screen import from_screen
from ._sets import from_gmt, reactome
from ._sources import register_source, show
from ._spectral import spectral_embedding
from ._string import string
from ._union import union

__all__ = [
    "KnowledgeGraph",
    "biogrid",
    "coverage_table",
    "depmap",
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
    "register_source",
    "show",
    "spectral_embedding",
    "string",
    "to_hetero",
    "to_networkx",
    "to_pyg",
    "to_scipy",
    "union",
]
