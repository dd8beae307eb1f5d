"""The union of graphs, and how much of it they have in common."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from txpert.graph import KnowledgeGraph, overlap, union
from txpert.graph._union import GraphUnion

ONE = KnowledgeGraph("one", ["C", "A", "B"], [0, 1, 2], [1, 2, 0], [1, 2, 3])
TWO = KnowledgeGraph("two", ["B", "A", "D"], [1, 0], [0, 2], [5, 7])


def table(graph):
    return graph.edges.set_index(["source", "target"])["weight"].to_dict()


def test_union_knows_where_each_edge_comes_from():
    joint = union([ONE, TWO])
    named = {
        (joint.nodes[s], joint.nodes[t]): (member.tolist(), weight.tolist())
        for s, t, member, weight in zip(
            joint.source, joint.target, joint.member, joint.weight, strict=True
        )
    }
    assert isinstance(joint, GraphUnion)
    assert joint.names == ("one", "two")
    assert named == {
        ("C", "A"): ([True, False], [1, 0]),
        ("A", "B"): ([True, True], [2, 5]),
        ("B", "C"): ([True, False], [3, 0]),
        ("B", "D"): ([False, True], [0, 7]),
    }


@pytest.mark.parametrize(("how", "weight"), [("max", 5), ("mean", 3.5), ("count", 2)])
def test_union_as_one_graph(how, weight):
    graph = union([ONE, TWO]).to_graph(weight=how)
    assert table(graph)["A", "B"] == weight
    assert graph.n_edges == 4
    assert "one, two" in graph.provenance[0]
    with pytest.raises(ValueError, match="'max', 'mean' or 'count'"):
        union([ONE]).to_graph(weight="sum")


edges = st.lists(st.tuples(st.sampled_from("ABCDE"), st.sampled_from("ABCDE")), max_size=15)


def build(name, pairs):
    return KnowledgeGraph.from_edges(pd.DataFrame(pairs, columns=["source", "target"]), name=name)


@given(st.tuples(edges, edges, edges))
def test_union_and_overlap_are_those_of_sets(lists):
    graphs = [build(name, pairs) for name, pairs in zip("xyz", lists, strict=True)]
    sets = [set(table(graph)) for graph in graphs]
    joint = union(graphs)
    named = list(zip(joint.nodes[joint.source], joint.nodes[joint.target], strict=True))
    assert len(named) == len(set(named))
    for column, expected in zip(joint.member.T, sets, strict=True):
        assert {edge for edge, there in zip(named, column, strict=True) if there} == expected
    shares = overlap(graphs).to_numpy()
    for i, ours in enumerate(sets):
        for j, theirs in enumerate(sets):
            if ours | theirs:
                assert shares[i, j] == len(ours & theirs) / len(ours | theirs)
            else:
                assert np.isnan(shares[i, j])
