"""Genetic interactions: by hand, planted in a simulation, and on a real screen."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert._analysis._interactions import distance_correlation, interaction_scores, precision_at


@pytest.fixture(scope="module")
def screen():
    graph = tx.datasets.toy_graph()
    settings = tx.datasets.SimulationParameters(
        n_programs=2, program_size=0.8, stress_scale=0, synergy_factor=3.0, dispersion=50.0
    )
    adata = tx.datasets.simulate(
        8, 60, 150, n_doubles=12, graph=graph, parameters=settings, seed=1
    )
    tx.pp.normalize(adata)
    return adata


def test_scores_by_hand():
    a, b = np.array([1.0, 0, 0, -1, 0, 2]), np.array([0, 1.0, -1, 0, 2, 0])
    additive = interaction_scores(a, b, a + b)
    assert additive["c1"] == pytest.approx(1)
    assert additive["magnitude"] == pytest.approx(np.sqrt(2))
    expected = {"synergy": 0, "suppression": 0, "neomorphism": 0, "deviation": 0}
    assert {name: additive[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    twice = interaction_scores(a, b, 2 * (a + b))
    assert twice["synergy"] == pytest.approx(1) == -twice["suppression"]
    masked = interaction_scores(a, b, a)
    assert (masked["c1"], masked["c2"]) == pytest.approx((1, 0))
    assert masked["synergy"] == pytest.approx(-0.5)  # |a|² / |a + b|² - 1
    assert masked["epistasis"] > 0.3 > additive["epistasis"]
    assert interaction_scores(a, a, a)["redundancy"] == pytest.approx(1)
    rng = np.random.default_rng(0)
    assert interaction_scores(a, b, rng.normal(size=6))["neomorphism"] > 0.02
    assert np.isnan(interaction_scores(0 * a, b, b)["synergy"])


def test_distance_correlation_by_hand():
    # Distances 0 1 / 1 0 of two points, centered: ∓1/2 on and off the diagonal.
    assert distance_correlation(np.array([0.0, 1]), np.array([5.0, 3])) == pytest.approx(1)
    x = np.linspace(-1, 1, 51)
    assert 0.3 < distance_correlation(x, x**2) < 0.7  # Pearson's r is 0
    assert np.isnan(distance_correlation(x, 0 * x))


def test_precision_by_hand():
    observed = np.array([5.0, 4, 3, 2, np.nan])
    assert precision_at(np.array([9.0, 1, 8, 0, 10]), observed, 2) == 0.5
    assert precision_at(observed, observed, 3) == 1


def test_planted_synergy_ranks_first_and_buffering_last(screen):
    table = tx.tl.interactions(screen).set_index("perturbation")
    planted = screen.uns["truth"]["interactions"].set_index("perturbation")["kind"]
    kind = planted.reindex(table.sort_values("synergy", ascending=False).index)
    n = (planted == "synergistic").sum()
    assert n == 2
    assert set(kind[:n]) == {"synergistic"}
    by_kind = table["synergy"].groupby(planted).median()
    assert by_kind["buffering"] < by_kind["additive"] < by_kind["synergistic"]


def test_the_truth_predicts_what_is_observed(screen):
    oracle = tx.datasets.TruthOracle(screen)
    tx.tl.interactions(screen, oracle, k=2)
    result = screen.uns["txpert_interactions"]
    precision = result["precision"].set_index("score")
    assert precision.loc["synergy", "precision"] == 1
    assert precision.loc["synergy", "random"] == pytest.approx(2 / 12)
    predicted = result["scores"].query("source == 'predicted'")
    assert (predicted["observed_r"] > 0.9).all()
    general = tx.baselines.GeneralBaseline().fit(screen[:, :].copy())
    scores = tx.tl.interactions(screen, general, pairs="all")
    assert len(scores) == 12 + 8 * 7 // 2


def test_a_prediction_and_errors(screen):
    prediction = tx.datasets.truth(screen)
    scores = tx.tl.interactions(screen, prediction)
    assert set(scores["source"]) == {"observed", "predicted"}
    with pytest.raises(KeyError, match="no cell line 'HeLa'"):
        tx.tl.interactions(screen, cell_line="HeLa")
    with pytest.raises(ValueError, match="no pair such as"):
        tx.tl.interactions(screen, pairs=["A"])
    singles = screen[~screen.obs["perturbation"].astype(str).str.contains("+", regex=False)]
    with pytest.raises(ValueError, match="No pair can be scored"):
        tx.tl.interactions(singles.copy())


def test_results_are_kept_in_a_file(screen, tmp_path):
    tx.tl.interactions(screen, k=3)
    screen.write_h5ad(tmp_path / "a.h5ad")
    again = ad.read_h5ad(tmp_path / "a.h5ad").uns["txpert_interactions"]
    assert again["params"] == {"n_genes": 1_000, "k": 3}
    pd.testing.assert_frame_equal(
        again["scores"],
        screen.uns["txpert_interactions"]["scores"],
        check_index_type=False,
        check_dtype=False,
    )


def test_on_a_real_screen(shared):
    adata = ad.read_h5ad(shared("norman_mcfaline.h5ad"))
    adata = adata[adata.obs["cell_line"].astype(str) == "K562"].copy()
    adata.obs["control"] = adata.obs["perturbation"].astype(str) == "control"
    scores = tx.tl.interactions(adata)
    assert scores["perturbation"].nunique() == 5
    assert (scores["additive_r"] > 0.5).mean() > 0.5
    assert scores["synergy"].median() < 0.1  # most pairs do less than the sum of their parts


@pytest.mark.parametrize("pairs", [[], "measured"])
def test_no_pair_is_no_deep_error(model, pairs):
    adata = tx.datasets.toy()
    adata = adata[~adata.obs["perturbation"].astype(str).str.contains("+", regex=False)].copy()
    with pytest.raises(ValueError, match="No pair can be scored"):
        tx.tl.interactions(adata, model, pairs=pairs)


def test_a_pair_named_twice_is_scored_once(screen):
    pair = tx.tl.interactions(screen)["perturbation"][0]
    turned = "+".join(reversed(pair.split("+")))
    assert tx.tl.interactions(screen, pairs=[pair, turned])["perturbation"].tolist() == [pair]
