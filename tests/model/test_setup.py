import mudata as md
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import sparse

import txpert as tx
from txpert import TxPertModel


def test_only_identifiers_are_added(adata):
    before = adata.copy()
    adata.X = sparse.csc_matrix(adata.X)
    TxPertModel.setup_anndata(adata)
    assert_frame_equal(adata.obs, before.obs)
    assert set(adata.uns) - set(before.uns) == {"_scvi_uuid", "_scvi_manager_uuid"}
    assert adata.X.format == "csc"
    assert (adata.X != before.X).nnz == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a[:100], "are a view"),
        (lambda a: setattr(a, "X", a.layers["counts"]), "looks like raw counts"),
        (lambda a: setattr(a, "X", a.X - sparse.csr_matrix(np.ones(a.shape))), "negative"),
        (lambda a: a.obs.drop(columns="control", inplace=True), "To make it"),
        (lambda a: a.obs.drop(columns="perturbation", inplace=True), "'perturbation'"),
        (lambda a: setattr(a, "var_names", ["G"] * a.n_vars), "occurs more than once"),
    ],
)
def test_bad_data_are_refused_before_anything_changes(adata, change, message):
    adata = change(adata) or adata
    with pytest.raises((ValueError, KeyError), match=message):
        TxPertModel.setup_anndata(adata)
    assert "_scvi_uuid" not in adata.uns


@pytest.mark.parametrize("argument", ["perturbation_key", "batch_key", "split_key", "layer"])
def test_columns_that_do_not_exist_are_named(adata, argument):
    with pytest.raises(KeyError, match="wrong_name"):
        TxPertModel.setup_anndata(adata, **{argument: "wrong_name"})


def test_keys_and_layer_are_followed(adata, make_model):
    expected = make_model(adata).predict("GENE3").X
    other = adata.copy()
    other.obs = other.obs.rename(
        columns={"perturbation": "gene", "control": "is_ctrl", "batch": "lane", "split": "part"}
    )
    other.layers["log"], other.X = other.X, other.layers["counts"]
    keys = {"perturbation_key": "gene", "control_key": "is_ctrl", "batch_key": "lane"}
    TxPertModel.setup_anndata(other, **keys, split_key="part", layer="log")
    model = make_model(other, setup=False)
    np.testing.assert_allclose(model.predict("GENE3").X, expected, atol=1e-6)


def test_setup_can_be_viewed(adata, make_model, capsys):
    make_model(adata, epochs=0).view_anndata_setup()
    shown = capsys.readouterr().out
    assert "perturbation" in shown
    assert "batch_1" in shown


@pytest.fixture
def mdata(adata):
    import anndata as ad

    guides = ad.AnnData(
        sparse.csr_matrix(np.ones((adata.n_obs, 2), dtype=np.float32)),
        obs=adata.obs[["perturbation"]].copy(),
        var=pd.DataFrame(index=["guide_1", "guide_2"]),
    )
    rna = ad.AnnData(adata.X, obs=pd.DataFrame(index=adata.obs_names), var=adata.var)
    mdata = md.MuData({"rna": rna, "guides": guides})
    for column in ("control", "batch", "cell_line", "split"):
        mdata.obs[column] = adata.obs[column]
    return mdata


def test_mudata_give_the_same_model(adata, mdata, make_model, tmp_path):
    expected = make_model(adata)
    TxPertModel.setup_mudata(mdata, modalities={"perturbation_key": "guides"})
    model = make_model(mdata, setup=False)
    prediction = model.predict("GENE3+GENE5")
    np.testing.assert_allclose(prediction.X, expected.predict("GENE3+GENE5").X, atol=1e-6)
    assert_frame_equal(tx.tl.evaluate(mdata, model), tx.tl.evaluate(adata, expected), atol=1e-5)
    tx.tl.predict(mdata, model)
    assert mdata.obsm["X_txpert"].shape == adata.shape
    model.save(tmp_path / "m")
    loaded = TxPertModel.load(tmp_path / "m", mdata)
    np.testing.assert_array_equal(loaded.predict("GENE3+GENE5").X, prediction.X)


def test_mudata_places_are_checked(mdata):
    with pytest.raises(KeyError, match="no modality 'gex'"):
        TxPertModel.setup_mudata(mdata, modalities={"layer": "gex"})
    with pytest.raises(KeyError, match=r"mdata\.obs has no column 'perturbation'"):
        TxPertModel.setup_mudata(mdata)
