"""get.delta_df: the table agrees with the arrays."""

import numpy as np
import pandas as pd
import pytest

import txpert as tx


@pytest.fixture
def prediction(adata):
    return tx.baselines.RidgeBaseline().fit(adata).predict(["GENE3", "GENE13+GENE47"])


def test_every_gene_of_every_condition_has_a_row(prediction):
    table = tx.get.delta_df(prediction)
    assert len(table) == prediction.n_obs * prediction.n_vars
    row = table[table["perturbation"] == "GENE3"].set_index("gene").loc[prediction.var_names]
    delta = prediction.layers["delta"][0]
    np.testing.assert_allclose(row["log_fold_change"], delta, rtol=1e-6)
    np.testing.assert_allclose(row["log2_fold_change"], np.log2(np.exp(delta)), atol=1e-5)
    np.testing.assert_allclose(row["predicted"], prediction.X[0], rtol=1e-6)
    np.testing.assert_allclose(
        row["control"] + row["log_fold_change"], row["predicted"], atol=1e-5
    )
    assert row["is_target"][row["is_target"]].index.tolist() == ["GENE3"]


def test_top_genes_by_size_and_direction(prediction):
    delta = pd.Series(prediction.layers["delta"][0], index=prediction.var_names)
    table = tx.get.delta_df(prediction, "GENE3", top=4)
    assert table["gene"].tolist() == delta.abs().nlargest(4).index.tolist()
    assert table["rank"].tolist() == [1, 2, 3, 4]
    down = tx.get.delta_df(prediction, "GENE3", top=4, direction="down")
    assert down["gene"].tolist() == delta.nsmallest(4).index.tolist()
    up = tx.get.delta_df(prediction, "GENE3", top=4, direction="up", targets=False)
    assert up["gene"].tolist() == delta.drop("GENE3").nlargest(4).index.tolist()


def test_labels_are_found_in_any_order(prediction):
    table = tx.get.delta_df(prediction, "GENE47+GENE13", top=1)
    assert table["perturbation"].unique().tolist() == ["GENE13+GENE47"]


def test_genes_not_measured_are_left_out(prediction):
    prediction.layers["delta"][0, :5] = np.nan
    assert len(tx.get.delta_df(prediction, "GENE3")) == prediction.n_vars - 5


def test_pseudobulk_std_and_effects(adata):
    measured = tx.get.delta_df(tx.pp.pseudobulk(adata), top=2)
    assert "control" not in set(measured["perturbation"])
    assert {"measured", "control", "batch"} <= set(measured)
    prediction = tx.baselines.MeanBaseline().fit(adata).predict("GENE3")
    prediction.layers["std"] = np.full(prediction.shape, 0.5)
    assert (tx.get.delta_df(prediction)["std"] == 0.5).all()
    effects = pd.DataFrame(np.eye(6) - 0.5, index=list("ABCDEF"), columns=list("ABCDEF"))
    table = tx.get.delta_df(tx.pp.pseudobulk(tx.pp.from_effects(effects)), "A", top=1)
    assert "log_fold_change" not in table
    assert table["effect"].iloc[0] == 0.5


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"perturbation": "GENE9"}, KeyError, "no perturbation 'GENE9'; it has GENE3"),
        ({"cell_line": "RPE1"}, KeyError, "no cell_line 'RPE1'"),
        ({"top": 0}, ValueError, "top must be a whole number of at least 1"),
        ({"direction": "sideways"}, ValueError, "direction must be"),
    ],
)
def test_bad_arguments(prediction, arguments, error, message):
    with pytest.raises(error, match=message):
        tx.get.delta_df(prediction, **arguments)


def test_what_is_no_prediction_is_refused(adata):
    with pytest.raises(KeyError, match="This is no prediction"):
        tx.get.delta_df(adata)
