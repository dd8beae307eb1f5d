"""cite: a methods paragraph and references of what a model was made from."""

import re
from importlib.metadata import version

import txpert as tx


def test_without_a_model():
    citation = tx.cite()
    assert f"txpert {version('txpert')}" in citation.methods
    assert "10.1038/s41587-026-03113-4" in citation.bibtex
    assert str(citation) == repr(citation)


def test_a_model_names_data_graphs_and_settings(adata, make_model, graph):
    go = tx.graph.KnowledgeGraph(
        "mine", graph.nodes, *graph.arrays, ["go(packaged)", "top_k(k=9)"]
    )
    model = make_model(adata, graphs=[graph, go])
    citation = tx.cite(model)
    for text in (
        "360 cells × 60 genes in 1 cell line (simulated)",
        "'gat' (arXiv:2105.14491)",
        "toy (60 nodes",
        "go(packaged",
        "for 2 epochs",
        "seed 0",
        adata.uns["txpert_split"]["sha256"][:12],
    ):
        assert text in citation.methods
    assert "10.1038/75556" in citation.bibtex
    keys = re.findall(r"^@\w+\{(.+),$", citation.bibtex, re.MULTILINE)
    assert len(keys) == len(set(keys)) == 7
    assert citation.bibtex.count("{") == citation.bibtex.count("}")
