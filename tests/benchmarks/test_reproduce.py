"""The paper's tasks from simulated files in the layouts published."""

import importlib
import json
from pathlib import Path

import anndata as ad
import pandas as pd
import pytest

import txpert as tx

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PAPER = "the paper's network (gat)"
MODELS = {"TxPert", PAPER, "general", "mean"}


@pytest.fixture(scope="module")
def graph():
    return tx.datasets.toy_graph()


@pytest.fixture
def script(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("TXPERT_CACHE", str(tmp_path / "cache"))
    return importlib.import_module("reproduce")


def published(path, simulated, batch):
    """Write a screen in scPerturb's columns and labels."""
    label = simulated.obs["perturbation"].astype(str)
    obs = pd.DataFrame(
        {"perturbation": label.str.replace("+", "_"), batch: simulated.obs["batch"]}
    )
    obs["nperts"] = label.str.count(r"\+") + (label != "control")
    ad.AnnData(simulated.X, obs, simulated.var[[]]).write_h5ad(path)
    return path


def tiny(graph, **options):
    return tx.datasets.simulate(12, 60, 10, n_controls=30, n_batches=2, graph=graph, **options)


def run(script, name, files, graph, folder):
    table = script.reproduce(
        name,
        seeds=[0],
        graphs=[graph],
        files=files,
        n_genes=40,
        filters={"min_cells": 2, "min_de_genes": None},
        train={"max_epochs": 1},
        results=folder,
    )
    assert table == (folder / f"reproduce_{name}.md").read_text()
    rows = json.loads((folder / f"reproduce_{name}.json").read_text())["rows"]
    assert {row.get("status", "done") for row in rows} == {"done"}
    assert {row["model"] for row in rows} >= MODELS
    return table, rows


def test_unseen_combinations_of_norman(script, graph, tmp_path):
    file = published(tmp_path / "norman.h5ad", tiny(graph, n_doubles=12), "gemgroup")
    table, rows = run(script, "norman", {"norman_2019": file}, graph, tmp_path)
    assert {"all", "seen_1"} <= {row["group"] for row in rows}
    assert f"| {PAPER} |" in table


@pytest.mark.slow
def test_unseen_perturbations_of_k562(script, graph, tmp_path):
    file = published(tmp_path / "k562.h5ad", tiny(graph), "batch")
    files = {"replogle_2022_k562_essential": file}
    table, _ = run(script, "k562", files, graph, tmp_path)
    assert "## all, all (3 perturbations, 1 seeds)" in table


@pytest.mark.slow
def test_every_line_is_test_once(script, graph, tmp_path):
    files = {
        name: published(tmp_path / f"{name}.h5ad", tiny(graph, seed=seed), "batch")
        for seed, name in enumerate(script.EXPERIMENTS["cross-line"].screens)
    }
    _, rows = run(script, "cross-line", files, graph, tmp_path)
    assert {row["test"] for row in rows} == {"HepG2", "Jurkat", "K562", "RPE1"}
