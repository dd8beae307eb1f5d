"""Data that a model is compared with are read as they are now."""

import mudata
import numpy as np
import pytest

import txpert as tx
from txpert.tl._read import read_now


@pytest.fixture(params=["mdata", "rna"])
def multimodal(request, adata):
    """A MuData with its columns at the top or in the modality, and where they are."""
    mdata = mudata.MuData({"rna": adata})
    if request.param == "rna":
        keys = ("perturbation_key", "control_key", "batch_key", "cell_line_key", "split_key")
        return mdata, dict.fromkeys(keys, "rna"), adata.obs
    mdata.obs = adata.obs.copy()
    return mdata, None, mdata.obs


def test_the_split_of_a_mudata_is_that_of_now(multimodal, make_model):
    mdata, places, obs = multimodal
    tx.TxPertModel.setup_mudata(mdata, modalities=places)
    model = make_model(mdata, setup=False, components="mean")
    train = obs.loc[obs["split"] == "train", "perturbation"].unique()
    obs.loc[obs["perturbation"].isin(train[:2]), "split"] = "test"
    test = set(obs.loc[obs["split"] == "test", "perturbation"])
    with pytest.warns(UserWarning, match="written or changed after the model was made"):
        screen, table = read_now(model, mdata)
    assert (screen.split == "test").sum() == (obs["split"] == "test").sum()
    assert set(table.obs.loc[table.obs["split"] == "test", "perturbation"]) == test
    with pytest.warns(UserWarning, match="The model was trained on"):
        tx.tl.evaluate(mdata, model)
    assert set(mdata.uns["txpert"]["metrics"]["perturbation"]) == test


def test_other_data_have_a_split_of_their_own(multimodal, make_model):
    mdata, places, obs = multimodal
    other = mdata.copy()
    tx.TxPertModel.setup_mudata(mdata, modalities=places)
    model = make_model(mdata, setup=False, components="mean")
    there = other.obs if places is None else other.mod["rna"].obs
    for split in ("val", "test"):
        there["split"] = np.where(there["control"], None, split)
        table = read_now(model, other)[1]
        perturbed = table.obs[~table.obs["control"]]
        assert (perturbed["split"] == split).all()
    assert set(model.conditions.obs["split"].dropna()) == set(obs["split"].dropna())


def test_modalities_of_perturbation_keep_their_split(adata, make_model):
    kinds = np.where(np.arange(adata.n_obs) % 2, "CRISPRi", "CRISPRa").astype(object)
    adata.obs["modality"] = kinds
    model = make_model(adata, components="mean")
    activated = (adata.obs["modality"] == "CRISPRa") & ~adata.obs["control"]
    adata.obs["split"] = adata.obs["split"].astype(object).mask(activated, "test")
    adata.obs.loc[~activated & ~adata.obs["control"], "split"] = "train"
    with pytest.warns(UserWarning, match="changed after the model was made"):
        obs = read_now(model, adata)[1].obs
    obs = obs[~obs["control"]]
    assert ((obs["split"] == "test") == (obs["modality"] == "CRISPRa")).all()


def test_data_that_are_normalized_but_no_logarithms_are_refused(adata, make_model):
    model = make_model(adata, components="mean")
    linear = adata.copy()
    counts = linear.layers["counts"].toarray().astype(float)
    linear.X = 20 * counts / counts.sum(axis=1, keepdims=True)
    model.read(linear)  # each cell alone looks as logarithms do
    with pytest.raises(ValueError, match="compared with sums up to 20"):
        tx.tl.evaluate(linear, model)


@pytest.mark.parametrize("split", ["nonsense", "mixed"])
def test_a_split_that_is_none_is_refused(adata, make_model, split):
    model = make_model(adata, components="mean")
    adata.obs["split"] = adata.obs["split"].astype(object)
    perturbed = np.flatnonzero(~adata.obs["control"])
    if split == "nonsense":
        adata.obs.iloc[perturbed[0], adata.obs.columns.get_loc("split")] = split
    else:
        adata.obs["split"] = np.where(np.arange(adata.n_obs) % 2, "train", "test")
    with pytest.raises(ValueError, match=r"has the value 'nonsense'|in more than one split"):
        tx.tl.evaluate(adata, model)
