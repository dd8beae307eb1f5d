"""Data of another kind than what a model takes."""

import mudata as md
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from txpert import TxPertModel

IN_RNA = dict.fromkeys(["perturbation_key", "control_key", "batch_key", "split_key"], "rna")


def multimodal(adata):
    return md.MuData({"rna": adata.copy()})


@pytest.fixture
def of_mudata(adata, graph):
    mdata = multimodal(adata)
    TxPertModel.setup_mudata(mdata, cell_line_key=None, modalities=IN_RNA)
    model = TxPertModel(mdata, graph, components="mean")
    model.train(enable_progress_bar=False)
    return model


def test_what_are_no_data_are_refused(adata, graph, make_model, tmp_path):
    with pytest.raises(TypeError, match="adata is an AnnData, not str"):
        TxPertModel("x", graph)
    model = make_model(adata, components="mean", decoding="low_rank")
    model.save(tmp_path / "model")
    for data in ("x", False, 5):
        with pytest.raises(TypeError, match=f"adata is an AnnData, not {type(data).__name__}"):
            TxPertModel.load(tmp_path / "model", data)


def test_anndata_and_mudata_are_told_apart(adata, make_model, of_mudata, tmp_path):
    model = make_model(adata, components="mean", decoding="low_rank")
    with pytest.raises(TypeError, match="setup_anndata: data are AnnData, not MuData"):
        model.read(multimodal(adata))
    with pytest.raises(TypeError, match="setup_mudata: data are MuData, not AnnData"):
        of_mudata.read(adata)
    model.save(tmp_path / "anndata")
    with pytest.raises(TypeError, match="setup_anndata: data are AnnData, not MuData"):
        TxPertModel.load(tmp_path / "anndata", multimodal(adata))
    of_mudata.save(tmp_path / "mudata")
    with pytest.raises(TypeError, match="setup_mudata: data are MuData, not AnnData"):
        TxPertModel.load(tmp_path / "mudata", adata)
    again = TxPertModel.load(tmp_path / "mudata", multimodal(adata)).predict("GENE3")
    np.testing.assert_allclose(again.X, of_mudata.predict("GENE3").X, atol=1e-6)


def test_a_mudata_has_to_say_which_modality_its_controls_are_of(adata, of_mudata):
    controls = adata[adata.obs["control"]].copy()
    with pytest.raises(TypeError, match="not MuData; take one modality of rna"):
        of_mudata.predict("GENE3", controls=multimodal(controls))
    assert len(of_mudata.predict("GENE3", controls=controls)) == 1


def test_embeddings_may_be_sparse(adata, make_model):
    options = {"setup": False, "basal": "embedding", "decoding": "direct"}
    adata.obsm["X_own"] = np.random.default_rng(0).normal(size=(adata.n_obs, 3)).astype("f4")
    TxPertModel.setup_anndata(adata, embedding_key="X_own")
    dense = make_model(adata, **options).predict("GENE3").X
    adata.obsm["X_own"] = sparse.csr_matrix(adata.obsm["X_own"])
    TxPertModel.setup_anndata(adata, embedding_key="X_own")
    np.testing.assert_array_equal(make_model(adata, **options).predict("GENE3").X, dense)


def test_embeddings_are_numbers(adata):
    adata.obsm["X_own"] = pd.DataFrame({"a": ["x"] * adata.n_obs}, index=adata.obs_names)
    with pytest.raises(ValueError, match=r"obsm\['X_own'\] must be .* no numbers"):
        TxPertModel.setup_anndata(adata, embedding_key="X_own")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"perturbation_key": None}, "perturbation_key must name a column"),
        ({"perturbation_key": None, "control_label": "control"}, "perturbation_key must name"),
        ({"control_key": None}, "control_key must name .* unless control_label is given"),
    ],
)
def test_columns_that_have_to_be_named(adata, keys, message):
    with pytest.raises(ValueError, match=message):
        TxPertModel.setup_anndata(adata, **keys)


def test_modalities_are_of_arguments_that_there_are(adata):
    mdata = multimodal(adata)
    with pytest.raises(TypeError, match=r"modalities has no .* Did you mean 'perturbation_key'\?"):
        TxPertModel.setup_mudata(mdata, modalities={"pertubation_key": "rna"})


@pytest.mark.parametrize(
    ("option", "value"), [("control_node", "yes"), ("extra_nodes", [1]), ("extra_nodes", "A")]
)
def test_options_of_another_type_are_refused(adata, make_model, option, value):
    with pytest.raises(ValueError, match=f"{option} must be"):
        make_model(adata, epochs=0, **{option: value})
