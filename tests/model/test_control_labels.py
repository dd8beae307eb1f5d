"""Controls known by their labels instead of a column of flags."""

import mudata
import numpy as np
import pytest

import txpert as tx


@pytest.fixture
def labeled(adata):
    """The screen without flags; its controls have two labels."""
    labels = adata.obs["perturbation"].astype(str)
    some = (labels == "control") & (np.arange(adata.n_obs) % 2 == 0)
    labels = labels.replace("control", "non-targeting")
    adata.obs["perturbation"] = labels.mask(some, "AAVS1")
    flags = adata.obs.pop("control")
    return adata, flags


LABELS = ["non-targeting", "AAVS1"]


def test_labels_stand_for_flags(labeled, make_model, tmp_path):
    adata, flags = labeled
    flagged = adata.copy()
    flagged.obs["control"] = flags
    expected = make_model(flagged).predict("GENE3").X
    tx.TxPertModel.setup_anndata(adata, control_label=LABELS)
    assert "control" not in adata.obs
    model = make_model(adata, setup=False)
    np.testing.assert_array_equal(model.predict("GENE3").X, expected)
    model.save(tmp_path / "m")
    fewer = adata[adata.obs["perturbation"] != "AAVS1"].copy()
    del fewer.uns["_scvi_uuid"], fewer.uns["_scvi_manager_uuid"]
    for data in (None, fewer):
        loaded = tx.TxPertModel.load(tmp_path / "m", data)
        assert np.isfinite(loaded.predict("GENE3").X).all()


def test_labels_are_registered_once(labeled, make_model):
    adata, _ = labeled
    tx.TxPertModel.setup_anndata(adata, control_label=LABELS)
    model = make_model(adata, setup=False)
    assert tx.pp.pseudobulk(adata).obs["control"].sum() == 2
    tx.tl.evaluate(adata, model)
    tx.tl.predict(adata, model)
    assert tx.baselines.MeanBaseline().fit(adata).predict("GENE3").n_obs == 1
    assert "control" not in adata.obs


def test_one_label_in_a_mudata(adata, make_model):
    adata.obs["perturbation"] = adata.obs["perturbation"].astype(str).replace("control", "NT")
    del adata.obs["control"]
    mdata = mudata.MuData({"rna": adata})
    mdata.obs = adata.obs.copy()
    tx.TxPertModel.setup_mudata(mdata, control_label="NT")
    model = make_model(mdata, setup=False)
    assert model.conditions.obs["control"].sum() == 2


def test_wrong_labels_are_refused(labeled, make_model):
    adata, _ = labeled
    with pytest.raises(ValueError, match=r"control_label='NTC' is no label"):
        tx.TxPertModel.setup_anndata(adata, control_label="NTC")
    with pytest.raises(ValueError, match="Give one of them"):
        tx.TxPertModel.setup_anndata(adata, control_key="flag", control_label="AAVS1")
    assert "_scvi_uuid" not in adata.uns
    tx.TxPertModel.setup_anndata(adata, control_label=LABELS)
    model = make_model(adata, setup=False)
    perturbed = adata[adata.obs["perturbation"] == "GENE13"].copy()
    with pytest.raises(ValueError, match=r"control cells only .*some are 'GENE13'"):
        model.predict("GENE3", controls=perturbed)
