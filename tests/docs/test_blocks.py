"""Code of the user guide runs as written, block after block of a page."""

import re
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx

pytestmark = pytest.mark.slow
DOCS = Path(__file__).parents[2] / "docs"
DOWNLOADS = ("fetch(", "graph.string(", "graph.reactome(", "graph.biogrid(", "graph.depmap(")
"""Blocks that need a file of a database; the builders' own tests have files in these layouts."""


def run(page, names, *, without=(), instead=()):
    """Execute a page's blocks in one namespace; return how many were left out."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    kept = [block for block in blocks if not any(text in block for text in without)]
    for block in kept:
        for old, new in instead:
            block = block.replace(old, new)
        exec(block, names)
    return len(blocks) - len(kept)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_decisions(folder, graph):
    fresh = tx.datasets.toy()
    tx.pp.split(fresh)
    label = fresh.obs.loc[fresh.obs["split"] == "test", "perturbation"].iloc[0]
    del fresh.obs["split"]
    rest = graph.edges.iloc[:1].assign(target="A_NEW_GENE")
    wider = pd.concat([graph.edges, rest], ignore_index=True)
    other = fresh[fresh.obs["control"]].copy()
    other.obs["cell_line"] = "another"
    names = {
        "new_cells": fresh[(fresh.obs["perturbation"] == label) | fresh.obs["control"]].copy(),
        "wider_graph": tx.graph.KnowledgeGraph.from_edges(wider, name=graph.name),
        "cells_of_a_new_line": other,
    }
    # The toy screen perturbs other genes than the page names.
    with pytest.warns(UserWarning, match="not trained on|another"):
        run("decisions.md", names, instead=[('"GENE33"', repr(label))])
    assert (folder / "pairs.npz").is_file()
    assert "A_NEW_GENE" in names["extended"].nodes


def test_graphs(folder):
    names = {}
    embedding = (
        "import numpy as np\nimport pandas as pd\n"
        "embedding = pd.DataFrame(np.random.default_rng(0).normal(size=(500, 64)), "
        "index=tx.graph.go_genes()[:500])"
    )
    exec(f"import txpert as tx\n{embedding}", names)
    assert run("graphs.md", names, without=DOWNLOADS) == 6
    assert (folder / "go.npz").is_file()


def test_encoders(folder, adata, graph):
    tx.TxPertModel.setup_anndata(adata)
    table = np.random.default_rng(0).normal(size=(graph.n_nodes, 8))
    pd.DataFrame(table, index=graph.nodes).add_prefix("f").to_parquet("genept.parquet")
    names = {"adata": adata, "graphs": [graph], "tx": tx, "pd": pd}
    assert run("encoders.md", names) == 0
    assert names["model"].graphs == []


def test_benchmark(folder, adata, graph):
    general = tx.baselines.GeneralBaseline().fit(adata)
    tested = adata.obs.loc[adata.obs["split"] == "test", "perturbation"].unique()
    general.predict(list(tested)).write_h5ad("prediction.h5ad")
    names = {"adata": adata, "ad": ad, "graph": graph}
    replaced = [("tx.graph.go(tx.get.genes(adata))", "graph"), ("n_jobs=2", "n_jobs=1")]
    replaced += [('encoder="exphormer"', 'encoder="exphormer", train={"max_epochs": 1}')]
    replaced += [("delta = ...", "delta = 0 * controls.mean[context]")]
    assert run("benchmark.md", names, instead=replaced) == 0
    result = tx.benchmark(adata, {"mine": names["recipe"]}, ceiling_repeats=0)
    assert set(result.runs["status"]) == {"done"}


def test_large_data(folder, graph):
    pytest.importorskip("dask")
    screen = tx.datasets.simulate(12, 60, 15, n_controls=40, n_batches=2, graph=graph)
    del screen.uns["truth"]
    screen.write_h5ad("screen.h5ad")
    screen.write_zarr("screen.zarr")
    tx.pp.normalize(screen)
    for name, write in (("k562.h5ad", screen.write_h5ad), ("rpe1.zarr", screen.write_zarr)):
        screen.obs["cell_line"] = name[:4].upper()
        write(name)
    lazy = [("adata = ad.AnnData(", "unused = ad.AnnData(")]
    names = {"graph": graph}
    assert run("large_data.md", names, without=["LocalCluster"], instead=lazy) == 1
    assert names["model"].is_trained
    assert names["adata"].obs["file"].unique().tolist() == ["k562", "rpe1"]


def test_models_on_the_hub(folder, adata, make_model):
    pytest.importorskip("huggingface_hub")
    names = {"model": make_model(adata, epochs=1)}
    push = 'hub_model.push_to_huggingface_hub(repo_name="you/k562", repo_create=True)'
    assert run("scvi_tools.md", names, instead=[(push, "")]) == 0
    assert names["model"].is_trained


def test_training_in_other_ways(folder, adata, make_model):
    names = {"model": make_model(adata, epochs=0), "adata": adata, "tx": tx}
    few = [("model.train(", "model.train(max_epochs=1, accelerator='cpu', ")]
    # Devices, a compiler and Ray are not everywhere; tests of their own ask for them.
    without = ["devices", "compile", "run_autotune"]
    assert run("scaling.md", names, without=without, instead=few) == 3
    assert (folder / "runs" / "k562").is_dir()
