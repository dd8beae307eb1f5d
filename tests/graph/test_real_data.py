"""Known neighbors in the real tables of the databases."""

import re

import anndata as ad
import pandas as pd
import pytest

from txpert.graph import KnowledgeGraph, from_features, from_gmt, go, map_genes, reactome, union

PAIRS = [("JAK2", "STAT1"), ("IFNGR1", "IFNGR2"), ("MAP2K3", "MAP2K6")]
COMPLEXES = {"ribosome": re.compile(r"RP[LS]\d"), "proteasome": re.compile(r"PSM[ABCD]\d")}


def edges_of(graph):
    return set(zip(graph.edges["source"], graph.edges["target"], strict=True))


def enrichment(graph, complex_):
    """How much likelier than by chance a member's neighbor is a member."""
    member = pd.Series([bool(complex_.match(node)) for node in graph.nodes], index=graph.nodes)
    sources = graph.edges.loc[member[graph.edges["target"]].to_numpy(), "source"]
    return member[sources].mean() / member.mean()


@pytest.fixture(scope="module")
def string_graph(shared):
    path = shared("string_links.tsv.gz")
    graph = KnowledgeGraph.from_edges(path, name="string", weight="combined_score", directed=False)
    return graph.top_k(20)


@pytest.fixture(scope="module")
def reactome_graph(shared):
    return reactome(shared("reactome.gmt.gz"))


@pytest.fixture(scope="module")
def wide_go_graph():
    return go(k=100)


@pytest.fixture(scope="module")
def go_graph(wide_go_graph):
    return wide_go_graph.top_k(20)


@pytest.fixture(scope="module")
def depmap_graphs(shared):
    effects = pd.read_parquet(shared("depmap_gene_effect.parquet"))
    modules = shared("depmap_coessential_modules.gmt.gz")
    return from_features(effects, name="depmap", missing="mean"), from_gmt(modules, name="modules")


def test_known_pairs_in_string(string_graph):
    assert set(PAIRS) <= edges_of(string_graph)


def test_known_pairs_in_reactome(reactome_graph):
    assert set(PAIRS) <= edges_of(reactome_graph)


def test_known_pairs_in_go(go_graph):
    assert set(PAIRS[1:]) <= edges_of(go_graph)


def test_jak2_and_stat1_in_go(wide_go_graph):
    # 70 genes are nearer to JAK2 than STAT1 is: near, but not among the 20 that go() keeps.
    assert ("STAT1", "JAK2") in edges_of(wide_go_graph)


def test_jak2_and_stat1_in_go_over_the_genes_of_a_screen(shared):
    screen = ad.read_h5ad(shared("papalexi.h5ad"), backed="r")
    targets = set(screen.obs["perturbation"]) - {"control"}
    assert ("STAT1", "JAK2") in edges_of(go(sorted(targets.union(screen.var_names))))


@pytest.mark.parametrize("name", COMPLEXES)
def test_complexes_in_go_string_and_reactome(go_graph, string_graph, reactome_graph, name):
    for graph in (go_graph, string_graph, reactome_graph):
        assert enrichment(graph, COMPLEXES[name]) > 20, graph


@pytest.mark.parametrize("name", COMPLEXES)
def test_complexes_in_both_depmap_tables(depmap_graphs, name):
    similar, modules = depmap_graphs
    assert enrichment(similar, COMPLEXES[name]) > 5
    assert enrichment(modules, COMPLEXES[name]) > 20


@pytest.mark.parametrize("file", ["biogrid_edges.tsv.gz", "intact_edges.tsv.gz"])
def test_interaction_tables(shared, file):
    graph = KnowledgeGraph.from_edges(shared(file), name=file, directed=False)
    assert graph.n_edges > 500_000
    assert ("JAK2", "STAT1") in edges_of(graph)


def test_all_graphs_on_one_vocabulary(go_graph, string_graph, reactome_graph):
    graphs = [go_graph, string_graph, reactome_graph]
    joint = union(graphs)
    assert joint.member.sum(axis=0).tolist() == [graph.n_edges for graph in graphs]
    assert (joint.member.sum(axis=1) == 3).sum() > 1000


def test_the_symbols_of_a_screen_are_mapped(shared):
    screen = ad.read_h5ad(shared("norman_mcfaline.h5ad"), backed="r")
    targets = {part for name in screen.obs["perturbation"].unique() for part in name.split("+")}
    report = map_genes(sorted(targets - {"control"}))
    assert (report["kind"].isin(["symbol", "alias"])).mean() > 0.95
