"""Lazy data: the same results whatever the scheduler, and a lost worker costs nothing."""

import os
import signal

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import txpert as tx
from txpert.data._cluster import _n_threads
from txpert.data._group_sums import group_sums

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

N_CELLS, N_GENES, N_GROUPS = 400, 6, 5
COUNTS = np.random.default_rng(0).poisson(0.7, size=(N_CELLS, N_GENES)).astype(np.float32)
GROUP = np.random.default_rng(1).integers(-1, N_GROUPS, size=(N_CELLS, 2))
SUMS = np.zeros((N_GROUPS + 1, N_GENES))
for column in GROUP.T:
    np.add.at(SUMS, column, COUNTS)
SUMS = SUMS[:-1]


def as_dask(convert, chunks=(30, N_GENES)):
    return da.from_array(COUNTS, chunks=chunks).map_blocks(convert)


@pytest.fixture(params=["h5ad", "zarr"])
def lazy(adata, request, tmp_path):
    pytest.importorskip("xarray")
    path = tmp_path / f"x.{request.param}"
    getattr(adata, f"write_{request.param}")(path)
    return ad.experimental.read_lazy(path)


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
        client.wait_for_workers(2, timeout=60)  # a cluster cannot close while one is restarted


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("chunks", [(30, N_GENES), (400, N_GENES), ((1, 399), (2, 4))])
def test_sums_of_dask_blocks(convert, chunks):
    if convert is sparse.csr_matrix and chunks == ((1, 399), (2, 4)):
        pytest.skip("dask joins no sparse blocks side by side")
    sums = group_sums(as_dask(convert, chunks), GROUP, N_GROUPS)
    np.testing.assert_allclose(sums, SUMS, rtol=1e-6)


def test_lazy_pseudobulk_is_that_in_memory(adata, lazy):
    expected, found = tx.pp.pseudobulk(adata), tx.pp.pseudobulk(lazy)
    pd.testing.assert_frame_equal(found.obs, expected.obs)
    np.testing.assert_allclose(found.X, expected.X, atol=1e-6)
    normalized = tx.pp.pseudobulk(lazy, layer="counts", target_sum=4_000)
    np.testing.assert_allclose(normalized.X, expected.X, atol=1e-5)


def test_a_model_on_lazy_data(adata, lazy, graph, tmp_path):
    tx.TxPertModel.setup_anndata(lazy)
    model = tx.TxPertModel(lazy, graph)
    model.train(max_epochs=1, enable_progress_bar=False)
    model.save(tmp_path / "m")
    loaded = tx.TxPertModel.load(tmp_path / "m", lazy)
    np.testing.assert_allclose(loaded.predict("GENE3").X, model.predict("GENE3").X, atol=1e-6)
    assert len(tx.tl.evaluate(lazy, model)) == 2
    tx.TxPertModel.setup_anndata(adata)
    np.testing.assert_allclose(
        tx.TxPertModel(adata, graph).conditions.mean, model.conditions.mean, atol=1e-6
    )
    with pytest.raises(ValueError, match=r"unit='pseudobulk'.*backed='r'"):
        model.train(max_epochs=1, unit="cell", enable_progress_bar=False)


def test_lazy_data_that_are_wrong_are_refused(lazy):
    with pytest.raises(ValueError, match="looks like raw counts"):
        tx.pp.pseudobulk(lazy, layer="counts")
    with pytest.raises(KeyError, match="no column 'guide'"):
        tx.pp.pseudobulk(lazy, perturbation_key="guide")


def test_a_split_wants_the_annotation_in_memory(adata, lazy):
    with pytest.raises(ValueError, match=r"adata\.obs\.to_memory\(\)"):
        tx.pp.split(lazy)
    lazy.obs = lazy.obs.to_memory()
    tx.pp.split(lazy)
    pd.testing.assert_series_equal(lazy.obs["split"], adata.obs["split"], check_index=False)


def test_rows_that_cannot_be_read_are_named():
    def fail(block, block_info=None):
        if block_info[0]["array-location"][0][0] >= 390:
            raise RuntimeError("inflate() failed")
        return block

    matrix = da.from_array(COUNTS, chunks=(30, N_GENES)).map_blocks(fail, dtype=np.float32)
    with pytest.raises(OSError, match=r"to 399 cannot be read \(inflate\(\) failed\)"):
        group_sums(matrix, GROUP, N_GROUPS)


def test_blocks_that_lack_indices_are_refused():
    def repeat(block):
        block = sparse.csr_matrix(block)
        block.indices[:] = 0
        return block

    with pytest.raises(OSError, match="a gene occurs twice in a cell"):
        group_sums(as_dask(repeat), GROUP, N_GROUPS)


def test_a_cluster_gives_the_same(client, adata, lazy):
    np.testing.assert_allclose(tx.pp.pseudobulk(lazy).X, tx.pp.pseudobulk(adata).X, atol=1e-6)
    assert _n_threads() == 2


@pytest.mark.slow
def test_a_worker_killed_half_way_costs_nothing(client, tmp_path):
    """The block half-way kills the process that reads it, the first time."""
    mark = tmp_path / "killed"

    def die_once(block, block_info=None):
        start = block_info[0]["array-location"][0][0]
        if start == 210 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return sparse.csr_matrix(block)

    matrix = da.from_array(COUNTS, chunks=(30, N_GENES)).map_blocks(
        die_once, meta=sparse.csr_matrix(COUNTS[:0])
    )
    np.testing.assert_allclose(group_sums(matrix, GROUP, N_GROUPS), SUMS, rtol=1e-6)
    assert mark.exists()


def test_workers_that_die_again_and_again(client):
    def die(block):
        os.kill(os.getpid(), signal.SIGKILL)

    matrix = da.from_array(COUNTS, chunks=(400, N_GENES)).map_blocks(die, meta=COUNTS[:0])
    with pytest.raises(RuntimeError, match=r"gave up at rows 0 to 399.*Give workers more memory"):
        group_sums(matrix, GROUP, N_GROUPS)
