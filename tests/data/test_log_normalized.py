import anndata as ad
import numpy as np
import pytest
from scipy import sparse

import txpert as tx
from txpert.data._group_sums import group_sums
from txpert.data._log_normalized import LogNormalized, log_normalized
from txpert.data._matrix import read_rows

COUNTS = np.random.default_rng(0).poisson(0.7, size=(50, 7)).astype(np.int32)
COUNTS[3] = 0


@pytest.fixture(scope="module")
def expected():
    adata = ad.AnnData(sparse.csr_matrix(COUNTS.astype(np.float32)))
    tx.pp.normalize(adata)
    return adata.X.toarray()


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_rows_are_those_of_normalize(convert, expected):
    counts = convert(COUNTS)
    matrix = log_normalized(counts, 4_000, "adata.X")
    rows = np.array([7, 3, 7])
    np.testing.assert_allclose(read_rows(matrix, rows), expected[rows], rtol=1e-6)
    sums = group_sums(matrix, np.zeros(50, int), 1)
    np.testing.assert_allclose(sums[0], expected.sum(0), rtol=1e-6)
    assert (counts != convert(COUNTS)).sum() == 0


def test_one_cell_worked_by_hand():
    row = LogNormalized(np.array([[1, 3, 0]]), 8)[:1]
    np.testing.assert_allclose(row, np.log([[3, 7, 1]]), rtol=1e-6)


def test_what_is_no_count_is_refused():
    with pytest.raises(ValueError, match="does not hold raw counts"):
        log_normalized(np.log1p(COUNTS), 4_000, "adata.X")
    with pytest.raises(ValueError, match="target_sum must be a positive"):
        log_normalized(COUNTS, 0, "adata.X")


def test_counts_make_the_same_pseudobulk_and_model(adata, graph):
    expected = tx.pp.pseudobulk(adata)
    found = tx.pp.pseudobulk(adata, layer="counts", target_sum=4_000)
    np.testing.assert_allclose(found.X, expected.X, atol=1e-5)
    tx.TxPertModel.setup_anndata(adata, layer="counts", target_sum=4_000)
    model = tx.TxPertModel(adata, graph)
    np.testing.assert_allclose(model.conditions.mean, expected.X, atol=1e-5)


def test_a_saved_model_remembers_the_normalization(adata, graph, tmp_path):
    tx.TxPertModel.setup_anndata(adata, layer="counts", target_sum=4_000)
    model = tx.TxPertModel(adata, graph)
    model.train(max_epochs=1, unit="cell", enable_progress_bar=False)
    model.save(tmp_path / "m")
    loaded = tx.TxPertModel.load(tmp_path / "m", adata)
    np.testing.assert_array_equal(loaded.conditions.mean, model.conditions.mean)
    with pytest.raises(ValueError, match="looks like raw counts"):
        tx.TxPertModel.setup_anndata(adata, layer="counts")
