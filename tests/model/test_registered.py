"""Registrations that are undone, found again, and known by their columns."""

import gc
import weakref

import numpy as np
import pytest

import txpert as tx
from txpert.data import _registrations
from txpert.model._registered import release

STORE = tx.TxPertModel._setup_adata_manager_store


def test_failed_fits_leave_nothing_registered(adata, graph):
    store, keys = dict(STORE), dict(_registrations._registered)
    found = []
    for _ in range(3):
        cells = adata.copy()
        found.append(weakref.ref(cells))
        with pytest.raises(ValueError, match="max_epochs"):
            tx.tl.fit_txpert(cells, graphs=graph, components="mean", train={"max_epochs": -1})
        assert not [name for name in cells.uns if name.startswith("_scvi")]
    del cells
    gc.collect()
    assert (STORE, _registrations._registered) == (store, keys)
    assert [of() for of in found] == [None] * 3


def test_a_failure_puts_the_earlier_registration_back(adata, graph):
    adata.obs = adata.obs.rename(columns={"perturbation": "gene"})
    tx.TxPertModel.setup_anndata(adata, perturbation_key="gene")
    expected = tx.pp.pseudobulk(adata)
    manager, identifiers = STORE[adata.uns["_scvi_uuid"]], dict(adata.uns)
    copy = adata.copy()
    copy.obs["perturbation"] = copy.obs.pop("gene")
    for cells, setup in ((copy, {}), (adata, {"perturbation_key": "gene", "batch_key": None})):
        with pytest.raises(ValueError, match="max_epochs"):
            tx.tl.fit_txpert(cells, graphs=graph, setup=setup, train={"max_epochs": -1})
        assert STORE[adata.uns["_scvi_uuid"]] is manager
        assert {name: adata.uns[name] for name in identifiers} == identifiers
        assert tx.pp.pseudobulk(adata).obs.equals(expected.obs)
    assert tx.TxPertModel(adata, graph, components="mean").adata is adata


def test_released_data_are_collected_and_a_model_of_them_keeps_working(adata, graph):
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graph, components="mean")
    model.train(enable_progress_bar=False)
    release(adata)
    assert adata.uns["_scvi_uuid"] not in STORE
    assert tx.tl.evaluate(adata, model).index[0] == "TxPert"
    tx.TxPertModel.setup_anndata(adata)
    tx.TxPertModel(adata, graph, components="mean")


def test_data_that_a_model_read_are_known_by_its_columns(adata, make_model):
    adata.obs = adata.obs.rename(columns={"perturbation": "gene"})
    tx.TxPertModel.setup_anndata(adata, perturbation_key="gene")
    model = make_model(adata, setup=False)
    copy = adata.copy()  # to which scvi-tools gives an identifier of its own when it is read
    copy.obs["perturbation"] = "control"
    tx.tl.evaluate(copy, model)
    assert copy.uns["_scvi_uuid"] != adata.uns["_scvi_uuid"]
    assert tx.pp.pseudobulk(copy).obs.equals(tx.pp.pseudobulk(adata).obs)


ENSEMBLE = {"components": ("mean", "gaussian_process"), "decoding": "low_rank"}


def _save_and_load(model, folder):
    model.save(folder / "model", save_anndata=True)
    return tx.TxPertModel.load(folder / "model").adata


def _set_up_a_copy(model, folder):
    copy = model.adata.copy()
    tx.TxPertModel.setup_anndata(copy, batch_key=None)
    return copy


def _set_up_again(model, folder):
    tx.TxPertModel.setup_anndata(model.adata, batch_key=None)
    return model.adata


def _release(model, folder):
    release(model.adata)


def _forget_identifiers(model, folder):
    del model.adata.uns["_scvi_uuid"], model.adata.uns["_scvi_manager_uuid"]


@pytest.mark.parametrize(
    "happens",
    [_save_and_load, _set_up_a_copy, _set_up_again, _release, _forget_identifiers],
)
def test_with_graphs_finds_the_data_of_the_model(happens, adata, make_model, graph, tmp_path):
    model = make_model(adata, **ENSEMBLE)
    expected = model.with_graphs(graph)
    later = happens(model, tmp_path)
    store = dict(STORE)
    found = model.with_graphs(graph)
    assert store == STORE
    assert found.adata is model.adata
    assert found.conditions.obs.equals(expected.conditions.obs)
    np.testing.assert_allclose(
        found.predict("GENE10").layers["delta"], expected.predict("GENE10").layers["delta"]
    )
    if later is not None:
        assert tx.TxPertModel(later, graph, components="mean").adata is later
