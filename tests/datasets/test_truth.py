import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import txpert as tx
from txpert.datasets._graph_oracle import GraphOracle
from txpert.datasets._noisy_graph import noisy_graph


def codes(graph):
    return set(zip(graph.nodes[graph.source], graph.nodes[graph.target], strict=True))


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 5))
def test_noisy_graph_has_the_share_asked_for(missing, wrong, seed):
    graph = tx.datasets.toy_graph()
    copy = noisy_graph(graph, missing=missing, wrong=wrong, seed=seed)
    true, noisy = codes(graph), codes(copy)
    assert len(true - noisy) == round(missing * graph.n_edges)
    assert len(noisy - true) == round(wrong * graph.n_edges)
    assert copy.nodes.equals(graph.nodes)
    again = noisy_graph(graph, missing=missing, wrong=wrong, seed=seed)
    assert copy == again


def test_shares_are_checked():
    with pytest.raises(ValueError, match="wrong must lie between 0 and 1, not be 2"):
        noisy_graph(tx.datasets.toy_graph(), wrong=2)


def test_the_true_graph_comes_back(adata):
    graph = tx.datasets.simulated_graph(adata)
    assert graph.edges.equals(tx.datasets.toy_graph().edges)
    assert graph.nodes.equals(tx.datasets.toy_graph().nodes)
    noisy = tx.datasets.simulated_graph(adata, missing=0.2, wrong=0.1, seed=3)
    assert noisy == noisy_graph(graph, missing=0.2, wrong=0.1, seed=3)


@pytest.mark.parametrize("n_doubles", [0, 4])
def test_truth_survives_a_file(tmp_path, n_doubles):
    adata = tx.datasets.simulate(
        10, 60, 5, n_cell_lines=2, n_batches=2, n_doubles=n_doubles, graph=tx.datasets.toy_graph()
    )
    adata.write_h5ad(tmp_path / "screen.h5ad")
    again = ad.read_h5ad(tmp_path / "screen.h5ad")
    before, after = (tx.datasets.truth(a) for a in (adata, again))
    assert before.obs_names.equals(after.obs_names)
    assert before.var_names.equals(after.var_names)
    for layer in ("delta", "log_fold_change"):
        np.testing.assert_array_equal(before.layers[layer], after.layers[layer])
    assert tx.datasets.simulated_graph(again) == tx.datasets.simulated_graph(adata)
    pairs = adata.uns["truth"]["interactions"]
    assert len(pairs) == n_doubles
    pd.testing.assert_frame_equal(
        pairs.astype(str), again.uns["truth"]["interactions"].astype(str), check_dtype=False
    )
    tx.pp.normalize(again)
    label = again.obs.loc[~again.obs["control"], "perturbation"].iloc[0]
    assert GraphOracle(again).predict(label, by_batch=True).n_obs == 4
    before.write_h5ad(tmp_path / "truth.h5ad")


def test_truth_has_every_perturbation_in_every_line():
    adata = tx.datasets.simulate(
        10,
        60,
        5,
        n_cell_lines=3,
        n_batches=2,
        n_doubles=4,
        graph=tx.datasets.toy_graph(),
        parameters=tx.datasets.SimulationParameters(line_measured=0.5),
    )
    truth = tx.datasets.truth(adata)
    assert truth.shape == (3 * 14, 60)
    assert truth.obs["n_cells"].min() == 0
    np.testing.assert_allclose(
        (truth.X - truth.layers["delta"])[truth.obs["cell_line"] == "line_2"],
        np.tile(adata.uns["truth"]["control"][1], (14, 1)),
        atol=1e-5,
    )


def test_without_truth(adata):
    del adata.uns["truth"]
    for ask in (tx.datasets.truth, tx.datasets.simulated_graph):
        with pytest.raises(KeyError, match="only screens made by"):
            ask(adata)
