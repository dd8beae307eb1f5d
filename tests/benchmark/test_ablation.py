"""Ablations of graphs: names, resuming, and a graph that matters."""

import pytest

import txpert as tx
from txpert.graph import KnowledgeGraph


def kernel(adata, seed, graphs, encoder=None):
    return tx.baselines.KernelBaseline(graphs=graphs).fit(adata)


@pytest.fixture(scope="module")
def screen():
    adata = tx.datasets.simulate(60, 60, 20, seed=0)
    tx.pp.normalize(adata)
    return adata


@pytest.fixture(scope="module")
def result(screen, tmp_path_factory):
    graph = tx.datasets.simulated_graph(screen)
    other = KnowledgeGraph("random", list(graph.nodes), [0, 1], [1, 2], [1, 1])
    graphs = [graph, other]
    options = {"rewire": [0.5, 1], "drop": [0.5], "encoders": ["gat"], "recipe": kernel}
    folder = tmp_path_factory.mktemp("ablation")
    call = [screen, graphs, "unseen_perturbation", [0]]
    first = tx.ablate_graphs(*call, **options, folder=folder, ceiling_repeats=1)
    n_stored = len(list((folder / "runs").iterdir()))
    again = tx.ablate_graphs(*call, **options, folder=folder, ceiling_repeats=1)
    assert len(list((folder / "runs").iterdir())) == n_stored
    assert again.scores.equals(first.scores)
    return first


def test_a_graph_that_made_the_data_matters(result):
    expected = ["whole", "rewired 50%", "rewired 100%", "dropped 50%", "only simulated"]
    assert result.models == [*expected, "only random", "encoder gat", "general"]
    mean = result.summary("pearson_delta").set_index("model")["mean"]
    assert mean["whole"] > mean["rewired 50%"] > mean["rewired 100%"]
    assert mean["only simulated"] > mean["only random"] + 0.05


def test_drawn_with_baseline_and_ceilings(result, tmp_path):
    ax = tx.pl.graph_ablation(result, save=tmp_path / "a.png")
    _, labels = ax.get_legend_handles_labels()
    assert "edges rewired" in labels
    assert "general (baseline)" in labels
    assert sum(label.startswith("ceiling") for label in labels) == 3
    mean = result.summary("pearson_delta").set_index("model")["mean"]
    curve = ax.containers[0].lines[0]
    assert curve.get_xdata().tolist() == [0, 50, 100]
    assert curve.get_ydata()[2] == pytest.approx(mean["rewired 100%"])
    ax.figure.canvas.draw()
    box, size = ax.figure.get_tightbbox(), ax.figure.get_size_inches()
    assert box.x0 >= -0.03
    assert box.x1 <= size[0] + 0.03


def test_errors(screen, result):
    graph = tx.datasets.toy_graph()
    with pytest.raises(ValueError, match="at least one graph"):
        tx.ablate_graphs(screen, [])
    with pytest.raises(ValueError, match="share a name"):
        tx.ablate_graphs(screen, [graph, graph])
    with pytest.raises(ValueError, match="fraction of 0"):
        tx.ablate_graphs(screen, graph, rewire=[0])
    other = tx.BenchmarkResult(
        result.scores.query("model != 'whole'"), result.runs, result.ceiling
    )
    with pytest.raises(KeyError, match=r"not from tx\.ablate_graphs"):
        tx.pl.graph_ablation(other)
