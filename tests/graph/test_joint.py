import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from txpert.graph import KnowledgeGraph, coverage_table, overlap, union
from txpert.graph._joint import share_nodes

ONE = KnowledgeGraph("one", ["C", "A", "B"], [0, 1, 2], [1, 2, 0], [1, 2, 3])
TWO = KnowledgeGraph("two", ["B", "A", "D"], [1, 0], [0, 2], [5, 7])


def table(graph):
    return graph.edges.set_index(["source", "target"])["weight"].to_dict()


def test_shared_nodes_change_no_edge():
    shared = share_nodes([ONE, TWO])
    assert all(graph.nodes.tolist() == list("ABCD") for graph in shared)
    assert [table(graph) for graph in shared] == [table(ONE), table(TWO)]
    assert shared[0].provenance == ("share_nodes(4 nodes)",)


def test_union_knows_where_each_edge_comes_from():
    joint = union([ONE, TWO])
    named = {
        (joint.nodes[s], joint.nodes[t]): (member.tolist(), weight.tolist())
        for s, t, member, weight in zip(
            joint.source, joint.target, joint.member, joint.weight, strict=True
        )
    }
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


@pytest.mark.parametrize("join", [union, overlap])
def test_graphs_need_names_of_their_own(join):
    with pytest.raises(ValueError, match="names of their own"):
        join([ONE, ONE])
    with pytest.raises(ValueError, match="at least one graph"):
        join([])


def test_coverage_table_tells_absent_from_alone():
    covered = coverage_table([ONE, TWO], ["A", "B+D", "X"])
    assert covered.index.tolist() == ["A", "B", "D", "X"]
    assert covered["one"].tolist()[:2] == [1, 1]
    assert covered["one"].isna().tolist() == [False, False, True, True]
    assert covered["two"].fillna(-1).tolist() == [0, 1, 1, -1]


def test_summary_counts():
    summary = KnowledgeGraph("g", list("ABCD"), [0, 1, 2], [1, 0, 1], [1, 2, 6]).summary()
    assert summary["n_nodes"] == 4
    assert summary["n_isolated"] == 1
    assert summary["density"] == 0.25
    assert summary["reciprocity"] == pytest.approx(2 / 3)
    assert summary["in_degree_max"] == 2
    assert summary["out_degree_max"] == 1
    assert summary[["weight_mean", "weight_median", "weight_max"]].tolist() == [3, 2, 6]
    assert np.isnan(KnowledgeGraph("g", [], [], [], []).summary()["weight_max"])


def test_one_graph_need_not_be_a_list():
    graph = KnowledgeGraph("g", ["A", "B"], [0], [1], [1])
    assert union(graph).to_graph("g") == graph
    assert overlap(graph).loc["g", "g"] == 1
    assert coverage_table(graph, ["B"])["g"].tolist() == [1]
