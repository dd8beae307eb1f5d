import anndata as ad
import numpy as np
import pytest
import zarr
from anndata.io import sparse_dataset, write_elem
from scipy import sparse

from txpert.data._group_sums import group_sums
from txpert.data._matrix import iter_chunks, read_rows, row_digests
from txpert.data._values import check_log_normalized

DENSE = np.log1p(np.random.default_rng(0).poisson(0.7, size=(50, 7))).astype(np.float32)
GROUP = np.arange(50) % 3
SUMS = np.stack([DENSE[start::3].sum(0) for start in range(3)])


@pytest.fixture
def h5ad(tmp_path):
    path = tmp_path / "x.h5ad"
    ad.AnnData(sparse.csr_matrix(DENSE)).write_h5ad(path, compression="gzip")
    return path


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "x.zarr"
    group = zarr.open_group(path, mode="w")
    write_elem(group, "X", sparse.csr_matrix(DENSE), dataset_kwargs={"chunks": (20,)})
    return path


def chunks_of(store, name):
    """Return the files of an array's chunks, in order."""
    files = [path for path in (store / "X" / name).rglob("*") if path.name.isdigit()]
    return sorted((path for path in files if path.is_file()), key=lambda path: int(path.name))


def test_sparse_and_dense_zarr(store):
    matrix = sparse_dataset(zarr.open_group(store, mode="r")["X"])
    dense = zarr.open_group(store, mode="a").create_array("D", data=DENSE, chunks=(10, 7))
    for stored in (matrix, dense):
        check_log_normalized(stored, "X")
        np.testing.assert_allclose(group_sums(stored, GROUP, 3), SUMS, rtol=1e-6)
        np.testing.assert_array_equal(row_digests(stored), row_digests(DENSE))
        np.testing.assert_array_equal(read_rows(stored, np.array([4, 4, 1])), DENSE[[4, 4, 1]])


def test_float32_sums_are_of_float64_chunks():
    sums = group_sums(sparse.csr_matrix(DENSE), GROUP, 3, dtype=np.float32)
    assert sums.dtype == np.float32
    np.testing.assert_allclose(sums, SUMS, rtol=1e-6)


def test_means_of_many_chunks_are_exact_enough(monkeypatch):
    """One group in 20,000 chunks: as in 80 million cells."""
    values = np.random.default_rng(0).gamma(0.3, 1.5, size=(20_000, 4)).astype(np.float32)
    chunks = iter_chunks
    monkeypatch.setattr("txpert.data._group_sums.iter_chunks", lambda matrix: chunks(matrix, 1))
    sums = group_sums(values, np.zeros(len(values), int), 1, dtype=np.float32)
    np.testing.assert_allclose(sums[0] / 20_000, values.mean(0, dtype=np.float64), rtol=1e-5)


def test_a_file_that_is_damaged_names_itself_and_the_rows(h5ad):
    backed = ad.read_h5ad(h5ad, backed="r")
    data = backed.X.group["data"]
    offset, size = data.id.get_chunk_info(0).byte_offset, data.id.get_chunk_info(0).size
    backed.file.close()
    with open(h5ad, "r+b") as file:
        file.seek(offset)
        file.write(b"\0" * size)
    matrix = ad.read_h5ad(h5ad, backed="r").X
    with pytest.raises(OSError, match=r"Rows 0 to 49 of .*x\.h5ad cannot be read"):
        group_sums(matrix, GROUP, 3)


def test_a_chunk_that_is_cut_short(store):
    values = chunks_of(store, "data")[:3][-1]
    values.write_bytes(values.read_bytes()[:20])
    matrix = sparse_dataset(zarr.open_group(store, mode="r")["X"])
    with pytest.raises(OSError, match=r"Rows 0 to 49 of .*x\.zarr.* cannot be read"):
        group_sums(matrix, GROUP, 3)


def test_chunks_that_are_missing_are_no_zeros(store):
    chunks_of(store, "data")[-1].unlink()
    matrix = sparse_dataset(zarr.open_group(store, mode="r")["X"])
    with pytest.raises(OSError, match=r"x\.zarr.* has \d+ of the \d+ chunks"):
        group_sums(matrix, GROUP, 3)


def test_indices_that_are_missing_are_no_zeros(store):
    for chunk in chunks_of(store, "indices"):
        chunk.unlink()
    matrix = sparse_dataset(zarr.open_group(store, mode="r")["X"])
    with pytest.raises(OSError, match="a gene occurs twice in a cell"):
        group_sums(matrix, GROUP, 3)
