"""tl.predict: what scanpy does with predictions of cells."""

import mudata
import numpy as np
import pytest
import scanpy as sc

import txpert as tx


@pytest.fixture
def predicted(adata, make_model):
    model = make_model(adata)
    tx.tl.predict(adata, model)
    return adata, model


def test_layers_and_obsm_agree(predicted):
    adata, model = predicted
    np.testing.assert_array_equal(adata.layers["txpert"], adata.obsm["X_txpert"].to_numpy())
    row = adata[adata.obs["perturbation"] == "GENE13"].copy()
    label, batch = row.obs[["perturbation", "batch"]].iloc[0]
    delta = model.predict(label, batch=batch).layers["delta"][0]
    np.testing.assert_allclose(row.layers["txpert_delta"][0], delta, atol=1e-6)
    latent = model.get_perturbation_embedding(label).to_numpy()[0]
    np.testing.assert_allclose(row.obsm["X_txpert_latent"][0], latent, atol=1e-6)


def test_scanpy_ranks_predicted_genes(predicted):
    adata, _ = predicted
    sc.tl.rank_genes_groups(
        adata, "perturbation", groups=["GENE13"], reference="control", layer="txpert", n_genes=5
    )
    found = list(adata.uns["rank_genes_groups"]["names"]["GENE13"])
    assert len(set(found)) == 5


def test_scanpy_finds_neighbors_by_latent(predicted):
    adata, _ = predicted
    sc.pp.neighbors(adata, n_neighbors=5, use_rep="X_txpert_latent")
    labels = adata.obs["perturbation"].to_numpy()
    i, j = adata.obsp["connectivities"].nonzero()
    assert (labels[i] == labels[j]).mean() > 0.9


def test_results_survive_h5ad(predicted, tmp_path):
    adata, _ = predicted
    adata.write_h5ad(tmp_path / "a.h5ad")
    again = sc.read_h5ad(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(again.layers["txpert"], adata.layers["txpert"])


def test_another_key(adata, make_model):
    tx.tl.predict(adata, make_model(adata, components="mean"), key_added="X_mean")
    assert {"mean", "mean_delta"} < set(adata.layers)
    assert set(adata.obsm) == {"X_mean"}, "no network, no latent embedding"


def test_layers_of_a_mudata_are_those_of_its_expression(adata, make_model):
    mdata = mudata.MuData({"rna": adata})
    mdata.obs = adata.obs.copy()
    tx.TxPertModel.setup_mudata(mdata)
    tx.tl.predict(mdata, make_model(mdata, setup=False))
    assert mdata.mod["rna"].layers["txpert"].shape == adata.shape
    assert mdata.obsm["X_txpert"].shape == adata.shape


def test_what_the_network_does_not_know_has_no_embedding(adata, make_model):
    model = make_model(adata, components=("mean", "gaussian_process", "network"))
    asked = adata.copy()
    labels = asked.obs["perturbation"].astype(str)
    gene = labels[labels != "control"].iloc[0]
    asked.obs["perturbation"] = labels.replace({gene: "NOGENE"})
    with pytest.warns(UserWarning, match="NOGENE"):
        tx.tl.predict(asked, model)
    unknown = (labels == gene).to_numpy()
    latent = asked.obsm["X_txpert_latent"]
    assert np.isnan(latent[unknown]).all()
    assert np.isfinite(latent[~unknown]).all()
    assert np.isfinite(asked.layers["txpert_delta"]).all()
