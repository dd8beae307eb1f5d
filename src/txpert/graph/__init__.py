from ._go import go, go_genes
from ._knowledge_graph import KnowledgeGraph
from ._names import map_genes

__all__ = ["KnowledgeGraph", "go", "go_genes", "map_genes"]
