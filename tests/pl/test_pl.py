from types import SimpleNamespace

import anndata as ad
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import txpert as tx


@pytest.fixture
def evaluated(two_lines, make_model):
    model = make_model(two_lines)
    tx.tl.evaluate(two_lines, model)
    yield two_lines, model
    plt.close("all")


def points(ax):
    return np.asarray(ax.collections[0].get_offsets())


@pytest.mark.parametrize("metric", ["pearson_delta", "retrieval", "mse"])
def test_scores_show_each_perturbation_once(evaluated, metric):
    adata, _ = evaluated
    ax = tx.pl.scores(adata, metric)
    metrics = adata.uns["txpert"]["metrics"]
    by_model = {name: part[metric] for name, part in metrics.groupby("model")}
    assert sorted(points(ax)[:, 0]) == pytest.approx(sorted(by_model["general"]))
    assert sorted(points(ax)[:, 1]) == pytest.approx(sorted(by_model["TxPert"]))
    assert f"{by_model['TxPert'].mean():.3g}" in ax.get_ylabel()


def test_delta_shows_each_gene_and_marks_the_target(evaluated):
    adata, _ = evaluated
    results = adata.uns["txpert"]
    label, line = results["delta_obs"].iloc[-1][["perturbation", "cell_line"]]
    _, given = plt.subplots()
    ax = tx.pl.delta(adata, label, cell_line=line, ax=given)
    assert ax is given
    expected = np.c_[results["delta"]["observed"][-1], results["delta"]["TxPert"][-1]]
    np.testing.assert_allclose(points(ax), expected, rtol=1e-5)
    marked = np.asarray(ax.collections[1].get_offsets())
    gene = list(adata.var_names).index(label)
    np.testing.assert_allclose(marked, expected[[gene]], rtol=1e-5)
    assert f"{label} (target)" in {text.get_text() for text in ax.texts}


def test_history_draws_losses_and_score(evaluated):
    _, model = evaluated
    losses, score = tx.pl.history(model).axes
    drawn = losses.lines[0].get_ydata()
    np.testing.assert_allclose(drawn, model.history["train_loss"].iloc[:, 0].astype(float))
    assert [text.get_text() for text in losses.get_legend().get_texts()] == [
        "training",
        "validation",
    ]
    values = model.history["pearson_delta_validation"].iloc[:, 0].astype(float)
    np.testing.assert_allclose(score.lines[0].get_ydata(), values)
    assert score.get_title() == f"best: {values.max():.3f}, epoch {values.idxmax()}"
    _, given = plt.subplots()
    assert tx.pl.history(model, ax=given) is given


def test_history_parts_the_fits():
    loss = pd.DataFrame({"train_loss": [3.0, 2, 1, 5, 4]})
    history = {"train_loss": loss, "fit": pd.DataFrame({"fit": [1, 1, 1, 2, 2]})}
    (ax,) = tx.pl.history(SimpleNamespace(history=history)).axes
    border, line = ax.lines
    assert set(border.get_xdata()) == {2.5}
    np.testing.assert_array_equal(line.get_ydata(), [3, 2, 1, np.nan, 5, 4])


def test_what_is_missing_is_named(evaluated, graph):
    adata, _ = evaluated
    with pytest.raises(KeyError, match="no metric 'r2'; there are pearson_delta"):
        tx.pl.scores(adata, "r2")
    with pytest.raises(KeyError, match="no model 'GEARS'; there are TxPert, general"):
        tx.pl.scores(adata, model="GEARS")
    with pytest.raises(KeyError, match="no scored perturbation 'NOPE'"):
        tx.pl.delta(adata, "NOPE")
    label = adata.uns["txpert"]["delta_obs"]["perturbation"].iloc[0]
    with pytest.raises(KeyError, match="no cell line of GENE"):
        tx.pl.delta(adata, label, cell_line="HepG2")
    del adata.uns["txpert"]
    with pytest.raises(KeyError, match=r"run tx.tl.evaluate"):
        tx.pl.scores(adata)


def test_untrained_models_have_no_history(adata, make_model):
    with pytest.raises(ValueError, match=r"train it with model.train\(\)"):
        tx.pl.history(make_model(adata, epochs=0))


def test_nothing_defined_to_draw(evaluated):
    adata, _ = evaluated
    adata.uns["txpert"]["metrics"]["pearson_delta"] = np.nan
    with pytest.raises(ValueError, match="undefined for every perturbation"):
        tx.pl.scores(adata)


def test_scores_have_equal_ticks_groups_and_the_interval(evaluated):
    adata, _ = evaluated
    metrics = adata.uns["txpert"]["metrics"]
    label = metrics["perturbation"].iloc[0]
    adata.obs["split_group"] = np.where(adata.obs["perturbation"] == label, "one", "two")
    ax = tx.pl.scores(adata)
    assert ax.get_xticks().tolist() == ax.get_yticks().tolist()
    _, labels = ax.get_legend_handles_labels()
    n = len(adata.uns["txpert"]["delta_obs"])
    assert labels == ["one (2)", f"two ({n - 2})"]
    assert f"n = {n}" in ax.get_title()


def test_existing_figures_are_drawn_whole(evaluated, check_figure):
    adata, model = evaluated
    obs = adata.uns["txpert"]["delta_obs"]
    obs["perturbation"] = obs["perturbation"].astype(str)
    obs.loc[0, "perturbation"] = "A_LONG_NAME_OF_A+PAIR_OF_TWO_GENES"
    metrics = adata.uns["txpert"]["metrics"]
    metrics["perturbation"] = metrics["perturbation"].astype(str)
    old = metrics["perturbation"].iloc[0]
    first = (metrics["perturbation"] == old) & (metrics["cell_line"] == obs.loc[0, "cell_line"])
    metrics.loc[first, "perturbation"] = obs.loc[0, "perturbation"]
    for style in ("default", "dark_background"):
        check_figure(lambda: tx.pl.delta(adata, obs.loc[0, "perturbation"]), style)
        check_figure(lambda: tx.pl.scores(adata), style)
        check_figure(lambda: tx.pl.history(model), style)


def test_modalities_are_observations_of_their_own(graph):
    genes = graph.nodes[:12]
    effects = np.random.default_rng(0).normal(size=(24, 12))
    table = pd.DataFrame(effects, index=[*genes, *genes], columns=genes)
    adata = tx.pp.from_effects(table, modality=["CRISPRi"] * 12 + ["CRISPRa"] * 12)
    tx.pp.split(adata)
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graph, components="mean")
    model.train()
    tx.tl.evaluate(adata, model)
    results = adata.uns["txpert"]
    n = len(results["delta_obs"])
    ax = tx.pl.scores(adata, n_labels=n)
    assert len(points(ax)) == n
    label = results["delta_obs"]["perturbation"].iloc[0]
    for modality in ("CRISPRi", "CRISPRa"):
        obs = results["delta_obs"]
        row = np.flatnonzero((obs["perturbation"] == label) & (obs["modality"] == modality))[0]
        ax = tx.pl.delta(adata, label, modality=modality)
        assert modality in ax.get_title()
        np.testing.assert_allclose(points(ax)[:, 0], results["delta"]["observed"][row], rtol=1e-5)
    with pytest.raises(KeyError, match=f"no modality of {label} 'deletion'"):
        tx.pl.delta(adata, label, modality="deletion")
    plt.close("all")


def test_scores_are_colored_by_the_registered_split(two_lines, make_model, tmp_path):
    two_lines.obs = two_lines.obs.rename(columns={"perturbation": "gene", "split": "fold"})
    two_lines.obs["split_group"] = "another split"
    tx.TxPertModel.setup_anndata(two_lines, perturbation_key="gene", split_key="fold")
    model = make_model(two_lines, setup=False)
    tx.tl.evaluate(two_lines, model)
    labels = set(two_lines.uns["txpert"]["metrics"]["perturbation"].astype(str))
    first = sorted(labels)[0]
    two_lines.obs["fold_group"] = np.where(two_lines.obs["gene"] == first, "one", "two")
    two_lines.write_h5ad(tmp_path / "evaluated.h5ad")
    read = ad.read_h5ad(tmp_path / "evaluated.h5ad")
    del read.uns["_scvi_uuid"]  # as in another process, which knows no registration
    for data in (two_lines, read):
        _, drawn = tx.pl.scores(data).get_legend_handles_labels()
        assert [text.split(" (")[0] for text in drawn] == ["one", "two"]


def test_a_model_is_not_compared_with_itself(evaluated):
    adata, model = evaluated
    with pytest.raises(ValueError, match=r"'general' would .* has TxPert, general"):
        tx.pl.scores(adata, model="general")
    tx.tl.evaluate(adata, model, baselines={})
    with pytest.raises(ValueError, match="evaluate with a baseline"):
        tx.pl.scores(adata)
    assert not plt.get_fignums()


def test_options_that_are_other_words_are_refused(evaluated):
    adata, _ = evaluated
    label = adata.uns["txpert"]["delta_obs"]["perturbation"].iloc[0]
    with pytest.raises(ValueError, match="name_by must be one of 'change', 'error'"):
        tx.pl.delta(adata, label, name_by="nonsense")
    with pytest.raises(KeyError, match="no modality 'CRISPRi'"):
        tx.pl.delta(adata, label, modality="CRISPRi")
    tx.tl.trust(adata)
    with pytest.raises(KeyError, match="no scored perturbation 'zz'"):
        tx.pl.trust(adata, perturbation="zz")
    assert not plt.get_fignums()
