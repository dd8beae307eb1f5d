"""When to trust a prediction: by hand, and on an evaluated screen."""

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert._analysis._trust import levels, over_targets, spearman_table, target_errors
from txpert.graph._names import publication_counts


@pytest.fixture(scope="module")
def evaluated():
    adata = tx.datasets.toy()
    adata.obs["split"] = np.where(adata.obs["control"], None, "test")
    truth = tx.datasets.truth(adata)
    table = tx.pp.pseudobulk(adata)
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graphs=tx.datasets.toy_graph(), components="network")
    obs = table.obs[~table.obs["control"]].groupby("perturbation", observed=True).size().index
    delta = truth[list(obs)].layers["delta"]
    scores = pd.DataFrame({"perturbation": obs, "cell_line": "simulated"}).astype(str)
    metrics = scores.assign(model="oracle", pearson_delta=np.linspace(0, 1, len(obs)))
    adata.uns["txpert"] = {
        "metrics": metrics,
        "delta_obs": scores,
        "delta": {"observed": delta, "oracle": delta + 0.5},
        "delta_genes": np.asarray(adata.var_names, dtype=object),
        "params": {"model": str(model.summary_string)},
    }
    return adata


def test_levels_and_correlations_by_hand():
    values = pd.Series([1.0, 5, 5, 100, np.nan])
    assert levels(values, 2).fillna(0).tolist() == [1, 2, 2, 2, 0]
    table = spearman_table(pd.Series([1.0, 2, 3, 4]), pd.DataFrame({"a": [4, 3, 2, 1], "b": 1}))
    assert table["covariate"].tolist() == ["a"]
    assert table["rho"][0] == pytest.approx(-1)
    assert spearman_table(pd.Series([1.0]), pd.DataFrame({"a": [1]})).empty


def test_errors_by_hand():
    is_target = np.array([[True, False, False], [False, False, False]])
    observed = np.array([[-2.0, 0, np.nan], [0, 0, 0]])
    errors = target_errors(observed + np.array([[1, -1, 1], [3, 4, 0]]), observed, is_target)
    assert errors["error_target"][0] == 1
    assert np.isnan(errors["error_target"][1])
    np.testing.assert_allclose(errors["error_others"], [-1, 7 / 3])
    assert errors["rms_others"][1] == pytest.approx(np.sqrt(25 / 3))
    values = pd.Series({"A": 1.0, "B": 3.0})
    assert over_targets([("A", "B"), ("C",)], values).tolist()[0] == 2


def test_publications_are_packaged():
    counts = publication_counts(["TP53", "MLL", "NOT_A_GENE"])
    assert counts["TP53"] > 5_000 > counts["MLL"] > 100
    assert np.isnan(counts["NOT_A_GENE"])


def test_covariates_of_an_evaluation(evaluated):
    tx.tl.screen_report(evaluated)
    labels = evaluated.uns["txpert"]["delta_obs"]["perturbation"]
    knowledge = {label: i % 3 for i, label in enumerate(labels)}
    prediction = tx.datasets.truth(evaluated)
    prediction.layers["std"] = np.repeat(np.arange(len(prediction))[:, None], 60, axis=1)
    table = tx.tl.trust(
        evaluated, graphs=tx.datasets.toy_graph(), knowledge=knowledge, prediction=prediction
    ).set_index("covariate")
    expected = ["effect_size", "control_expression", "graph_degree", "n_de", "predicted_std"]
    assert sorted(table.index) == sorted([*expected, "knowledge"])
    found = evaluated.uns["txpert_trust"]["perturbations"]
    assert found["level"].tolist() == [i % 3 for i in range(len(labels))]
    np.testing.assert_allclose(found["error_others"], 0.5, rtol=1e-5)
    degree = np.bincount(tx.datasets.toy_graph().target)
    assert found["graph_degree"].max() <= degree.max()
    drawn = tx.pl.trust(evaluated, perturbation=labels[0])
    assert drawn.axes[3].get_title().startswith(labels[0])


def test_drawn_whole(evaluated, tmp_path):
    tx.tl.trust(evaluated)  # no name is a gene's: nothing is known of any
    figure = tx.pl.trust(evaluated, save=tmp_path / "a.png")
    assert (tmp_path / "a.png").exists()
    box, size = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= -0.03
    assert box.x1 <= size[0] + 0.03


def test_what_is_missing_is_named(adata, evaluated):
    with pytest.raises(KeyError, match=r"run tx\.tl\.evaluate"):
        tx.tl.trust(adata)
    with pytest.raises(KeyError, match=r"run tx\.tl\.trust"):
        tx.pl.trust(adata)
    with pytest.raises(KeyError, match="it has oracle"):
        tx.tl.trust(evaluated, model="GEARS")
    with pytest.raises(ValueError, match="return_std"):
        tx.tl.trust(evaluated, prediction=tx.datasets.truth(evaluated))
