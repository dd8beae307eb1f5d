"""Figures of predictions that were never measured."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import txpert as tx

DRAW = {
    "profile": lambda p: tx.pl.profile(p, p.obs["perturbation"].iloc[-1], observed=p),
    "volcano": lambda p: tx.pl.volcano(p, p.obs["perturbation"].iloc[-1]),
    "ranking": tx.pl.ranking,
    "embedding": lambda p: tx.pl.embedding(
        p, measured=["G1"], gene_sets={"a set of a long name " * 3: ["G0", "G2"]}
    ),
    "heatmap": lambda p: tx.pl.heatmap(p, p[:5].copy()),
}


@pytest.mark.parametrize("name", DRAW)
@pytest.mark.parametrize(
    ("n", "n_lines", "style"),
    [(1, 1, "default"), (20, 5, "dark_background"), (2_000, 1, "default")],
)
def test_drawn_whole_and_without_warnings(name, n, n_lines, style, make_prediction, check_figure):
    prediction = make_prediction(n, n_lines, n_genes=20)
    check_figure(lambda: DRAW[name](prediction), style)


def test_profile_shows_the_largest_effects_their_std_and_the_target(make_prediction):
    prediction = make_prediction()
    prediction.layers["delta"][3] = np.linspace(-0.01, 0.02, 40)
    prediction.layers["delta"][3, [7, 9]] = 5, -4
    ax = tx.pl.profile(prediction, "G3", n_genes=2)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["G9", "G3", "G7"]
    np.testing.assert_allclose(ax.collections[1].get_offsets()[[0, 2], 0], [-4, 5])
    np.testing.assert_allclose(ax.collections[0].get_segments()[2][:, 0], [4.5, 5.5])
    bold = [tick.get_fontweight() == "bold" for tick in ax.get_yticklabels()]
    assert bold == [False, True, False]


def test_batches_are_averaged(make_prediction):
    prediction = make_prediction(4)
    prediction.obs["perturbation"] = ["A", "A", "B", "control"]
    ax = tx.pl.profile(prediction, "A", n_genes=1)
    mean = prediction.layers["delta"][:2].mean(axis=0)
    assert ax.collections[1].get_offsets()[0, 0] == pytest.approx(mean[np.abs(mean).argmax()])


def test_ranking_by_size_and_signature_without_the_measured(make_prediction):
    prediction = make_prediction(5)
    prediction.layers["delta"][:] = np.array([1, 5, 3, -4, 2])[:, None]
    ax = tx.pl.ranking(prediction, exclude=["G1"], n=2)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["G2", "G3"]
    assert ax.get_title() == "2 of 4 perturbations"
    ax = tx.pl.ranking(prediction, ["G0", "not predicted"], n=2)
    np.testing.assert_allclose(ax.collections[1].get_offsets()[:, 0], [-4, 5])
    assert ax.get_xlabel() == "mean Δ of 1 genes"
    colors = ax.collections[1].get_facecolors()
    expected = plt.get_cmap("viridis")(prediction.obs["specific"].iloc[[3, 1]])
    np.testing.assert_allclose(colors, expected)


def test_volcano_needs_and_uses_the_std(make_prediction):
    prediction = make_prediction(3)
    prediction.layers["delta"][1] = 0
    prediction.layers["delta"][1, 5] = -3  # six standard deviations
    ax = tx.pl.volcano(prediction, "G1")
    handles, labels = ax.get_legend_handles_labels()
    assert labels == ["other (39)", "down, FDR < 0.05 (1)", "target"]
    x, y = handles[1].get_offsets()[0]
    assert (x, round(float(y), 2)) == (-3, 8.7)
    del prediction.layers["std"]
    with pytest.raises(ValueError, match="return_std=True"):
        tx.pl.volcano(prediction, "G1")


def test_heatmap_puts_the_observed_beside_the_predicted(make_prediction):
    prediction = make_prediction(6, n_genes=8)
    observed = prediction[:3].copy()
    observed.layers["delta"] = observed.layers["delta"] + 1
    ax = tx.pl.heatmap(prediction, observed)
    image = ax.images[0].get_array()
    image = image.filled(np.nan)
    rows = [tick.get_text() for tick in ax.get_yticklabels()]
    known = [name in {"G0", "G1", "G2"} for name in rows]
    np.testing.assert_allclose(image[known, 9:], image[known, :8] + 1, rtol=1e-5)
    assert np.isnan(image[~np.array(known), 9:]).all()


def test_map_tells_measured_from_predicted(make_prediction):
    table = pd.DataFrame(np.eye(4), index=["A", "B", "C", "D+E"])
    ax = tx.pl.embedding(table, measured=["E+D"], gene_sets={"set": ["E"]}, label=["A"])
    _, labels = ax.get_legend_handles_labels()
    assert labels == ["other, predicted only", "set, measured"]
    assert [text.get_text() for text in ax.texts] == ["A"]
    with pytest.raises(KeyError, match="'Z' on the map"):
        tx.pl.embedding(table, label=["Z"])


@pytest.mark.parametrize("plot", [tx.pl.profile, tx.pl.volcano])
def test_unknown_names_are_named(plot, make_prediction):
    with pytest.raises(KeyError, match="no predicted perturbation 'NOPE'; there are G0, G1"):
        plot(make_prediction(200), "NOPE")
    with pytest.raises(KeyError, match="no cell line 'HeLa'"):
        plot(make_prediction(), "G1", cell_line="HeLa")


def test_figures_are_saved_and_drawn_on_axes(make_prediction, tmp_path):
    _, ax = plt.subplots()
    assert tx.pl.ranking(make_prediction(), ax=ax, save=tmp_path / "a.png") is ax
    assert (tmp_path / "a.png").stat().st_size > 1_000


def test_what_is_no_prediction_is_refused(adata):
    with pytest.raises(KeyError, match=r"model\.predict"):
        tx.pl.ranking(adata)
    prediction = tx.baselines.GeneralBaseline().fit(adata).predict("GENE3")
    with pytest.raises(ValueError, match="by is 'size'"):
        tx.pl.ranking(prediction, "sise")
    with pytest.raises(ValueError, match="None of the 1 genes"):
        tx.pl.ranking(prediction, ["NOPE"])
    with pytest.raises(ValueError, match="excluded"):
        tx.pl.ranking(prediction, exclude=["GENE3"])


@pytest.mark.parametrize(("control", "unit"), [(0, ""), (1, " (log1p)")])
def test_the_unit_of_an_effect_table_is_not_that_of_expression(control, unit, make_prediction):
    prediction = make_prediction()
    prediction.X = prediction.layers["delta"] + np.float32(control)
    assert tx.pl.profile(prediction, "G3").get_xlabel() == f"predicted Δ{unit}"
    assert tx.pl.volcano(prediction, "G3").get_xlabel() == f"predicted Δ{unit}"
    figure = tx.pl.heatmap(prediction).figure
    assert f"Δ{unit}" in [ax.get_ylabel() for ax in figure.axes]


def test_another_tool_need_not_predict_expression(make_prediction):
    prediction = make_prediction()
    del prediction.X
    assert prediction.X is None
    assert tx.pl.profile(prediction, "G3").get_xlabel() == "predicted Δ (log1p)"


def test_an_evaluation_of_effects_is_drawn_in_their_unit():
    rng = np.random.default_rng(0)
    genes = [f"G{i}" for i in range(12)]
    effects = pd.DataFrame(rng.normal(size=(12, 20)), index=genes)
    effects.columns = [f"M{i}" for i in range(20)]
    adata = tx.pp.from_effects(effects)
    adata.obs["split"] = ["train"] * 8 + ["test"] * 4 + [None] * (adata.n_obs - 12)
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, _chain(genes), components=["mean"])
    model.train(enable_progress_bar=False)
    tx.tl.evaluate(adata, model)
    assert tx.pl.delta(adata, "G8").get_xlabel() == "observed Δ"
    tx.tl.trust(adata)
    assert "predicted − observed Δ" in [ax.get_ylabel() for ax in tx.pl.trust(adata).axes]


def _chain(genes):
    edges = pd.DataFrame({"source": genes[:-1], "target": genes[1:]})
    return tx.graph.KnowledgeGraph.from_edges(edges, name="chain", directed=False)
