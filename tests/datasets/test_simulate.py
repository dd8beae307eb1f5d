import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import txpert as tx
from txpert.data._batches import average_over_batches
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


def test_a_gene_whose_name_reads_as_a_control_is_no_target():
    graph = tx.datasets.toy_graph()
    nodes = ["CTRL" if gene == "GENE7" else gene for gene in graph.nodes]
    graph = tx.graph.KnowledgeGraph("named", nodes, graph.source, graph.target, graph.weight)
    every = len(nodes) - 1
    adata = tx.datasets.simulate(every, 60, 5, n_batches=1, graph=graph)
    assert set(adata.obs["perturbation"]) == {"control", *nodes} - {"CTRL"}
    with pytest.raises(ValueError, match=f"{every} nodes with an incoming edge, too few"):
        tx.datasets.simulate(every + 1, 60, 5, graph=graph)


def observed(screen):
    """Mean Δ over batches: perturbations of each line in rows, like the truth."""
    table = tx.pp.pseudobulk(screen)
    rows = ~table.obs["control"].to_numpy()
    return average_over_batches(table.layers["delta"][rows], table.obs[rows])


def test_observed_effects_follow_the_truth(screen):
    delta, obs = observed(screen)
    truth = tx.datasets.truth(screen)[obs["perturbation"].astype(str)]
    assert np.median(tx.metrics.pearson_delta(delta, truth.layers["delta"])) > 0.9


def test_delta_of_many_cells_is_the_truth():
    adata = tx.datasets.simulate(
        4, 100, 3_000, n_batches=2, n_cell_lines=2, n_doubles=2, graph=tx.datasets.toy_graph()
    )
    tx.pp.normalize(adata)
    delta, obs = observed(adata)
    truth = tx.datasets.truth(adata)
    truth = truth[obs["cell_line"].astype(str) + "|" + obs["perturbation"].astype(str)]
    assert len(obs) == (truth.obs["n_cells"] > 0).sum()
    assert tx.metrics.pearson_delta(delta, truth.layers["delta"]).min() > 0.995
    slope = (delta * truth.layers["delta"]).sum() / (truth.layers["delta"] ** 2).sum()
    assert slope == pytest.approx(1, abs=0.02)
    assert np.abs(delta - truth.layers["delta"]).mean() < 0.03


def test_targets_are_knocked_down(screen):
    table = tx.pp.pseudobulk(screen)
    expression = pd.DataFrame(table.X, index=table.obs["perturbation"], columns=table.var_names)
    expressed = expression.loc["control"].mean() > 1
    targets = [t for t in screen.uns["truth"]["conditions"]["perturbation"] if expressed[t]]
    left = [expression.loc[t, t].mean() / expression.loc["control", t].mean() for t in targets]
    assert np.median(left) < 0.7


def test_neighbors_in_the_graph_share_effects():
    graph = tx.datasets.toy_graph()
    parameters = SimulationParameters(graph_share=0.95, stress_scale=0.0)
    adata = tx.datasets.simulate(
        60, 60, 2, graph=graph, n_batches=1, parameters=parameters, seed=2
    )
    truth = tx.datasets.truth(adata)
    similarity = np.corrcoef(truth.layers["log_fold_change"])
    similarity = pd.DataFrame(similarity, truth.obs_names, truth.obs_names)
    edges = graph.edges
    neighbors = np.mean(
        [similarity.loc[s, t] for s, t in zip(edges.source, edges.target, strict=True)]
    )
    assert neighbors > similarity.to_numpy()[np.triu_indices(60, 1)].mean() + 0.05


def test_batches_differ_in_their_controls(screen):
    table = tx.pp.pseudobulk(screen)
    controls = table.X[table.obs["control"].to_numpy()]
    assert np.abs(controls - controls.mean(axis=0)).mean() > 0.03


def test_a_graph_too_small_is_refused(graph):
    with pytest.raises(ValueError, match="too few for 61"):
        tx.datasets.simulate(61, 60, graph=graph)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_cells": 0}, "n_cells must be a whole number of at least 1"),
        ({"n_controls": 3}, "needs a control cell"),
        ({"n_doubles": 11}, "make 10 pairs only"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes, message, graph):
    with pytest.raises(ValueError, match=message):
        tx.datasets.simulate(**{"n_perturbations": 5, "n_genes": 30, "graph": graph} | sizes)


def test_more_genes_than_are_known_are_refused():
    with pytest.raises(ValueError, match=r"has 18,\d+ genes, and n_genes=1000000 .* give a graph"):
        tx.datasets.simulate(5, 10**6)


@pytest.mark.parametrize("seed", ["x", -1])
def test_the_seed_of_a_toy_is_checked(seed):
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0"):
        tx.datasets.toy_graph(seed)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"graph_share": 1.2}, "graph_share must be between 0 and 1, not 1.2"),
        ({"depth": 0}, "depth must be above 0"),
        ({"batch_scale": -1}, "batch_scale must be at least 0"),
        ({"synergistic": 0.6, "buffering": 0.6}, "cannot exceed 1 together"),
        ({"effect_sd": float("nan")}, "effect_sd"),
        ({"depth": "a"}, "depth must be a finite number, not 'a'"),
    ],
)
def test_parameters_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SimulationParameters(**settings)


def test_several_lines_have_contexts_of_their_own_with_controls():
    adata = tx.datasets.simulate(
        20, 60, 10, n_batches=3, n_cell_lines=4, n_doubles=5, graph=tx.datasets.toy_graph()
    )
    obs = adata.obs
    assert set(obs["cell_line"]) == {"line_1", "line_2", "line_3", "line_4"}
    assert obs["batch"].nunique() == 12
    contexts = obs.groupby(["cell_line", "batch"], observed=True)["control"]
    assert len(contexts) == 12
    assert (contexts.sum() >= 50).all()
    perturbed = obs[~obs["control"]]
    assert perturbed["perturbation"].nunique() == 25
    assert perturbed["perturbation"].astype(str).str.contains("+", regex=False).any()
    counted = perturbed.groupby(["perturbation", "cell_line"], observed=True).size()
    truth = tx.datasets.truth(adata).obs.set_index(["perturbation", "cell_line"])["n_cells"]
    assert counted.equals(truth[truth > 0].reindex(counted.index).rename(None))


def test_lines_have_their_truth_in_common_in_part():
    parameters = SimulationParameters(stress_scale=0, line_programs=0.8, line_activity=0.75)
    adata = tx.datasets.simulate(
        60, 400, 1, n_batches=1, n_controls=1, n_cell_lines=2, parameters=parameters
    )
    first, second = adata.uns["truth"]["log_fold_change"].reshape(2, 60, 400)
    both = first[np.isin(first, np.float32(np.log(0.2)), invert=True)]
    other = second[np.isin(first, np.float32(np.log(0.2)), invert=True)]
    assert np.corrcoef(both, other)[0, 1] == pytest.approx(0.6, abs=0.08)


def test_medium_screen_has_the_statistics_it_says():
    adata = tx.datasets.simulate_k562_like("medium", seed=3)
    assert adata.n_vars == 2_000
    assert 38_000 < adata.n_obs < 42_000
    assert adata.obs["batch"].nunique() == 12
    sizes = adata.obs.loc[~adata.obs["control"], "perturbation"].value_counts()
    assert sizes[sizes > 0].size == 600
    assert 45 < sizes.median() < 60
    assert 0.02 < (sizes <= 25).mean() < 0.2
    assert np.median(np.asarray(adata.X.sum(axis=1))) == pytest.approx(2_000, rel=0.05)
    assert 0.6 < 1 - adata.X.nnz / (adata.n_obs * adata.n_vars) < 0.8
    tx.pp.normalize(adata)
    delta, _ = observed(adata)
    others = (delta.sum(axis=0) - delta) / (len(delta) - 1)
    assert 0.3 < tx.metrics.pearson_delta(others, delta).mean() < 0.6


def test_sizes_of_published_screens_have_names():
    with pytest.raises(ValueError, match="'full' or 'medium', not 'huge'"):
        tx.datasets.simulate_k562_like("huge")


def test_toy_is_small_and_normalized():
    adata = tx.datasets.toy()
    assert adata.shape == (360, 60)
    tx.TxPertModel.setup_anndata(adata)
