"""What each ingredient of the default prediction brings, on medium simulated screens.

python benchmarks/ablation.py [--seeds 0 1 2] [--quick] [--results FOLDER]

The screens and splits are those of tasks.py for unseen perturbations. Rows of one fit differ in
what its prediction is made of; others are fits of their own. Finished fits are kept in
FOLDER/ablation.json; a second call goes on where the first stopped. --quick is for tests: a tiny
screen and two epochs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anndata as ad
import pandas as pd
import scvi
from _common import RESULTS, mean_sd, quiet, store
from tasks import TINY

import txpert as tx

WRONG = 0.3
SCORES = ["pearson_delta", "retrieval", "mse"]
UNREFINED = "edges as given"
FITS: dict[str, dict[str, Any]] = {
    "default": {},
    UNREFINED: {},
    "learned node inputs only": {"node_inputs": "learned"},
    "delta decoding": {"decoding": "delta"},
    "encoder hybrid_bmp": {"encoder": "hybrid_bmp"},
    "encoder GAT": {"encoder": "gat"},
    "encoder features (MLP)": {"encoder": "features", "node_inputs": "spectral"},
}
OF_UNREFINED = {
    ", Gaussian process alone": "Gaussian process alone",
    ", network alone": "network alone",
    "": "default",
}
COMPONENTS = {
    "mean": {"gaussian_process": 0, "network": 0, "scale": 1},
    "Gaussian process": {"gaussian_process": 1, "network": 0, "scale": 1},
    "network": {"gaussian_process": 0, "network": 1, "scale": 1},
}


@contextmanager
def edges_as_given() -> Iterator[None]:
    """Do without the refining of graphs."""
    with (
        patch.object(tx.graph.KnowledgeGraph, "refine", lambda graph: graph),
        patch("txpert.nn._bmp.refine_adjacency", lambda given: given),
    ):
        yield


def made_of(model: tx.TxPertModel) -> dict[str, dict[str, Any]]:
    """Return what a trained model's prediction can be made of, as ``ensemble_``."""
    full = model.ensemble_
    none = full["target"] | {"size": 0.0, "by_modality": {}}
    no_target, weights = full | {"target": none}, full["weights"]["new"]
    alone = {
        f"{name} alone": no_target | {"weights": {"new": only}}
        for name, only in COMPONENTS.items()
    }
    return alone | {
        "Gaussian process, on-target effect": full
        | {"weights": {"new": COMPONENTS["Gaussian process"]}},
        "without the on-target effect": no_target,
        "without the scale": full | {"weights": {"new": weights | {"scale": 1}}},
        "without the network": full | {"weights": {"new": weights | {"network": 0}}},
        "default": full,
    }


def score(adata: ad.AnnData, model: tx.TxPertModel) -> dict[str, float]:
    tx.tl.evaluate(adata, model, baselines={})
    scores = adata.uns["txpert"]["metrics"]
    return {name: float(scores[name].mean()) for name in SCORES}


def fit(seed: int, *, quick: bool) -> list[dict[str, Any]]:
    """Return the rows of one screen."""
    if quick:
        adata = tx.datasets.simulate(**TINY, seed=seed)
    else:
        adata = tx.datasets.simulate_k562_like("medium", seed=seed)
    tx.pp.normalize(adata)
    tx.pp.split(adata, seed=seed)
    graph = tx.datasets.simulated_graph(adata, missing=WRONG, wrong=WRONG, seed=seed).top_k(20)
    rows = []
    for name, options in FITS.items():
        scvi.settings.seed = seed
        tx.TxPertModel.setup_anndata(adata)
        start = time.perf_counter()
        with edges_as_given() if name == UNREFINED else nullcontext():
            model = tx.TxPertModel(adata, graphs=[graph], **options)
            model.train(2 if quick else None, enable_progress_bar=False)
        seconds = time.perf_counter() - start
        parts = made_of(model)
        if name == UNREFINED:
            parts = {f"{UNREFINED}{part}": parts[of] for part, of in OF_UNREFINED.items()}
        elif name != "default":
            parts = {name: parts["default"]}
        for part, blend in parts.items():
            model.ensemble_ = blend
            rows.append({"seed": seed, "model": part, "seconds": seconds, **score(adata, model)})
    return rows


def write_table(rows: list[dict[str, Any]], results: Path) -> None:
    """Write means over seeds to ablation.md."""
    table = mean_sd(pd.DataFrame(rows), ["model"], [*SCORES, "seconds"]).reset_index()
    lines = [list(table), ["---"] * table.shape[1], *table.to_numpy().tolist()]
    text = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    head = "# Ingredients\n\nWritten by `benchmarks/ablation.py`, which says what they are.\n"
    (results / "ablation.md").write_text(f"{head}\n{text}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="for tests")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    kept = arguments.results / "ablation.json"
    rows = json.loads(kept.read_text())["rows"] if kept.exists() else []
    for seed in arguments.seeds:
        if seed not in {row["seed"] for row in rows}:
            rows += fit(seed, quick=arguments.quick)
            store("ablation", rows, folder=arguments.results)
    write_table(rows, arguments.results)
    print((arguments.results / "ablation.md").read_text())


if __name__ == "__main__":
    main()
