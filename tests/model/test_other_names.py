"""Targets that graphs know by the symbol of another year."""

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.graph._names import other_names

OF_YEARS = {"GENE1": "AARS", "GENE11": "WDR61"}
NOW = {"GENE1": "AARS1", "GENE11": "SKIC8"}


@pytest.fixture
def screen(adata):
    """A screen with old symbols of two targets."""
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["perturbation"] = labels.replace(OF_YEARS).astype("category")
    return adata


def test_unambiguous_aliases_only():
    known = ["AARS1", "KMT2A", "KMT2B", "STAT1"]
    assert other_names(known, ["AARS", "STAT1"]) == {"AARS": "AARS1"}
    assert other_names(["AARS"], ["AARS1"]) == {"AARS1": "AARS"}
    assert other_names(known, ["MLL2"]) == {}, "an alias of two genes"
    assert other_names(known, ["AARS", "AARS1"]) == {}, "both are in the screen"
    assert other_names(known, ["6772", "ENSG00000115415"]) == {}, "codes are not read"
    assert other_names([], ["AARS"]) == other_names(known, []) == {}


@pytest.mark.parametrize("components", [("mean", "gaussian_process"), "network"])
def test_a_model_predicts_as_if_the_graph_had_the_names_of_the_screen(
    screen, graph, make_model, components
):
    expected = make_model(screen, graphs=[graph.rename(OF_YEARS)], components=components)
    found = make_model(screen, graphs=[graph.rename(NOW)], components=components)
    np.testing.assert_array_equal(
        found.predict(["AARS", "GENE5", "WDR61"]).X, expected.predict(["AARS", "GENE5", "WDR61"]).X
    )
    pd.testing.assert_index_equal(found.nodes, expected.nodes)


def test_names_are_listed_in_one_line_and_no_target_is_isolated(screen, graph):
    tx.TxPertModel.setup_anndata(screen)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tx.TxPertModel(screen, [graph.rename(NOW), graph.rename(OF_YEARS)])
    said = [str(w.message) for w in caught if w.category is UserWarning]
    assert said == ["Read 'AARS' as 'AARS1', 'WDR61' as 'SKIC8'."]


def test_features_have_the_names_of_the_screen(screen, graph, make_model):
    rng = np.random.default_rng(0)
    genes = [NOW.get(node, node) for node in graph.nodes]
    features = pd.DataFrame(rng.normal(size=(len(genes), 3)), index=genes)
    back = {new: OF_YEARS[gene] for gene, new in NOW.items()}
    found, expected = (
        make_model(screen, graphs=[graph.rename(OF_YEARS)], node_inputs=frame)
        for frame in (features, features.rename(index=back))
    )
    np.testing.assert_array_equal(found.predict("AARS").X, expected.predict("AARS").X)


def test_either_name_can_be_asked_for_and_a_frame_keeps_its_names(screen, graph, make_model):
    model = make_model(screen, graphs=[graph.rename(NOW)], components=("mean", "gaussian_process"))
    with pytest.warns(UserWarning, match="'AARS1' as 'AARS'"):
        asked = model.predict("AARS1")
    np.testing.assert_array_equal(asked.X, model.predict("AARS").X)
    frame = asked.obs[["cell_line"]].assign(perturbation="AARS1")
    with pytest.warns(UserWarning, match="'AARS1' as 'AARS'"):
        by_row = model.predict(frame)
    np.testing.assert_array_equal(by_row.X, asked.X)
    assert by_row.obs["perturbation"].tolist() == ["AARS1"]


@pytest.mark.parametrize("baseline", [tx.baselines.KernelBaseline, tx.baselines.NeighborsBaseline])
@pytest.mark.parametrize("held_out", [[], ["AARS"]])
def test_baselines_find_targets_in_graphs(screen, graph, baseline, held_out):
    screen.obs.loc[screen.obs["perturbation"].isin(held_out), "split"] = "test"
    screen = screen[screen.obs["split"].isin(["train"]) | screen.obs["control"]].copy()
    expected, found = (
        baseline(graphs=graph.rename(names)).fit(screen).predict(["AARS", "WDR61", "GENE5"]).X
        for names in (OF_YEARS, NOW)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("given", ["graphs", "features"])
def test_a_benchmark_finds_held_out_targets(screen, graph, bench, given):
    screen.obs.loc[screen.obs["perturbation"] == "AARS", "split"] = "test"
    features = pd.DataFrame(
        np.random.default_rng(0).normal(size=(len(graph.nodes), 3)), index=graph.nodes
    )

    def fit(names):
        options = {"components": ("mean", "gaussian_process")}
        if given == "graphs":
            options["graphs"] = graph.rename(names)
        else:
            options |= {"graphs": [], "node_inputs": [features.rename(index=names)]}
        return partial(tx.tl.fit_txpert, **options)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = bench(screen, {"now": fit(NOW), "then": fit(OF_YEARS)}, baseline=None)
    scores = result.scores.set_index(["model", "perturbation"])["pearson_delta"]
    assert "AARS" in scores["now"].index
    pd.testing.assert_series_equal(scores["now"], scores["then"], rtol=1e-5)


def test_a_model_on_new_graphs_has_the_names_of_the_screen(screen, graph, make_model):
    model = make_model(
        screen, graphs=[graph.rename(OF_YEARS)], components=("mean", "gaussian_process")
    )
    with pytest.warns(UserWarning, match="'AARS' as 'AARS1'"):
        again = model.with_graphs([graph.rename(NOW)])
    np.testing.assert_allclose(again.predict("AARS").X, model.predict("AARS").X, atol=1e-5)


def test_two_nodes_cannot_have_one_name(graph):
    with pytest.raises(ValueError, match="GENE3"):
        graph.rename({"GENE7": "GENE3"})
