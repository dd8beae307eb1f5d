"""What works on scvi.model.SCVI works on TxPertModel, or is refused in one sentence."""

import copy
import inspect
import pickle

import joblib
import numpy as np
import pytest
import scvi
import torch
from scvi.dataloaders import AnnDataLoader

import txpert as tx

QUICK = {"max_epochs": 1, "enable_progress_bar": False, "accelerator": "cpu"}


@pytest.fixture
def both(adata):
    """A TxPertModel and an SCVI on the same cells, not trained."""
    tx.TxPertModel.setup_anndata(adata)
    ours = tx.TxPertModel(adata, tx.datasets.toy_graph(), n_hidden=16, components="network")
    other = adata.copy()
    scvi.model.SCVI.setup_anndata(other, layer="counts", batch_key="batch")
    return ours, scvi.model.SCVI(other, n_hidden=16)


@pytest.fixture(scope="module")
def trained(_toy):
    scvi.settings.seed = 0
    adata = _toy.copy()
    tx.pp.split(adata)
    adata.obs = adata.obs.rename(columns={"batch": "gem", "cell_line": "line", "split": "part"})
    tx.TxPertModel.setup_anndata(adata, batch_key="gem", cell_line_key="line", split_key="part")
    model = tx.TxPertModel(adata, tx.datasets.toy_graph(), n_hidden=16)
    model.train(**QUICK)
    return adata, model


def test_options_of_the_plan(both):
    for model in both:
        plan = {"lr": 1e-3, "optimizer": "AdamW", "weight_decay": 0.01}
        model.train(plan_kwargs=plan, **QUICK)
        assert model.is_trained


def test_configurations_of_plan_and_trainer(both):
    for model in both:
        model.train(plan_config={"lr": 1e-3}, trainer_config={"gradient_clip_val": 1.0}, **QUICK)
        assert model.trainer.gradient_clip_val == 1.0


@pytest.mark.parametrize(
    "options",
    [
        {"train_size": 0.8, "validation_size": 0.2},
        {"train_size": 0.8, "shuffle_set_split": False},
        {"datasplitter_kwargs": {"drop_last": True}},
    ],
)
def test_ways_to_divide_cells_are_refused_in_a_sentence(both, options):
    ours, theirs = both
    theirs.train(**options, **QUICK)
    with pytest.raises(ValueError, match=r"whole perturbations are held out.*tx.pp.split"):
        ours.train(**options, **QUICK)
    assert not ours.is_trained


def test_a_datamodule_is_refused(both):
    with pytest.raises(ValueError, match="datamodule is not taken"):
        both[0].train(datamodule=object(), **QUICK)
    with pytest.raises(ValueError, match="datamodule is not taken"):
        tx.TxPertModel.load("nowhere", datamodule=object())


def test_neutral_values_of_these_are_taken(both):
    for model in both:
        model.train(train_size=None, shuffle_set_split=True, load_sparse_tensor=False, **QUICK)


def test_load_has_the_signature_of_scvi(trained, tmp_path):
    adata, model = trained
    ours = list(inspect.signature(tx.TxPertModel.load).parameters)
    theirs = list(inspect.signature(scvi.model.SCVI.load).parameters)
    assert ours[: len(theirs)] == theirs
    model.save(tmp_path / "m")
    loaded = tx.TxPertModel.load(str(tmp_path / "m"), adata, "cpu", "auto", None, None)
    assert type(loaded) is tx.TxPertModel
    np.testing.assert_allclose(loaded.predict("GENE3").X, model.predict("GENE3").X, rtol=1e-5)


@pytest.mark.parametrize("how", ["pickle", "deepcopy", "joblib"])
def test_a_trained_model_is_copied_and_stored(trained, how, tmp_path):
    _, model = trained
    if how == "pickle":
        twin = pickle.loads(pickle.dumps(model))
    elif how == "deepcopy":
        twin = copy.deepcopy(model)
    else:
        joblib.dump(model, tmp_path / "m")
        twin = joblib.load(tmp_path / "m")
    np.testing.assert_allclose(twin.predict("GENE3").X, model.predict("GENE3").X, rtol=1e-6)
    twin.train(max_epochs=1, enable_progress_bar=False)


@pytest.mark.parametrize("missing", [["part"], ["part", "gem"], ["part", "gem", "line"]])
def test_data_without_columns_are_loaded_and_transferred(trained, missing, tmp_path):
    adata, model = trained
    model.save(tmp_path / "m")
    fewer = adata.copy()
    fewer.obs = fewer.obs.drop(columns=missing)
    del fewer.uns["_scvi_uuid"], fewer.uns["_scvi_manager_uuid"]
    loaded = tx.TxPertModel.load(tmp_path / "m", fewer.copy())
    lines = loaded.control_profiles.obs["cell_line"].astype(str).unique().tolist()
    assert lines == ["all" if "line" in missing else "simulated"]
    assert np.isfinite(loaded.predict("GENE3").X).all()
    manager = model.adata_manager.transfer_fields(fewer)
    assert manager.summary_stats["n_perturbation"] == 13


def test_controls_alone_are_loaded_and_predicted_from(trained, tmp_path):
    adata, model = trained
    model.save(tmp_path / "m")
    controls = adata[adata.obs["control"]].copy()
    del controls.uns["_scvi_uuid"], controls.uns["_scvi_manager_uuid"]
    loaded = tx.TxPertModel.load(tmp_path / "m", controls)
    np.testing.assert_allclose(loaded.predict("GENE3").X, model.predict("GENE3").X, rtol=1e-4)


def test_loaders_give_integer_codes_with_names_beside_them(trained, both):
    adata, model = trained
    loaders = [
        model._make_data_loader(adata, batch_size=50),
        AnnDataLoader(model.adata_manager, batch_size=50),
    ]
    for loader in loaders:
        batch = next(iter(loader))
        names = model.adata_manager.get_state_registry("perturbation").categorical_mapping
        found = names[batch["perturbation"].ravel().long()]
        assert found.tolist() == adata.obs["perturbation"].iloc[:50].tolist()
        assert batch["X"].shape == (50, adata.n_vars)
    first = next(iter(loaders[0]))
    assert first["perturbation"].dtype == torch.int64
    assert set(first["split"].unique().tolist()) <= {-1, 0, 1, 2}
    theirs = next(iter(both[1]._make_data_loader(both[1].adata, batch_size=50)))
    np.testing.assert_array_equal(first["batch"], theirs["batch"])


def test_settings_of_scvi_are_followed(both, monkeypatch):
    ours, _ = both
    seen = []
    original = ours._data_splitter_cls.train_dataloader

    def spy(self):
        loader = original(self)
        seen.append((self.batch_size, loader.num_workers))
        return loader

    monkeypatch.setattr(ours._data_splitter_cls, "train_dataloader", spy)
    monkeypatch.setattr(scvi.settings, "batch_size", 7)
    monkeypatch.setattr(scvi.settings, "dl_num_workers", 1)
    ours.train(refit=False, **QUICK)
    assert set(seen) == {(7, 1)}


def test_latent_embeddings_of_cells(trained, both):
    adata, model = trained
    latent = model.get_latent_representation()
    both[1].is_trained_ = True
    assert latent.shape == (adata.n_obs, 64)
    assert type(latent) is type(both[1].get_latent_representation())
    label = adata.obs["perturbation"].iloc[-1]
    expected = model.get_perturbation_embedding(label).to_numpy()[0]
    np.testing.assert_allclose(latent[-1], expected, rtol=1e-6)
    np.testing.assert_array_equal(model.get_latent_representation(indices=[5, 2]), latent[[5, 2]])


@pytest.mark.parametrize("name", ["get_normalized_expression", "differential_abundance"])
def test_what_has_no_meaning_is_no_completion(trained, name):
    _, model = trained
    assert name not in dir(model)
    with pytest.raises(NotImplementedError, match=f"TxPertModel has no {name}: it "):
        getattr(model, name)()


def test_criticism_is_refused_clearly(trained):
    criticism = pytest.importorskip("scvi.criticism")
    adata, model = trained
    with pytest.raises(NotImplementedError, match=r"scvi.criticism does not apply"):
        criticism.PosteriorPredictiveCheck(adata, {"txpert": model}, count_layer_key="counts")
