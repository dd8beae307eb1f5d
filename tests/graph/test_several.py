"""Graphs as users give them."""

import pytest

from txpert.graph import KnowledgeGraph, coverage_table, overlap, union
from txpert.graph._several import as_graphs, named_for, share_nodes

ONE = KnowledgeGraph("one", ["C", "A", "B"], [0, 1, 2], [1, 2, 0], [1, 2, 3])
TWO = KnowledgeGraph("two", ["B", "A", "D"], [1, 0], [0, 2], [5, 7])


def test_one_graph_or_several_or_saved_ones():
    assert as_graphs(ONE) == as_graphs((ONE,)) == as_graphs([ONE.to_dict()]) == [ONE]
    assert as_graphs(()) == []
    for wrong in ("go", [ONE, "go"], None):
        with pytest.raises(TypeError, match=r"takes tx\.graph.KnowledgeGraph objects"):
            as_graphs(wrong)


def test_shared_nodes_change_no_edge():
    shared = share_nodes([ONE, TWO])
    assert all(graph.nodes.tolist() == list("ABCD") for graph in shared)
    for graph, before in zip(shared, [ONE, TWO], strict=True):
        edges = graph.edges.sort_values(["source", "target"], ignore_index=True)
        expected = before.edges.sort_values(["source", "target"], ignore_index=True)
        assert edges.equals(expected)
    assert shared[0].provenance == ("share_nodes(4 nodes)",)


def test_nodes_take_the_names_of_a_screen():
    graph = KnowledgeGraph("g", ["AARS1", "JAK2"], [0], [1], [1])
    (renamed, same), names = named_for([graph, TWO], ["AARS", "JAK2"])
    assert renamed.nodes.tolist() == ["AARS", "JAK2"]
    assert same is TWO
    assert names == {"AARS": "AARS1"}


@pytest.mark.parametrize("join", [union, overlap])
def test_graphs_need_names_of_their_own(join):
    with pytest.raises(ValueError, match="names of their own"):
        join([ONE, ONE])
    with pytest.raises(ValueError, match="at least one graph"):
        join([])


def test_one_graph_need_not_be_a_list():
    graph = KnowledgeGraph("g", ["A", "B"], [0], [1], [1])
    assert union(graph).to_graph("g") == graph
    assert overlap(graph).loc["g", "g"] == 1
    assert coverage_table(graph, ["B"])["g"].tolist() == [1]
