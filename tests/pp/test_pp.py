import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import txpert as tx


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
def test_normalize(raw_counts, convert):
    counts = raw_counts.X.copy()
    raw_counts.X = convert(counts.copy())
    tx.pp.normalize(raw_counts)
    dense = raw_counts.X.toarray() if sparse.issparse(raw_counts.X) else raw_counts.X
    expected = np.log1p(counts / counts.sum(1, keepdims=True) * 4_000)
    np.testing.assert_allclose(dense, expected, rtol=1e-5)
    kept = raw_counts.layers["counts"]
    np.testing.assert_array_equal(kept.toarray() if sparse.issparse(kept) else kept, counts)


def test_normalize_refuses_what_it_cannot_do(raw_counts, tmp_path):
    with pytest.raises(ValueError, match="adata is a view"):
        tx.pp.normalize(raw_counts[:5])
    raw_counts.write_h5ad(tmp_path / "x.h5ad")
    with pytest.raises(ValueError, match="to_memory"):
        tx.pp.normalize(ad.read_h5ad(tmp_path / "x.h5ad", backed="r"))
    tx.pp.normalize(raw_counts)
    once = raw_counts.X.copy()
    with pytest.raises(ValueError, match="does not hold raw counts"):
        tx.pp.normalize(raw_counts)
    np.testing.assert_array_equal(raw_counts.X, once)


def test_split_is_by_perturbation_and_leaves_controls_out(adata):
    obs = adata.obs
    assert obs.loc[obs["control"], "split"].isna().all()
    assert obs.loc[~obs["control"], "split"].notna().all()
    assert (obs.groupby("perturbation", observed=True)["split"].nunique() <= 1).all()


def test_split_touches_its_own_columns_only(adata):
    before = adata.copy()
    tx.pp.split(adata, seed=3, key_added="other")
    assert set(adata.obs) - set(before.obs) == {"other", "other_group"}
    pd.testing.assert_frame_equal(adata.obs[list(before.obs)], before.obs)
    assert set(adata.uns) - set(before.uns) == {"txpert_other"}


def test_split_refuses(adata):
    with pytest.raises(ValueError, match="no task 'unseen'"):
        tx.pp.split(adata, task="unseen")
    with pytest.raises(ValueError, match="adata is a view"):
        tx.pp.split(adata[:50])
    few = adata[adata.obs["perturbation"].isin(["control", "GENE3", "GENE5"])].copy()
    with pytest.raises(ValueError, match="too few to split"):
        tx.pp.split(few)


def test_pseudobulk_leaves_the_data_alone(adata):
    before = adata.copy()
    tx.pp.pseudobulk(adata)
    pd.testing.assert_frame_equal(adata.obs, before.obs)
    assert (adata.X != before.X).nnz == 0
    with pytest.raises(ValueError, match="looks like raw counts"):
        tx.pp.pseudobulk(adata, layer="counts")
    with pytest.raises(KeyError, match="no layer 'logs'"):
        tx.pp.pseudobulk(adata, layer="logs")
