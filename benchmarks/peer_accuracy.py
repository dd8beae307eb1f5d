"""How GEARS does next to TxPert and the general baseline: same screen, split, graph and scores.

python benchmarks/peer_accuracy.py --gears PYTHON [--h5ad screen.h5ad] [--seeds 0 1 2]

PYTHON is the interpreter of an environment with cell-gears (README.md says how to make one). The
screen is simulated, or a log-normalized one with our obs columns and a split; the graph is GO over
targets and measured genes. Results are stored seed by seed; a second call goes on where the first
stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd
import scvi
from _common import RESULTS, mean_sd, quiet, store
from _peers import run_peer

import txpert as tx

STORE = RESULTS / "peer_accuracy.json"
METRICS = ["pearson_delta", "retrieval", "mse"]


def screen(path: Path | None, seed: int) -> ad.AnnData:
    if path is not None:
        return ad.read_h5ad(path)
    adata = tx.datasets.simulate(n_perturbations=40, n_genes=200, seed=seed)
    tx.pp.normalize(adata)
    tx.pp.split(adata, seed=seed)
    return adata


def go_over(adata: ad.AnnData) -> tx.graph.KnowledgeGraph:
    labels = adata.obs.loc[~adata.obs["control"].astype(bool), "perturbation"].unique()
    targets = {target for label in labels for target in label.split("+")}
    return tx.graph.go(sorted(targets.union(adata.var_names)))


def score(adata: ad.AnnData, seed: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Train both on the same cells and return one row per model."""
    graph = go_over(adata)
    gears = run_peer(
        "gears",
        arguments.gears,
        adata,
        graph,
        epochs=arguments.gears_epochs,
        max_cells=arguments.max_cells,
        max_controls=arguments.max_controls,
        seed=seed,
    )
    report = gears.uns["peer"]
    scvi.settings.seed = seed
    start = time.perf_counter()
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graphs=[graph])
    model.train(max_epochs=arguments.epochs, enable_progress_bar=False)
    seconds = {"TxPert": time.perf_counter() - start, "GEARS": report["seconds"]}
    summary = tx.tl.evaluate(
        adata,
        model,
        baselines={
            "GEARS": tx.baselines.StoredPrediction(gears),
            "general": tx.baselines.GeneralBaseline(model.conditions),
        },
    )
    rows = summary.reset_index(names="model").to_dict("records")
    for row in rows:
        row["seconds"] = seconds.get(row["model"])
        if row["model"] == "GEARS":
            counts = ("training_seconds", "n_cells", "n_cells_left_out", "peak_memory_mib")
            row |= {key: float(report[key]) for key in counts}
            row |= {"version": report["version"], "unusable": len(report["unusable"])}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gears", type=Path, required=True, help="interpreter with cell-gears")
    parser.add_argument("--h5ad", type=Path, help="a screen; simulated ones by default")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=80, help="epochs of TxPert")
    parser.add_argument("--gears-epochs", type=int, default=20)
    parser.add_argument("--max-cells", type=int, default=0, help="per perturbation, for GEARS")
    parser.add_argument("--max-controls", type=int, default=0, help="for GEARS")
    arguments = parser.parse_args()
    quiet()
    rows = json.loads(STORE.read_text())["rows"] if STORE.exists() else []
    name = arguments.h5ad.stem if arguments.h5ad else "simulated"
    keys = ("epochs", "gears_epochs", "max_cells", "max_controls")
    settings = {key: getattr(arguments, key) for key in keys}
    for seed in arguments.seeds:
        case = {"screen": name, "seed": seed, **settings}
        if any(case.items() <= row.items() for row in rows):
            continue
        scores = score(screen(arguments.h5ad, seed), seed, arguments)
        rows += [case | row for row in scores]
        store(STORE.stem, rows)
        print(pd.DataFrame(scores).to_string(), flush=True)
    frame = pd.DataFrame(rows)
    by = ["screen", "gears_epochs", "max_cells", "model"]
    print(mean_sd(frame, by, [*METRICS, "seconds"]).to_string())


if __name__ == "__main__":
    main()
