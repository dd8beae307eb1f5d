import anndata as ad
import numpy as np
import pytest
from scipy import sparse

import txpert as tx
from txpert.data._values import (
    EMPTY,
    FINE,
    FRACTION,
    MISSING,
    NEGATIVE,
    TOO_LARGE,
    WHOLE,
    ValueCheck,
    check_log_normalized,
    row_faults,
)  # fmt: skip

ROWS = np.array(
    [[0.5, 0, 1.25], [np.nan, 0.5, 2], [-0.5, 1.5, 0], [3, 0, 2], [20.5, 1, 0], [0, 0, 0]],
    dtype=np.float32,
)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_rows_are_judged_one_by_one(kind):
    faults = row_faults(kind(ROWS))
    assert faults.tolist() == [FINE, MISSING, NEGATIVE, WHOLE, TOO_LARGE, EMPTY]
    counts = row_faults(kind(ROWS), counts=True)
    assert counts.tolist() == [FRACTION, FRACTION, NEGATIVE, FINE, FRACTION, EMPTY]


def test_the_first_bad_cell_is_named_with_its_batch():
    check = ValueCheck("X", np.array(["a", "b", "c"]), np.array(["l1", "l1", "l2"]))
    check.add(slice(0, 2), np.array([FINE, FINE], dtype=np.int8))
    check.add(slice(2, 3), np.array([WHOLE], dtype=np.int8))
    with pytest.raises(ValueError, match=r"1 of 3 cells, such as 'c' \(batch 'l2'\)"):
        check.conclude()


def far_from_the_sample(adata, n=5_000):
    """More cells than are looked at in a sample, and one between those looked at."""
    big = adata[np.arange(n) % adata.n_obs].copy()
    big.obs_names = [f"c{i}" for i in range(n)]
    looked_at = set(np.linspace(0, n - 1, 1_000).astype(int))
    cell = next(i for i in range(5, n) if i not in looked_at and bool(big.obs["control"].iloc[i]))
    return big, cell


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "NaN or infinite"), (-3.0, "is negative"), (1e4, "too large"), (None, "raw counts")],
)
def test_one_bad_cell_beyond_the_sample_is_named(adata, value, message):
    big, cell = far_from_the_sample(adata)
    X = big.X.toarray()
    if value is None:
        X[cell] = np.arange(X.shape[1]) % 4
    else:
        X[cell, 2] = value
    big.X = X
    with pytest.raises(ValueError, match=rf"{message}.*'c{cell}'"):
        tx.pp.pseudobulk(big)
    with pytest.raises(ValueError, match=rf"{message}.*'c{cell}'"):
        tx.pp.filter_perturbations(big, min_de_genes=None)


def test_empty_cells_are_warned_of(adata):
    X = adata.X.toarray()
    X[3] = 0
    adata.X = X
    with pytest.warns(UserWarning, match=r"zero in all genes in 1 of .*filter_cells"):
        tx.pp.pseudobulk(adata)


@pytest.mark.parametrize("function", [tx.pp.pseudobulk, tx.TxPertModel.setup_anndata])
def test_half_in_counts_is_refused(adata, function):
    counts = np.minimum(adata.layers["counts"].toarray(), 12)
    half = np.arange(adata.n_obs) % 2 == 0
    adata.X = np.where(half[:, None], counts, adata.X.toarray()).astype(np.float32)
    with pytest.raises(ValueError, match="raw counts in"):
        function(adata)


def test_values_without_a_logarithm_are_refused(adata):
    counts = adata.layers["counts"].toarray()
    adata.X = (counts / counts.sum(axis=1, keepdims=True) * 10).astype(np.float32)
    with pytest.raises(ValueError, match=r"sums up to 10 .*log1p"):
        check_log_normalized(adata.X, "adata.X")


def test_fractions_are_no_counts_to_normalize(adata):
    counts = adata.layers["counts"].toarray()
    big = ad.AnnData(
        np.tile(counts, (4, 1)),
        obs=adata.obs.iloc[np.arange(4 * len(counts)) % len(counts)].copy(),
    )
    big.obs_names_make_unique()
    looked_at = set(np.linspace(0, big.n_obs - 1, 1_000).astype(int))
    cell = next(i for i in range(big.n_obs) if i not in looked_at)
    big.X[cell, 1] = 0.5
    with pytest.raises(ValueError, match=r"value 0\.5, which is no whole number"):
        tx.pp.pseudobulk(big, target_sum=4_000)
