import anndata as ad
import numpy as np
import pytest
import scanpy as sc
from scipy import sparse

import txpert as tx


def chosen(adata):
    return set(adata.var_names[adata.var["highly_variable"]])


def test_one_line_is_scanpys_choice_on_what_is_learned_from(adata):
    tx.pp.highly_variable_genes(adata, 15)
    used = (adata.obs["control"] | (adata.obs["split"] == "train")).to_numpy()
    own = ad.AnnData(adata.X[used].copy(), var=adata.var[[]].copy())
    sc.pp.highly_variable_genes(own, n_top_genes=15)
    assert chosen(adata) == chosen(own)
    np.testing.assert_allclose(adata.var["means"], own.var["means"])
    record = adata.uns["txpert_genes"]
    assert record["n_cells"] == used.sum()
    trained = adata.obs.loc[adata.obs["split"] == "train", "perturbation"].unique()
    assert record["conditions"].tolist() == sorted(f"simulated|{label}" for label in trained)


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
def test_held_out_cells_cannot_change_the_choice(adata, convert):
    tx.pp.highly_variable_genes(adata, 15)
    held_out = adata.obs["split"].isin(["val", "test"]).to_numpy()
    X = adata.X.toarray()
    X[held_out] = np.random.default_rng(0).permuted(X[held_out], axis=1)
    other = adata.copy()
    other.X = convert(X)
    tx.pp.highly_variable_genes(other, 15)
    assert chosen(other) == chosen(adata)
    other.obs["split"] = "train"
    other.obs.loc[other.obs["control"], "split"] = None
    tx.pp.highly_variable_genes(other, 15)
    assert chosen(other) != chosen(adata)  # the change would have been seen


def test_genes_of_the_test_line_among_those_the_training_lines_measure(two_lines):
    tx.pp.split(two_lines, task="unseen_cell_line", test_cell_line="RPE1")
    line = (two_lines.obs["cell_line"] == "RPE1").to_numpy()
    X = two_lines.X
    controls = line & two_lines.obs["control"].to_numpy()
    X[np.ix_(~line, [7, 11])] = 0  # no training cell measures these two
    held_out = (two_lines.obs["split"] == "val").to_numpy()
    X[np.ix_(held_out, [11])] = 1.0  # but validation does, which does not count
    tx.pp.highly_variable_genes(two_lines, 58)
    names = two_lines.var_names
    assert set(names) - chosen(two_lines) == set(names[[7, 11]])
    assert two_lines.var.loc[names[[7, 11]], "means"].isna().all()
    tx.pp.highly_variable_genes(two_lines, 10)
    own = ad.AnnData(np.delete(X[controls], [7, 11], axis=1))
    own.var_names = names.delete([7, 11])
    sc.pp.highly_variable_genes(own, n_top_genes=10)
    assert chosen(two_lines) == chosen(own)
    record = two_lines.uns["txpert_genes"]
    assert record["cell_line"] == "RPE1"
    assert record["n_cells"] == controls.sum()
    assert record["conditions"].tolist() == []
    assert tx.pp.check_split(two_lines).empty


def test_several_lines_without_a_test_line_are_scanpys_batches(two_lines, tmp_path):
    tx.pp.highly_variable_genes(two_lines, 10)
    assert "highly_variable_nbatches" in two_lines.var
    assert len(chosen(two_lines)) == 10
    conditions = two_lines.uns["txpert_genes"]["conditions"]
    assert {name.split("|")[0] for name in conditions} == {"K562", "RPE1"}
    two_lines.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    assert back.uns["txpert_genes"]["conditions"].tolist() == conditions.tolist()
    assert chosen(back) == chosen(two_lines)
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    tx.pp.highly_variable_genes(backed, 10)
    assert chosen(backed) == chosen(two_lines)


def test_targets_are_kept_on_request(adata):
    tx.pp.highly_variable_genes(adata, 5)
    few = chosen(adata)
    tx.pp.highly_variable_genes(adata, 5, keep_targets=True)
    targets = set(adata.obs["perturbation"]) - {"control"}
    assert chosen(adata) == few | targets
    tx.pp.highly_variable_genes(adata, 5_000)
    assert adata.var["highly_variable"].all()


def test_bad_input_is_named(adata, two_lines):
    with pytest.raises(ValueError, match="no cell line 'X'; there are K562, RPE1"):
        tx.pp.highly_variable_genes(two_lines, cell_line="X")
    with pytest.raises(KeyError, match=r"no column 'split'; tx\.pp\.split"):
        tx.pp.highly_variable_genes(ad.AnnData(adata.X, obs=adata.obs.drop(columns="split")))
    with pytest.raises(ValueError, match="adata is a view"):
        tx.pp.highly_variable_genes(adata[:100])
    empty = (two_lines.obs["cell_line"] == "K562").to_numpy()
    two_lines.X[empty, :30], two_lines.X[~empty, 30:] = 0, 0
    with pytest.raises(ValueError, match="No gene is measured in all of the cell lines K562, RPE"):
        tx.pp.highly_variable_genes(two_lines)


def test_genes_of_a_screen_on_disk_are_those_of_the_same_in_memory(tmp_path):
    pytest.importorskip("dask")
    adata = tx.datasets.toy()
    tx.pp.split(adata)
    adata.write_h5ad(tmp_path / "toy.h5ad")
    opened = tx.pp.open_screen(tmp_path / "toy.h5ad")
    for data in (adata, opened):
        tx.pp.highly_variable_genes(data, n_top_genes=20)
    assert opened.var["highly_variable"].tolist() == adata.var["highly_variable"].tolist()
