import numpy as np
import pytest

import txpert as tx


@pytest.fixture
def counts(adata):
    adata.X = adata.layers.pop("counts")
    return adata


@pytest.mark.parametrize("value", [-1, 0, float("nan"), float("inf"), [1], "4000", True, None])
def test_senseless_sums_change_nothing(counts, value):
    before = counts.X.copy()
    with pytest.raises((ValueError, TypeError), match="target_sum"):
        tx.pp.normalize(counts, target_sum=value)
    assert "counts" not in counts.layers
    assert (before != counts.X).nnz == 0


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "NaN"), (-5.0, "raw counts"), (0.5, "raw counts")]
)
def test_one_bad_cell_is_found_before_anything_changes(counts, value, message):
    big = counts[np.arange(4_000) % counts.n_obs].copy()
    big.obs_names = [f"c{i}" for i in range(4_000)]
    X = big.X.toarray()
    X[7, 3] = value
    big.X = X
    with pytest.raises(ValueError, match=rf"{message}.*'c7'"):
        tx.pp.normalize(big)
    assert "counts" not in big.layers
    np.testing.assert_array_equal(big.X, X)


def test_cells_without_counts_stay_zero_with_a_warning(counts):
    X = counts.X.toarray()
    X[3] = 0
    counts.X = X
    with pytest.warns(UserWarning, match="zero in all genes in 1 of"):
        tx.pp.normalize(counts)
    assert not counts.X[3].any()


def test_other_counts_are_never_replaced(counts):
    counts.layers["counts"] = counts.X * 2
    with pytest.raises(ValueError, match=r"layers\['counts'\] exists and differs"):
        tx.pp.normalize(counts)
    counts.layers["counts"] = counts.X.copy()
    tx.pp.normalize(counts)
    assert counts.layers["counts"].max() > counts.X.max()


def test_flags_are_counts_of_one(counts):
    flags = counts.X.toarray() > 0
    counts.X = flags
    tx.pp.normalize(counts)
    assert counts.X.max() > 1
