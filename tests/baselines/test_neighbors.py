import numpy as np
import pandas as pd
import pytest

from txpert.baselines import NeighborsBaseline
from txpert.graph import KnowledgeGraph

EDGES = [("A", "X", 4.0), ("B", "X", 2.0), ("C", "X", 1.0), ("X", "Y", 4.0), ("B", "Z", 2.0)]
GRAPH = KnowledgeGraph.from_edges(
    pd.DataFrame(EDGES, columns=["source", "target", "weight"]), name="g"
)
ROWS = [(p, "K", 5, "train", [d]) for p, d in (("A", 1), ("B", 4), ("C", 7), ("A+B", 50))]
MEAN = 4


@pytest.mark.parametrize(
    ("label", "k", "shrinkage", "effect"),
    [
        ("X", None, 0, (1 + 0.5 * 4 + 0.25 * 7) / 1.75),
        ("X", None, 0.5, (0.5 * MEAN + 1 + 0.5 * 4 + 0.25 * 7) / 2.25),
        ("X", 2, 0, (1 + 0.5 * 4) / 1.5),
        ("X", 1, 1, (MEAN + 1) / 2),
        ("X", None, np.inf, MEAN),
        ("Z", 1, 0, 4),
        ("Y", None, 0, MEAN),  # its only neighbor was not trained on
        ("A", None, 0, 1),  # trained on itself
        ("elsewhere", None, 0, MEAN),
        ("A+B", None, 0, 50),
        ("A+Z", None, 0, 5),
        ("Z+elsewhere", None, 0, 4 + MEAN),
    ],
)
def test_by_hand(make_table, delta_of, label, k, shrinkage, effect):
    baseline = NeighborsBaseline(make_table(ROWS), GRAPH, k, shrinkage=shrinkage)
    assert delta_of(baseline, label) == pytest.approx(effect, abs=1e-6)


def test_graphs_are_averaged(make_table, delta_of):
    other = KnowledgeGraph("h", ["C", "X"], [0], [1], [99.0])
    baseline = NeighborsBaseline(make_table(ROWS), [GRAPH, other], shrinkage=0)
    expected = (0.5 * 1 + 0.25 * 4 + 0.625 * 7) / 1.375
    assert delta_of(baseline, "X") == pytest.approx(expected)


@pytest.mark.parametrize("k", [None, 2])
def test_the_shrinkage_against_leaving_out_in_turn(random_table, random_graph, k):
    graph = random_graph()
    table = random_table(25)
    # Neighbors are alike, so that the best shrinkage is neither end.
    values, position = table.X[1:] - table.X[0], {f"P{i}": i for i in range(25)}
    smooth = values.copy()
    for source, target, weight in graph.edges.itertuples(index=False):
        if source in position and target in position:
            smooth[position[target]] += 1.5 * weight * values[position[source]]
    table.X[1:] = table.X[0] + smooth
    names = [f"P{i}" for i in range(25)]
    covered = set(graph.edges.loc[graph.edges["source"].isin(names), "target"])

    def error(shrinkage):
        total = 0.0
        for i, name in enumerate(names):
            if name not in covered:
                continue
            rest = table[table.obs["perturbation"] != name].copy()
            held = NeighborsBaseline(rest, graph, k, shrinkage=shrinkage).predict(name)
            mean = np.delete(smooth, i, axis=0).mean(axis=0)
            off = ((held.layers["delta"][0] - smooth[i]) ** 2).sum()
            total += off / ((mean - smooth[i]) ** 2).sum()
        return total

    best = NeighborsBaseline(table, graph, k).shrinkage_
    assert 0 < best < np.inf
    assert error(best) < min(error(best * s) for s in (0.3, 0.7, 1.5, 3))
    assert error(best) < min(error(0), error(np.inf))


@pytest.mark.parametrize(
    ("graphs", "options", "message"),
    [
        ([], {}, "at least one graph"),
        (GRAPH, {"k": 0}, "k must be a whole number of at least 1"),
        (GRAPH, {"shrinkage": -1}, "shrinkage must be a number of at least 0"),
        (GRAPH, {"shrinkage": np.nan}, "shrinkage must be a number of at least 0"),
    ],
)
def test_wrong_input(make_table, graphs, options, message):
    with pytest.raises(ValueError, match=message):
        NeighborsBaseline(make_table(ROWS), graphs, **options)
