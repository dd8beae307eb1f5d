import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse, stats

import txpert as tx


def test_table_says_what_fails_and_why(adata):
    # GENE1 keeps 20 cells, GENE11 loses its effect, GENE13 keeps its target.
    labels = adata.obs["perturbation"].astype(str).to_numpy()
    X = adata.X.toarray()
    genes = adata.var_names
    control = np.flatnonzero(labels == "control")
    without = np.flatnonzero(labels == "GENE11")
    X[without] = X[np.random.default_rng(0).choice(control, len(without))]
    X[without, genes.get_loc("GENE11")] = 0
    X[labels == "GENE13", genes.get_loc("GENE13")] = X[control, genes.get_loc("GENE13")][:25]
    adata.X = X
    adata = adata[np.setdiff1d(np.arange(360), np.flatnonzero(labels == "GENE1")[:5])].copy()
    before = adata.copy()
    table = tx.pp.filter_perturbations(adata, min_de_genes=8).set_index("perturbation")
    assert table.loc["GENE1", ["n_cells", "passes"]].tolist() == [20, False]
    assert table.loc["GENE1", "reason"] == "20 of 25 cells"
    assert table.loc["GENE11", "reason"].endswith("of 8 DE genes")
    assert table.loc["GENE11", "target_expression"] == 0
    assert "target at " in table.loc["GENE13", "reason"]
    assert table["passes"].sum() == 9
    assert (table["passes"] == (table["reason"] == "")).all()
    failed = {"GENE1", "GENE11", "GENE13"}
    expected = ~adata.obs["perturbation"].isin(failed)
    pd.testing.assert_series_equal(adata.obs["perturbation_passes"], expected, check_names=False)
    assert set(adata.obs) - set(before.obs) == {"perturbation_passes"}
    assert set(adata.uns) == set(before.uns)
    np.testing.assert_array_equal(adata.X, before.X)


def test_effects_are_scanpys_and_scipys(two_lines):
    table = tx.pp.filter_perturbations(two_lines, min_de_genes=1)
    row = table[(table["cell_line"] == "RPE1") & (table["perturbation"] == "GENE22")].iloc[0]
    line = two_lines[two_lines.obs["cell_line"] == "RPE1"].copy()
    line.obs["perturbation"] = line.obs["perturbation"].astype("category")
    sc.tl.rank_genes_groups(line, "perturbation", reference="control", method="t-test")
    own = sc.get.rank_genes_groups_df(line, "GENE22")
    assert row["n_de_genes"] == (own["pvals_adj"] < 0.05).sum()
    perturbed = line[line.obs["perturbation"] == "GENE22"].X
    control = line[line.obs["control"]].X
    p = stats.ttest_ind(perturbed, control, equal_var=False).pvalue
    assert row["n_de_genes"] == (stats.false_discovery_control(p) < 0.05).sum()
    column = line.var_names.get_loc("GENE22")
    share = np.expm1(perturbed[:, column]).mean() / np.expm1(control[:, column]).mean()
    assert row["target_expression"] == pytest.approx(share, rel=1e-5)


def test_lines_are_judged_apart(two_lines):
    rows = (two_lines.obs["cell_line"] == "RPE1") & (two_lines.obs["perturbation"] == "GENE1")
    two_lines = two_lines[~rows.to_numpy() | (np.cumsum(rows) > 20)].copy()
    table = tx.pp.filter_perturbations(two_lines, min_de_genes=None, max_target_expression=None)
    assert len(table) == 24
    failed = table[~table["passes"]]
    assert failed[["cell_line", "perturbation", "n_cells"]].to_numpy().tolist() == [
        ["RPE1", "GENE1", 5]
    ]
    assert table[["n_de_genes", "target_expression"]].isna().all().all()
    assert (~two_lines.obs["perturbation_passes"]).sum() == 5


@pytest.mark.parametrize("method", ["t-test", "wilcoxon"])
def test_storage_does_not_matter(adata, tmp_path, method):
    options = {"min_de_genes": 10, "method": method}
    dense = adata.copy()
    dense.X = adata.X.toarray()
    expected = tx.pp.filter_perturbations(dense, **options)
    columns = adata.copy()
    columns.X = sparse.csc_matrix(adata.X)
    adata.write_h5ad(tmp_path / "x.h5ad")
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    for other in (adata, columns, backed):
        found = tx.pp.filter_perturbations(other, **options)
        pd.testing.assert_frame_equal(found, expected, rtol=1e-5)
    adata.layers["logs"] = adata.X.copy()
    adata.X = adata.layers["counts"]
    found = tx.pp.filter_perturbations(adata, layer="logs", **options)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5)
    with pytest.raises(ValueError, match="looks like raw counts"):
        tx.pp.filter_perturbations(adata)


def test_combinations_need_every_measured_target_low(adata, add_doubles):
    X, gene = adata.X.toarray(), adata.var_names.get_loc("GENE60")
    X[:, gene] = 1.0  # measured, and the same in all cells
    adata.X = X
    add_doubles(adata, "GENE1", "GENE60")
    add_doubles(adata, "GENE11", "NOGENE")
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["perturbation"] = labels.replace({"GENE13": "UNMEASURED"})
    table = tx.pp.filter_perturbations(adata, min_de_genes=None).set_index("perturbation")
    assert table.loc["GENE1+GENE60", "target_expression"] == pytest.approx(1)
    assert "not below 0.7" in table.loc["GENE1+GENE60", "reason"]
    assert table.loc["GENE11+NOGENE", "target_expression"] < 0.4
    assert np.isnan(table.loc["UNMEASURED", "target_expression"])
    assert table.loc["UNMEASURED", "passes"]


def test_a_target_silent_in_controls_is_not_measured(adata):
    X = adata.X.toarray()
    X[:, adata.var_names.get_loc("GENE1")] = 0
    adata.X = X
    table = tx.pp.filter_perturbations(adata, min_de_genes=None).set_index("perturbation")
    assert np.isnan(table.loc["GENE1", "target_expression"])
    assert table["passes"].all()


def test_one_cell_cannot_be_tested(adata):
    rows = np.flatnonzero(adata.obs["perturbation"] == "GENE1")[1:]
    adata = adata[np.setdiff1d(np.arange(adata.n_obs), rows)].copy()
    table = tx.pp.filter_perturbations(adata, min_cells=None, min_de_genes=5)
    row = table.set_index("perturbation").loc["GENE1"]
    assert np.isnan(row["n_de_genes"])
    assert row["reason"] == "too few cells to test for DE genes"


def test_filters_that_make_no_sense(adata):
    with pytest.raises(ValueError, match="All filters are off"):
        tx.pp.filter_perturbations(
            adata, min_cells=None, min_de_genes=None, max_target_expression=None
        )
    with pytest.raises(ValueError, match=r"no method 'logreg'.*'wilcoxon'"):
        tx.pp.filter_perturbations(adata, method="logreg")
    with pytest.raises(ValueError, match="adata is a view"):
        tx.pp.filter_perturbations(adata[:100])


def test_many_perturbations_go_in_batches(monkeypatch, adata):
    whole = tx.pp.filter_perturbations(adata, min_de_genes=5)
    monkeypatch.setattr("txpert.pp._measure._BATCH", 5)
    pd.testing.assert_frame_equal(tx.pp.filter_perturbations(adata, min_de_genes=5), whole)
