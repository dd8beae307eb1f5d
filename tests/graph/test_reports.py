"""Tables that describe graphs."""

import numpy as np
import pytest

from txpert.graph import KnowledgeGraph, coverage_table

ONE = KnowledgeGraph("one", ["C", "A", "B"], [0, 1, 2], [1, 2, 0], [1, 2, 3])
TWO = KnowledgeGraph("two", ["B", "A", "D"], [1, 0], [0, 2], [5, 7])


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
