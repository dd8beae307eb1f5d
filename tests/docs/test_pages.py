"""Code on the pages for users of other tools runs as written."""

import re
from pathlib import Path

import pytest

import txpert as tx

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page, having):
    found = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    return [block for block in found if having in block]


@pytest.fixture
def screen(adata, make_model):
    model = make_model(adata, epochs=1)
    return {"adata": adata, "model": model, "graph": tx.datasets.toy_graph(), "tx": tx}


@pytest.mark.slow
def test_predictions_are_scored_by_cell_eval(screen, tmp_path, monkeypatch):
    pytest.importorskip("cell_eval")
    monkeypatch.chdir(tmp_path)
    (block,) = blocks("pertpy_cell_eval.md", "MetricsEvaluator")
    exec(block, screen)
    table = screen["by_perturbation"].to_pandas().set_index("perturbation")
    tested = screen["adata"].obs.query("split == 'test'")["perturbation"].unique()
    assert set(table.index) == set(tested)
    assert table["pearson_delta"].between(-1, 1).all()


def test_predictions_are_clustered_by_scanpy(screen):
    (block,) = blocks("pertpy_cell_eval.md", "sc.pp.pca")
    exec(block.replace("sc.tl.leiden(prediction)", ""), screen)
    assert "X_pca" in screen["prediction"].obsm


def test_labels_and_splits_of_gears_are_read(adata):
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["condition"] = (labels + "+ctrl").where(labels != "control", "ctrl")
    adata.obs = adata.obs.drop(columns=["perturbation", "control", "split"])
    conditions = sorted(set(adata.obs["condition"]) - {"ctrl"})
    parts = {"test": conditions[:4], "val": conditions[4:6], "train": ["ctrl", *conditions[6:]]}

    class Data:
        set2conditions = parts

    adata.var["gene_name"] = adata.var_names
    (read,) = blocks("gears.md", "harmonize_labels")
    names = {"adata": adata, "tx": tx, "pert_data": Data}
    exec(re.sub(r"adata = ad\.read_h5ad.*", "", read), names)
    assert adata.obs["control"].sum() == (labels == "control").sum()
    assert set(adata.obs["perturbation"]) == set(labels)
    (split,) = blocks("gears.md", "set2conditions")
    exec(split, names)
    tested = adata.obs.loc[adata.obs["split"] == "test", "condition"].unique()
    assert sorted(tested) == conditions[:4]
    assert adata.obs.loc[adata.obs["control"], "split"].isna().all()


def test_a_screen_with_other_names_is_set_up_as_the_questions_say():
    own = tx.datasets.toy()
    own.X = own.layers["counts"].copy()
    own.obs["gene"] = own.obs["perturbation"].astype(str).replace("control", "non-targeting")
    own.obs = own.obs.drop(columns=["perturbation", "control"])
    own.layers.clear()
    (block,) = blocks("faq.md", "setup_anndata")
    exec(block, {"adata": own, "tx": tx})
    assert "split" in own.obs
    assert tx.TxPertModel(own, tx.datasets.toy_graph()).summary_stats["n_cells"] == own.n_obs
