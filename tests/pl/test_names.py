"""Names of any kind are drawn as they are."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import txpert as tx
from txpert.graph import KnowledgeGraph
from txpert.pl._labels import shown

NAMES = [
    "$x^$",
    "$",
    r"\$x$",
    "基" * 90,
    "=1+1",
    "../../x",
    "<b>",
    "_hidden",
    "a\nb",
    "{x}",
    "50%",
]


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_models_of_any_name_are_drawn(adata, name):
    models = {name: "mean", "zero": "no_change"}
    result = tx.benchmark(adata, models, ceiling_repeats=0, baseline=name)
    for draw in (tx.pl.benchmark_bars, tx.pl.benchmark_strips, tx.pl.benchmark_ranks):
        ax = draw(result, "mse")
        ax.figure.canvas.draw()
        ticks = [*ax.get_xticklabels(), *ax.get_yticklabels()]
        assert any(shown(name)[:8] in tick.get_text() for tick in ticks)
    bars = tx.pl.benchmark_bars(result, "mse")
    assert any("(baseline)" in text.get_text() for text in bars.get_legend().get_texts())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Glyph")
def test_perturbations_models_and_genes_of_any_name_are_drawn(adata, make_model):
    tx.tl.evaluate(adata, make_model(adata, epochs=1))
    results = adata.uns["txpert"]
    label, model = results["delta_obs"]["perturbation"].iloc[0], "general"
    for name in (name.replace("+", "") for name in NAMES):
        results["metrics"] = results["metrics"].replace({model: name, label: name})
        results["delta_obs"] = results["delta_obs"].astype({"perturbation": str})
        results["delta_obs"] = results["delta_obs"].replace({label: name})
        results["delta"][name] = results["delta"].pop(model)
        results["delta_genes"] = [name, *results["delta_genes"][1:]]
        label = model = name
        points = tx.pl.scores(adata, "mse", n_labels=4)
        assert points.get_xlabel().startswith(shown(name, 24))
        genes = tx.pl.delta(adata, name, model=name, n_labels=4)
        assert genes.get_title().replace("\n", " ").startswith(shown(name, 32))
        for ax in (points, genes):
            ax.figure.canvas.draw()
            plt.close(ax.figure)


@pytest.mark.filterwarnings("ignore:Glyph")
def test_graphs_of_any_name_are_drawn():
    edges = pd.DataFrame({"source": ["A"], "target": ["B"]})
    graphs = [KnowledgeGraph.from_edges(edges, name=name) for name in NAMES]
    for ax in (tx.pl.graph_coverage(graphs, ["A", "B"]), tx.pl.graph_overlap(graphs)):
        ax.figure.canvas.draw()
        assert [tick.get_text() for tick in ax.get_yticklabels()] == [
            shown(name, 24) for name in NAMES
        ]


def test_names_are_short_and_no_formulas():
    assert shown("$x^$") == r"\$x^\$"
    assert shown("a\n\tb ") == "a b"
    assert len(shown("基" * 90)) == 40
    assert shown("TxPert") == "TxPert"
