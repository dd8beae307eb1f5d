import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import txpert as tx
from txpert.datasets import SimulationParameters


@pytest.fixture(scope="module")
def screen():
    adata = tx.datasets.simulate(n_perturbations=40, n_genes=200, n_cells=60, seed=1)
    tx.pp.normalize(adata)
    return adata


def test_form(screen):
    assert screen.shape == (40 * 60 + 266, 200)
    assert set(screen.obs) == {"perturbation", "control", "batch", "cell_line"}
    assert sparse.issparse(screen.X)
    counts = screen.layers["counts"].data
    assert (counts % 1 == 0).all()
    assert screen.obs.groupby("perturbation", observed=True).size().drop("control").eq(60).all()
    controls = screen.obs[screen.obs["control"]]
    assert controls.groupby("batch", observed=True).size().min() > 50


def test_a_seed_gives_one_screen():
    first, again, other = (
        tx.datasets.simulate(n_perturbations=5, n_genes=30, n_cells=5, seed=s) for s in (0, 0, 1)
    )
    assert (first.X != again.X).nnz == 0
    assert first.obs.equals(again.obs)
    assert list(first.var_names) != list(other.var_names)


def test_observed_effects_follow_the_truth(screen):
    truth = screen.uns["truth"]["log_fold_change"]
    table = tx.pp.pseudobulk(screen)
    rows = ~table.obs["control"].to_numpy()
    delta = pd.DataFrame(table.layers["delta"][rows], columns=table.var_names)
    mean = delta.groupby(table.obs["perturbation"].astype(str).to_numpy()[rows]).mean()
    expressed = np.asarray(screen.X.mean(axis=0)).ravel() > 0.5
    scores = tx.metrics.pearson_delta(
        mean.loc[truth.index, expressed], truth.loc[:, expressed].to_numpy()
    )
    assert np.median(scores) > 0.6


def test_targets_are_knocked_down(screen):
    table = tx.pp.pseudobulk(screen)
    expression = pd.DataFrame(table.X, index=table.obs["perturbation"], columns=table.var_names)
    expressed = expression.loc["control"].mean() > 1
    targets = [t for t in screen.uns["truth"]["log_fold_change"].index if expressed[t]]
    left = [expression.loc[t, t].mean() / expression.loc["control", t].mean() for t in targets]
    assert np.median(left) < 0.7


def test_neighbours_in_the_graph_share_effects():
    graph = tx.datasets.toy_graph()
    parameters = SimulationParameters(graph_share=0.95, stress_scale=0.0)
    adata = tx.datasets.simulate(
        60, 60, 2, graph=graph, n_batches=1, parameters=parameters, seed=2
    )
    truth = adata.uns["truth"]["log_fold_change"]
    similarity = pd.DataFrame(np.corrcoef(truth), truth.index, truth.index)
    edges = graph.edges
    neighbours = np.mean(
        [similarity.loc[s, t] for s, t in zip(edges.source, edges.target, strict=True)]
    )
    assert neighbours > similarity.to_numpy()[np.triu_indices(60, 1)].mean() + 0.05


def test_batches_differ_in_their_controls(screen):
    table = tx.pp.pseudobulk(screen)
    controls = table.X[table.obs["control"].to_numpy()]
    assert np.abs(controls - controls.mean(axis=0)).mean() > 0.03


def test_a_graph_too_small_is_refused(graph):
    with pytest.raises(ValueError, match="too few for 61"):
        tx.datasets.simulate(61, 60, graph=graph)


def test_toy_is_small_and_normalised():
    adata = tx.datasets.toy()
    assert adata.shape == (360, 60)
    tx.TxPertModel.setup_anndata(adata)
