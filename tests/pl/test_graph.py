import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from txpert.graph import KnowledgeGraph
from txpert.pl._graph import graph_coverage, graph_overlap


@pytest.fixture
def graphs():
    yield [
        KnowledgeGraph("one", ["A", "B", "C"], [0, 1], [1, 2], [1, 1]),
        KnowledgeGraph("two", ["A", "B"], [0, 1], [1, 0], [1, 1]),
    ]
    plt.close("all")


def test_coverage_bars_sum_to_one_and_show_the_shares(graphs):
    ax = graph_coverage(graphs, ["A", "B+C", "X"])
    widths = [[bar.get_width() for bar in bars] for bars in ax.containers]
    assert widths == [
        pytest.approx([0.5, 0.5]),  # B, C of four genes; A, B
        pytest.approx([0.25, 0]),  # A has no incoming edge in "one"
        pytest.approx([0.25, 0.5]),
    ]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]


def test_overlap_shows_the_jaccard_index_of_edges(graphs):
    ax = graph_overlap(graphs)
    assert [text.get_text() for text in ax.texts] == ["1", "0.33", "0.33", "1"]


def test_plots_draw_on_the_axes_given(graphs):
    _, axes = plt.subplots(2)
    assert graph_coverage(graphs, ["A"], ax=axes[0]) is axes[0]
    assert graph_overlap(graphs, ax=axes[1]) is axes[1]


def test_no_genes_is_an_error(graphs):
    with pytest.raises(ValueError, match="at least one gene"):
        graph_coverage(graphs, [])


@pytest.mark.parametrize("n", [1, 6])
def test_drawn_whole(n, check_figure):
    nodes = ["A", "B"]
    graphs = [
        KnowledgeGraph(f"{i}: a graph of a long name $x^2$ {'very ' * i}", nodes, [0], [1], [1])
        for i in range(n)
    ]
    for style in ("default", "dark_background"):
        check_figure(lambda: graph_coverage(graphs, ["A", "B", "C"]), style)
        check_figure(lambda: graph_overlap(graphs), style)
