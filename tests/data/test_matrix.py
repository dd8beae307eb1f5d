import anndata as ad
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from txpert.data._group_sums import group_sums
from txpert.data._matrix import iter_chunks, read_rows
from txpert.data._values import check_counts, check_log_normalized

DENSE = np.random.default_rng(0).poisson(0.7, size=(50, 7)).astype(np.float32)


@pytest.fixture(scope="module", params=["dense", "csr"])
def backed(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("backed") / "x.h5ad"
    ad.AnnData(DENSE if request.param == "dense" else sparse.csr_matrix(DENSE)).write_h5ad(path)
    return ad.read_h5ad(path, backed="r").X


@given(rows=st.lists(st.integers(0, 49), min_size=1, max_size=80))
@settings(deadline=None, max_examples=40)
def test_backed_rows_come_in_the_order_asked_for(backed, rows):
    np.testing.assert_array_equal(read_rows(backed, np.array(rows)), DENSE[rows])


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_rows_and_sums_in_memory(convert):
    rows, group = np.array([3, 3, 1]), np.arange(50) % 3
    np.testing.assert_array_equal(read_rows(convert(DENSE), rows), DENSE[rows])
    expected = np.stack([DENSE[group == g].sum(0) for g in range(3)])
    np.testing.assert_allclose(group_sums(convert(DENSE), group, 3), expected)


def test_sums_of_backed_data(backed):
    group = np.random.default_rng(1).integers(4, size=50)
    expected = np.stack([DENSE[group == g].sum(0) for g in range(4)])
    np.testing.assert_allclose(group_sums(backed, group, 4), expected)


def test_rows_are_added_to_each_of_their_groups(backed):
    group = np.random.default_rng(1).integers(-1, 5, size=(50, 3))
    expected = [sum(DENSE[column == g].sum(0) for column in group.T) for g in range(5)]
    for matrix in (DENSE, sparse.csr_matrix(DENSE), backed):
        np.testing.assert_allclose(group_sums(matrix, group, 5), expected)


def test_chunks_cover_every_row_once():
    rows = [np.arange(50)[part] for part, _ in iter_chunks(DENSE, n_rows=16)]
    np.testing.assert_array_equal(np.concatenate(rows), np.arange(50))


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (DENSE, "raw counts"),
        (DENSE - 0.5, "negative"),
        (DENSE * 50.5, "too large"),
        (np.where(DENSE > 2, np.nan, DENSE), "NaN"),
        (np.where(DENSE > 2, np.inf, DENSE), "NaN or infinite"),
    ],
)
def test_values_that_are_not_log_normalized_are_refused(convert, values, message):
    with pytest.raises(ValueError, match=message):
        check_log_normalized(convert(values), "adata.X")


def test_log_normalized_values_pass_and_are_no_counts():
    values = np.log1p(DENSE)
    check_log_normalized(values, "adata.X")
    check_counts(DENSE, "adata.X")
    with pytest.raises(ValueError, match="does not hold raw counts"):
        check_counts(values, "adata.X")
