"""Agreement with cell-eval, the Arc Institute's metrics, where it is installed."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from txpert import metrics

cell_eval = pytest.importorskip("cell_eval")
N_CONDITIONS, N_GENES, N_CELLS = 9, 40, 5
LABELS = [f"P{i}" for i in range(N_CONDITIONS)]


def in_order(scores):
    return np.array([scores[label] for label in LABELS])


@pytest.fixture
def pair():
    """Two screens with the same controls, as cell-eval takes them, and our Δ of each."""
    rng = np.random.default_rng(0)
    controls = rng.uniform(2, 3, size=(N_CELLS, N_GENES))
    effects = rng.normal(0, 0.5, size=(N_CONDITIONS, 1, N_GENES))
    guesses = 0.3 * effects + rng.normal(0, 0.6, size=effects.shape)
    screens, deltas = [], []
    for effect in (effects, guesses):
        cells = controls + effect + rng.normal(0, 0.1, (N_CONDITIONS, N_CELLS, N_GENES))
        deltas.append((cells - controls.mean(axis=0)).mean(axis=1))
        obs = pd.DataFrame({"target": np.repeat(["control", *LABELS], N_CELLS)}).rename(str)
        screens.append(ad.AnnData(np.vstack([controls, *cells]), obs=obs))
    real, pred = screens
    data = cell_eval.PerturbationAnndataPair(
        real=real, pred=pred, pert_col="target", control_pert="control"
    )
    return data, deltas[1], deltas[0]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("pearson_delta", metrics.pearson_delta),
        ("mse_delta", metrics.mse),
        ("mse", metrics.mse),
        ("mae_delta", metrics.mae),
        ("mae", metrics.mae),
    ],
)
def test_correlation_and_error(pair, theirs, ours):
    data, pred, true = pair
    expected = in_order(getattr(cell_eval.metrics, theirs)(data))
    np.testing.assert_allclose(ours(pred, true), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("correlation", metrics.retrieval),
        ("cosine", lambda pred, true: metrics.retrieval(pred, true, by="cosine")),
        ("l2", metrics.centroid_accuracy),
    ],
)
def test_discrimination_score(pair, theirs, ours):
    """Theirs counts how many are closer out of all, own included; ours out of the others."""
    data, pred, true = pair
    score = in_order(
        cell_eval.metrics.discrimination_score(data, metric=theirs, exclude_target_gene=False)
    )
    expected = 1 - (1 - score) * N_CONDITIONS / (N_CONDITIONS - 1)
    assert expected.min() < 1
    np.testing.assert_allclose(ours(pred, true), expected, atol=1e-6)


@pytest.fixture
def differential_expression():
    """Tables of a test for cell-eval, and our Δ and mask of the genes truly changed."""
    polars = pytest.importorskip("polars")
    rng = np.random.default_rng(0)
    true = rng.normal(size=(N_CONDITIONS, N_GENES))
    sizes = rng.permuted(np.tile(np.arange(1.0, N_GENES + 1), (N_CONDITIONS, 1)), axis=1)
    pred = sizes * np.sign(true + rng.normal(size=true.shape))
    de = np.abs(true) > 0.8

    def table(delta, fdr):
        columns = {
            "target": np.repeat(LABELS, N_GENES),
            "feature": np.tile([f"G{i}" for i in range(N_GENES)], N_CONDITIONS),
            "log2_fold_change": delta.ravel(),
            "abs_log2_fold_change": np.abs(delta).ravel(),
            "p_value": fdr.ravel(),
            "fdr": fdr.ravel(),
        }
        return polars.DataFrame(columns)

    comparison = cell_eval.initialize_de_comparison(
        real=table(true, np.where(de, 0.01, 0.5)), pred=table(pred, 10 ** (-2 - sizes / 10))
    )
    return comparison, pred, true, de


def test_metrics_of_differentially_expressed_genes(differential_expression):
    comparison, pred, true, de = differential_expression
    theirs = cell_eval.metrics
    for function, ours in [
        (theirs.compute_roc_auc, metrics.de_auroc(pred, de)),
        (theirs.compute_pr_auc, metrics.de_auprc(pred, de)),
        (theirs.DEDirectionMatch(), metrics.direction_accuracy(pred, true, genes=de)),
        (theirs.DESpearmanLFC(), metrics.spearman_delta(pred, true, genes=de)),
    ]:
        np.testing.assert_allclose(ours, in_order(function(comparison)), atol=1e-9)


def test_overlap_of_the_top_genes(differential_expression):
    comparison, pred, true, de = differential_expression
    k = 8
    assert de.sum(axis=1).min() >= k
    shared = metrics.top_genes(pred, k) & metrics.top_genes(np.where(de, true, np.nan), k)
    expected = in_order(cell_eval.metrics.de_overlap_metric(comparison, k=k))
    np.testing.assert_allclose(shared.sum(axis=1) / k, expected)
