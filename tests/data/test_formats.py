import numpy as np
import pytest
from scipy import sparse

import txpert as tx
from txpert.data._formats import plain_matrix


def repeated(matrix):
    """Every value in two entries, as CSR."""
    csr = sparse.csr_matrix(matrix)
    parts = np.repeat(csr.data / 2, 2), np.repeat(csr.indices, 2), csr.indptr * 2
    return sparse.csr_matrix(parts, shape=csr.shape)


def wide_indices(matrix):
    csr = sparse.csr_matrix(matrix)
    csr.indices, csr.indptr = csr.indices.astype(np.int64), csr.indptr.astype(np.int64)
    return csr


def read_only(matrix):
    matrix = matrix.copy()
    matrix.setflags(write=False)
    return matrix


FORMATS = {
    "csr_array": sparse.csr_array,
    "csc_array": sparse.csc_array,
    "csc": sparse.csc_matrix,
    "repeated": repeated,
    "int64 indices": wide_indices,
    "float16": lambda x: x.astype(np.float16),
    "big-endian": lambda x: x.astype(">f4"),
    "read-only": read_only,
    "Fortran": np.asfortranarray,
    "masked": np.ma.masked_array,
    "longdouble": lambda x: x.astype(np.longdouble),
    "objects": lambda x: x.astype(object),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_table(adata, name, capsys):
    dense = adata.X.toarray()
    want = tx.pp.pseudobulk(adata).X
    adata.X = FORMATS[name](dense)
    atol = 2e-3 if name == "float16" else 1e-5
    np.testing.assert_allclose(tx.pp.pseudobulk(adata).X, want, atol=atol)
    tx.pp.check_split(adata)
    tx.pp.filter_perturbations(adata, min_de_genes=None)


@pytest.mark.parametrize("name", [n for n in FORMATS if n not in ("float16", "repeated")])
def test_counts_of_every_format_are_normalized(adata, name):
    counts = adata.layers["counts"].toarray()
    want = adata.X.toarray()
    case = adata.copy()
    del case.layers["counts"]
    case.X = FORMATS[name](counts)
    tx.pp.normalize(case)
    got = case.X.toarray() if sparse.issparse(case.X) else case.X
    np.testing.assert_allclose(np.asarray(got, dtype=float), want, atol=1e-5)


def test_entries_that_occur_twice_are_added_up(adata):
    counts = adata.layers["counts"].toarray() * 2
    case = adata.copy()
    del case.layers["counts"]
    case.X = repeated(counts)
    table = tx.pp.pseudobulk(case, target_sum=4_000)
    np.testing.assert_allclose(table.X, tx.pp.pseudobulk(adata).X, atol=1e-5)
    before = case.X.nnz
    tx.pp.normalize(case)
    np.testing.assert_allclose(case.X.toarray(), adata.X.toarray(), atol=1e-5)
    assert before == 2 * adata.X.nnz


def test_other_sparse_formats_become_csr():
    dense = np.arange(12.0).reshape(3, 4)
    for kind in (sparse.coo_array, sparse.dia_matrix, sparse.lil_matrix, sparse.bsr_matrix):
        plain = plain_matrix(kind(dense), "X")
        assert isinstance(plain, sparse.csr_matrix)
        np.testing.assert_array_equal(plain.toarray(), dense)
    np.testing.assert_array_equal(plain_matrix(np.asmatrix(dense), "X"), dense)


def test_the_matrix_given_stays_as_it_is():
    matrix = repeated(np.eye(3))
    plain_matrix(matrix, "X")
    assert matrix.nnz == 6


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ma.masked_array(np.eye(2), np.eye(2) > 0), "X has masked values"),
        (np.eye(2).astype(complex), "of the type complex128"),
        (np.eye(2).astype(str), "not real numbers"),
        (np.array([["a", 1]], dtype=object), "objects that are no numbers"),
    ],
)
def test_values_that_are_no_numbers_are_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        plain_matrix(matrix, "X")
