"""Options that no figure can be drawn with are refused before anything is drawn."""

import itertools
import logging
import time
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.pl._labels import label_points, shown_apart


@pytest.fixture
def why():
    table = pd.DataFrame(
        {
            "part": "training effect",
            "perturbation": ["N0", "N1"],
            "cell_line": "K",
            "graph": "go",
            "edge_weight": 0.5,
            "contribution": 0.5,
            "effect_norm": 1.0,
        }
    )
    table.attrs = {"norm": 1.0, "perturbation": "T", "cell_line": "K"}
    return table


@pytest.fixture
def drawn(make_prediction, why):
    """Draw a figure of a prediction, an explanation or an enrichment by name."""
    prediction = make_prediction(6)
    genes = list(prediction.var_names)
    enriched = tx.tl.enrichment(genes[:5], genes, gene_sets={"a": genes[:6]}, min_size=1)
    first = {
        "profile": (prediction, "G1"),
        "volcano": (prediction, "G1"),
        "explain": (why,),
        "enrichment": (enriched,),
    }

    def draw(name, **options):
        return getattr(tx.pl, name)(*first.get(name, (prediction,)), **options)

    return draw


FIGURES = ["heatmap", "profile", "ranking", "volcano", "embedding", "explain", "enrichment"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("heatmap", {"n_genes": -1}, "n_genes must be a whole number of at least 1"),
        ("heatmap", {"n_genes": 0}, "n_genes must be a whole number of at least 1"),
        ("heatmap", {"perturbations": "G1"}, r"perturbations must be .* write \['G1'\]"),
        ("heatmap", {"genes": "G1"}, r"genes must be a list .* write \['G1'\]"),
        ("heatmap", {"perturbations": []}, "perturbations is empty"),
        ("heatmap", {"genes": []}, "genes is empty"),
        ("profile", {"n_genes": -1}, "n_genes must be a whole number of at least 0"),
        ("ranking", {"n": -1}, "n must be a whole number of at least 1"),
        ("ranking", {"exclude": "G1"}, r"exclude must be a list .* write \['G1'\]"),
        ("embedding", {"measured": "G1"}, r"measured must be a list .* write \['G1'\]"),
        ("embedding", {"label": "G1"}, r"label must be a list .* write \['G1'\]"),
        ("embedding", {"gene_sets": {"a": "G1"}}, r"gene_sets\['a'\] must be a list"),
        ("embedding", {"gene_sets": {name: ["G1"] for name in "abcdefg"}}, "At most 6 gene sets"),
        ("enrichment", {"n": -1}, "n must be a whole number of at least 1"),
        ("enrichment", {"fdr": np.nan}, "fdr must lie between 0 and 1, not nan"),
        ("enrichment", {"fdr": 2}, "fdr must lie between 0 and 1, not 2"),
        ("volcano", {"n_labels": -1}, "n_labels must be a whole number of at least 0"),
        ("volcano", {"fdr": np.nan}, "fdr must lie between 0 and 1, not nan"),
        ("volcano", {"fdr": -1}, "fdr must lie between 0 and 1, not -1"),
        ("volcano", {"fdr": None}, "fdr must lie between 0 and 1, not None"),
        ("explain", {"n_neighbors": 0}, "n_neighbors must be a whole number of at least 1"),
    ],
)
def test_unusable_options_are_named_and_leave_no_figure(name, options, message, drawn):
    with pytest.raises(ValueError, match=message):
        drawn(name, **options)
    assert not plt.get_fignums()


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("ax", ["x", np.array([None, None])], ids=["text", "array"])
def test_what_are_no_axes_is_refused(name, ax, drawn):
    with pytest.raises(TypeError, match="ax takes Matplotlib axes"):
        drawn(name, ax=ax)
    assert not plt.get_fignums()


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_that_cannot_be_saved_is_closed(name, drawn, tmp_path):
    figure, ax = plt.subplots()
    with pytest.raises(OSError, match="No such file"):
        drawn(name, save=tmp_path / "absent" / "a.png")
    assert plt.get_fignums() == [figure.number]
    with pytest.raises(OSError, match="No such file"):
        drawn(name, ax=ax, save=tmp_path / "absent" / "a.png")
    assert plt.get_fignums() == [figure.number]


def test_an_unknown_name_leaves_no_figure(drawn):
    with pytest.raises(KeyError, match="'Z' on the map"):
        drawn("embedding", label=["Z"])
    assert not plt.get_fignums()


def test_oracles_are_a_list_and_axes_of_a_history_are_axes(adata):
    result = tx.benchmark(adata, {"zero": "no_change"}, ceiling_repeats=0)
    with pytest.raises(ValueError, match=r"write \['zero'\]"):
        tx.pl.benchmark_bars(result, "mse", oracles="zero")
    trained = SimpleNamespace(history={"train_loss": pd.DataFrame({"train_loss": [2.0, 1]})})
    with pytest.raises(TypeError, match="ax takes Matplotlib axes"):
        tx.pl.history(trained, ax="x")


def test_points_of_several_cell_lines_are_measured_and_named(make_prediction):
    prediction = make_prediction(4, n_lines=2)
    ax = tx.pl.embedding(prediction, measured={"G1"}, label=["G1", "G2, line_1"])
    assert [text.get_text() for text in ax.texts] == ["G1, line_0", "G1, line_1", "G2, line_1"]
    handles, labels = ax.get_legend_handles_labels()
    assert len(handles[labels.index("measured")].get_offsets()) == 2
    ax = tx.pl.embedding(prediction, measured=["G1, line_0"], gene_sets={"a": ["G1"]})
    handles, labels = ax.get_legend_handles_labels()
    assert [len(handle.get_offsets()) for handle in handles] == [6, 1, 1]
    prediction.obs["perturbation"] = prediction.obs["perturbation"].replace("G1", "A+B")
    ax = tx.pl.embedding(prediction, label=["B+A, line_1"])
    assert [text.get_text() for text in ax.texts] == ["A+B, line_1"]


def test_a_pseudobulk_is_called_observed(adata):
    bulk = tx.pp.pseudobulk(adata)
    label = bulk.obs.loc[~bulk.obs["control"], "perturbation"].iloc[0]
    assert tx.pl.heatmap(bulk).get_title() == "observed Δ"
    assert tx.pl.profile(bulk, label).get_xlabel() == "observed Δ (log1p)"
    assert tx.pl.ranking(bulk).get_xlabel() == "size of observed Δ (root mean square)"
    assert tx.pl.embedding(bulk).get_legend_handles_labels()[1] == ["measured"]
    prediction = tx.baselines.GeneralBaseline().fit(adata).predict(label)
    assert tx.pl.heatmap(prediction).get_title() == "predicted Δ"


def test_genes_without_a_std_stand_at_the_top_of_the_volcano(make_prediction):
    prediction = make_prediction(3)
    prediction.layers["std"][1, :4] = 0
    ax = tx.pl.volcano(prediction, "G1")
    handles, labels = ax.get_legend_handles_labels()
    assert "std = 0 (4)" in labels
    points = [h.get_offsets() for h in handles if hasattr(h, "get_offsets")]
    drawn = np.concatenate([p for p, text in zip(points, labels, strict=False) if "(" in text])
    assert len(drawn) == prediction.n_vars
    assert np.isfinite(drawn).all()
    assert (drawn[:, 1] == drawn[:, 1].max()).sum() == 4
    prediction.layers["std"][1] = 0
    assert "std = 0 (40)" in tx.pl.volcano(prediction, "G1").get_legend_handles_labels()[1]
    prediction.layers["delta"][1] = 0
    with pytest.raises(ValueError, match="there is nothing to draw"):
        tx.pl.volcano(prediction, "G1")


def test_names_are_told_apart_after_shortening(make_prediction):
    long = "a_perturbation_of_a_very_long_name"
    assert shown_apart([f"{long}, line_{i}" for i in range(2)], 24) == [
        "a_perturbati…ame, line_0",
        "a_perturbati…ame, line_1",
    ]
    middle = [f"{long}{i}{long}" for i in (1, 2, 1)]
    assert shown_apart(middle, 9) == ["a_pe…name", "a_pe…name (2)", "a_pe…name"]
    prediction = make_prediction(3, n_lines=3)
    for draw in (tx.pl.heatmap, tx.pl.ranking):
        names = [tick.get_text() for tick in draw(prediction).get_yticklabels()]
        assert len(set(names)) == 9
        assert all(any(f"line_{i}" in name for i in range(3)) for name in names)


@pytest.mark.parametrize("n", [40, 60, 200])
def test_many_labels_are_placed_in_bounded_time(n):
    _, ax = plt.subplots(figsize=(4.4, 4.0), layout="constrained")
    x, y = np.random.default_rng(0).normal(size=(2, 300))
    ax.scatter(x, y)
    start = time.process_time()
    label_points(ax, x, y, [f"GENE{i}" for i in range(300)], range(300), n_labels=n, color="k")
    assert time.process_time() - start < 10
    assert len(ax.texts) == n


def test_labels_wider_than_their_axes_are_no_message(make_prediction, capfd, caplog):
    _, axes = plt.subplots(1, 2, figsize=(1.2, 1.2))
    with caplog.at_level(logging.WARNING):
        tx.pl.embedding(make_prediction(6), label=["G1", "G2", "G3"], ax=axes[0])
        x = np.arange(3.0)
        label_points(axes[1], x, x, ["W" * 18] * 3, range(3), n_labels=3, color="k")
    assert not [record for record in caplog.records if record.name == "adjustText"]
    assert not any(itertools.chain.from_iterable(capfd.readouterr()))
