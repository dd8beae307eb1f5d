"""A screen's report finds what was planted, and agrees with hand-worked cases."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert._analysis._replicates import replicate_retrieval
from txpert._analysis._screen_quality import (
    batch_association,
    control_correlations,
    count_de,
    mean_effect_halves,
    mean_effect_similarity,
)

KEY = "txpert_screen_report"


@pytest.fixture(scope="module")
def planted():
    """One stress axis stronger than the programs, and some perturbations in few batches."""
    settings = tx.datasets.SimulationParameters(
        stress_scale=1.0, effect_scale=0.1, confounded=0.25, confounded_batches=1, batch_scale=0.3
    )
    adata = tx.datasets.simulate(
        24,
        60,
        60,
        n_controls=400,
        n_cell_lines=2,
        graph=tx.datasets.toy_graph(),
        seed=2,
        parameters=settings,
    )
    tx.pp.normalize(adata)
    tx.tl.screen_report(adata)
    return adata


def test_planted_confounding_is_found(planted):
    found = planted.uns[KEY]["perturbations"].set_index(["perturbation", "cell_line"])
    truth = planted.uns["truth"]["conditions"].query("n_cells > 0")
    truth = truth.set_index(["perturbation", "cell_line"])["confounded"].reindex(found.index)
    pd.testing.assert_series_equal(
        found["batch_fdr"] < 1e-4, truth.astype(bool), check_names=False
    )
    summary = planted.uns[KEY]["summary"]
    assert (summary["batch_p_value"] < 1e-10).all()
    assert (summary["batch_cramers_v"] > 0.3).all()


def test_planted_stress_axis_is_the_mean_effect(planted):
    report, truth = planted.uns[KEY], planted.uns["truth"]
    for line, mean in zip(report["lines"], report["mean_effect"], strict=True):
        delta = truth["delta"][(truth["conditions"]["cell_line"] == line).to_numpy()]
        axis = np.linalg.svd(delta)[2][0]
        assert abs(np.corrcoef(axis, mean)[0, 1]) > 0.97
    table = report["perturbations"]
    assert table["r_mean_own"].median() > 0.7
    assert table["r_mean_other"].median() < table["r_mean_own"].median()


def test_batches_knockdown_and_replicates(planted):
    report = planted.uns[KEY]
    summary, table = report["summary"], report["perturbations"]
    assert (summary["controls_median_within"] > summary["controls_median_across"]).all()
    assert (summary["controls_p_value"] < 0.05).all()
    assert table["remaining"].median() == pytest.approx(0.2, abs=0.08)  # knockdown=0.2
    assert table["effect_size"].corr(table["n_de"], method="spearman") > 0.5
    assert (report["retrieval"]["mean"] > 0.55).all()


def test_report_is_kept_in_a_file(planted, tmp_path):
    planted.write_h5ad(tmp_path / "a.h5ad")
    again = ad.read_h5ad(tmp_path / "a.h5ad").uns[KEY]
    assert again["summary"].shape == planted.uns[KEY]["summary"].shape


def test_controls_by_hand():
    halves = np.array([[[1.0, 0], [1, 0]], [[0, 1], [0, 1]]])
    table, test = control_correlations(halves, ["a", "b"])
    assert table["kind"].tolist() == ["within", "across", "across", "within"]
    np.testing.assert_allclose(table["r"], [1, -1, -1, 1])
    assert test["u"] == 4
    _, alone = control_correlations(halves[:1], ["a"])
    assert np.isnan(alone["p_value"])


def test_association_by_hand():
    counts = pd.DataFrame([[10, 0], [0, 10]], index=["A", "B"], columns=["x", "y"])
    summary, each = batch_association(counts)
    assert (summary["chi2"], summary["dof"]) == (20, 1)
    assert summary["cramers_v"] == pytest.approx(1)
    assert each["most_common_batch"].tolist() == [1, 1]
    none, each = batch_association(counts[["x"]])
    assert np.isnan(none["chi2"])
    assert each["batch_fdr"].isna().all()


def test_mean_effect_and_de_by_hand():
    delta = np.array([[1.0, 2, 3], [2, 4, 6], [3, 2, 1], [-1, 0, 1]])
    table = mean_effect_similarity(delta, ["K", "K", "K", "R"])
    assert table["r_mean_own"][0] == pytest.approx(1)  # of (2.5, 3, 3.5)
    assert np.isnan(table["r_mean_own"][3])
    assert table["r_mean_other"][3] == pytest.approx(1)  # of (2, 8/3, 10/3)
    n = count_de(
        np.array([[1.0, 0.01], [1, 1]]), np.ones((2, 2)), np.array([100.0, 1]), (np.ones(2), 100)
    )
    assert n[0] == 1
    assert np.isnan(n[1])


def test_retrieval_by_hand():
    delta = np.array([[1.0, 0, 0], [0, 1, 0], [1, 0.1, 0], [0.1, 1, 0]])
    table = replicate_retrieval(delta, ["A", "B", "A", "B"], ["x", "x", "y", "y"])
    assert (table["mean"] == 1).all()
    assert (table["n"] == 4).all()
    assert (replicate_retrieval(delta, ["A", "B", "C", "D"], ["x"] * 4)["n"] == 0).all()


def test_cells_look_for_their_perturbation():
    delta = np.array([[1.0, 0, 0], [0, 1, 0], [1, 0.1, 0], [0.1, 1, 0]])
    cells = np.array([[3.0, 0.2, 0], [0.3, 2, 0], [-1, 5, 0]]), np.array([0, 1, 0])
    table = replicate_retrieval(delta, ["A", "B", "A", "B"], ["x", "x", "y", "y"], cells)
    assert table["unit"].value_counts().to_dict() == {"pseudobulk": 9, "cell": 9}
    rows = table[table["representation"] == "delta"].set_index(["unit", "metric"])
    assert rows.loc[("cell", "cosine"), "mean"] == pytest.approx(2 / 3)  # the third looks like B
    assert rows.loc[("cell", "cosine"), ["quantile_90", "n"]].tolist() == [1, 3]
    assert rows.loc[("pseudobulk", "cosine"), "mean"] == 1


def test_halves_share_no_perturbation():
    rng = np.random.default_rng(0)
    stress, names = rng.normal(size=50), [f"P{i}" for i in range(20)]
    own = rng.normal(size=(20, 50))
    delta = np.concatenate([own + 3 * stress, own, own + 3 * stress])
    lines = np.repeat(["K", "R", "H"], 20)
    r = mean_effect_halves(delta, names * 3, lines.tolist())
    assert r.loc["K", "K"] > 0.9
    assert r.loc["K", "H"] > 0.9
    assert abs(r.loc["K", "R"]) < 0.3  # the same effects, but for the mean
    assert abs(r.loc["R", "R"]) < 0.3
    alone = mean_effect_halves(delta[:1], ["P0"], ["K"])
    assert np.isnan(alone.loc["K", "K"])


@pytest.fixture(scope="module")
def guided():
    """Three guides per gene, of which one does not cut: its cells are those of controls."""
    adata = tx.datasets.simulate(
        6, 60, 60, n_controls=300, n_batches=2, graph=tx.datasets.toy_graph(), seed=1
    )
    tx.pp.normalize(adata)
    label = adata.obs["perturbation"].astype(str)
    number = (np.arange(len(label)) % 3 + 1).astype(str)
    gene = label[~adata.obs["control"]].iloc[0]
    adata.obs["guide"] = label.replace("control", "NT") + "g" + number
    adata.obs.loc[adata.obs["guide"] == f"{gene}g2", "guide"] = f"{gene}g1"
    idle = adata.obs_names[adata.obs["control"]][:40]
    adata.obs.loc[idle, ["perturbation", "guide"]] = gene, f"{gene}g2"
    adata.obs.loc[idle, "control"] = False
    return adata, f"{gene}g2"


def test_a_guide_that_does_not_cut_is_found(guided):
    adata, idle = guided
    tx.tl.screen_report(adata, guide_key="guide")
    table = adata.uns[KEY]["guides"].set_index("guide")
    assert len(table) == 18
    assert table["r_others"].idxmin() == table["n_de"].idxmin() == idle
    assert table.loc[table.index != idle, "r_others"].min() > table.loc[idle, "r_others"] + 0.2


def test_a_guide_alone_agrees_with_nobody_and_is_its_gene(guided):
    adata = guided[0].copy()
    adata.obs["guide"] = adata.obs["perturbation"].astype(str) + "_one"
    adata.obs.loc[adata.obs["control"], "guide"] = None
    tx.tl.screen_report(adata, guide_key="guide")
    report = adata.uns[KEY]
    assert report["guides"]["r_others"].isna().all()
    both = report["perturbations"].merge(report["guides"], on=["perturbation", "cell_line"])
    np.testing.assert_allclose(both["effect_size_x"], both["effect_size_y"], rtol=1e-6)
    assert (both["n_de_x"] == both["n_de_y"]).all()


def test_guides_that_cannot_be_read_are_refused(guided):
    adata = guided[0].copy()
    with pytest.raises(KeyError, match="no column 'sgRNA'"):
        tx.tl.screen_report(adata, guide_key="sgRNA")
    adata.obs["guide"] = "g1"
    with pytest.raises(ValueError, match="'g1'"):
        tx.tl.screen_report(adata, guide_key="guide")


def test_no_target_measured_gives_no_warning(guided, recwarn):
    adata = guided[0].copy()
    others = ~adata.var_names.isin(adata.obs["perturbation"].unique())
    assert np.isnan(tx.tl.screen_report(adata[:, others].copy())["median_remaining"]).all()
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


def test_halves_of_a_single_batch_are_not_compared():
    """Two halves that are centered on their own mean are opposites, whatever they hold."""
    adata = tx.datasets.toy()
    summary = tx.tl.screen_report(adata, batch_key=None)
    assert np.isnan(summary["controls_median_within"]).all()
    assert summary["controls_n_within"].tolist() == [0]
    assert adata.uns[KEY]["controls"].empty
    tx.pl.screen_report(adata, show=False)


def test_a_screen_of_controls_alone_is_refused():
    adata = tx.datasets.toy()
    with pytest.raises(ValueError, match="All cells are controls"):
        tx.tl.screen_report(adata[adata.obs["control"]].copy())


def test_a_report_under_another_name_is_read_from_there(model):
    adata = tx.datasets.toy()
    tx.tl.screen_report(adata, key_added="mine")
    with pytest.raises(KeyError, match="txpert_screen_report"):
        tx.tl.enrichment(adata)
    with pytest.raises(ValueError, match="None of the 60 genes"):
        tx.tl.enrichment(adata, report_key="mine")
    tx.pp.split(adata)
    tx.tl.evaluate(adata, model, baselines={})
    assert "n_de" in tx.tl.trust(adata, report_key="mine")["covariate"].tolist()
