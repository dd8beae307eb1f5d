"""Test Pearson Δ and retrieval of every encoder, with the same graphs and budget (seeds 0-2).

python benchmarks/encoder_accuracy.py --data FOLDER [--only papalexi simulated] [--seeds 0 1 2]

papalexi: each of the 20 targets left out in turn, with the STRING links among them.
simulated: 600 perturbations with the paper's split; the graphs are copies of the true one with 30%
and 60% of the edges wrong. Encoders are compared within the paper's model (direct decoding, the
network alone); the last rows have low-rank decoding. FOLDER holds papalexi.h5ad and
string_links.tsv.gz. Every result is stored when it is there; a second call goes on where the first
stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import anndata as ad
import pandas as pd
import scvi
from _common import PAPER, RESULTS, environment, mean_sd, quiet
from real_data import read, string

import txpert as tx

VARIANTS = {
    "free": {"encoder": "free"},
    "features, spectral": {"encoder": "features", "node_inputs": "spectral"},
    "sgc": {"encoder": "sgc"},
    "gcn": {"encoder": "gcn"},
    "hybrid_bmp": {"encoder": "hybrid_bmp"},
    "bmp": {"encoder": "bmp"},
    "bmp, learned + spectral": {"encoder": "bmp", "node_inputs": ["learned", "spectral"]},
    "gat": {"encoder": "gat"},
    "gat, edge weights": {"encoder": tx.nn.EncoderConfig("gat", {"edge_weights": True})},
    "gat, learned + spectral": {"encoder": "gat", "node_inputs": ["learned", "spectral"]},
    "gat_hybrid": {"encoder": "gat_hybrid"},
    "gat_mlg": {"encoder": "gat_mlg"},
    "exphormer": {"encoder": "exphormer"},
}
VARIANTS = {name: PAPER | options for name, options in VARIANTS.items()}
VARIANTS |= {
    "gat, low-rank decoding": {
        "encoder": "gat",
        "components": "network",
        "node_inputs": "learned",
    },
    "bmp, low-rank decoding, learned + spectral": {"encoder": "bmp", "components": "network"},
}
EPOCHS = {"papalexi": 100, "simulated": 60}
Case = tuple[ad.AnnData, list[tx.graph.KnowledgeGraph]]


def papalexi(folder: Path, seed: int) -> Iterator[Case]:
    """Yield the screen once per target, its split column set."""
    adata = read(folder, "papalexi")
    targets = sorted(set(adata.obs["perturbation"]) - {"control"})
    graph = string(folder).restrict(targets).top_k(20)
    for target in targets:
        part = adata.obs["perturbation"].map(lambda p, t=target: "test" if p == t else "train")
        adata.obs["split"] = part.astype(object).mask(adata.obs["control"])
        yield adata, [graph]


def simulated(_: Path, seed: int) -> Iterator[Case]:
    """Yield a simulated screen with the paper's split."""
    adata = tx.datasets.simulate(
        600, 500, 40, parameters=tx.datasets.SimulationParameters.k562_like(500), seed=seed
    )
    tx.pp.normalize(adata)
    tx.pp.split(adata, seed=seed)
    yield (
        adata,
        [
            tx.datasets.simulated_graph(adata, missing=share, wrong=share, seed=seed).top_k(20)
            for share in (0.3, 0.6)
        ],
    )


SCREENS = {"papalexi": papalexi, "simulated": simulated}


def score(folder: Path, screen: str, variant: str, seed: int) -> dict[str, float]:
    """Train and evaluate on every case of a screen; the mean over the perturbations."""
    seconds, scores = 0.0, []
    for adata, graphs in SCREENS[screen](folder, seed):
        scvi.settings.seed = seed
        tx.TxPertModel.setup_anndata(adata)
        model = tx.TxPertModel(adata, graphs, **VARIANTS[variant])
        start = time.perf_counter()
        model.train(max_epochs=EPOCHS[screen], lr=1e-3, enable_progress_bar=False)
        seconds += time.perf_counter() - start
        tx.tl.evaluate(adata, model)
        scores.append(adata.uns["txpert"]["metrics"])
    frame = pd.concat(scores)
    result = {"seconds": seconds}
    general = frame[frame["model"] == "general"]
    for name, part in frame.groupby("model"):
        prefix = "" if name == "TxPert" else f"{name}_"
        result |= {
            f"{prefix}pearson_delta": float(part["pearson_delta"].mean()),
            f"{prefix}retrieval": float(part["retrieval"].mean()),
            f"{prefix}relative_mse": float(part["mse"].sum() / general["mse"].sum()),
        }
    return result


def stored(file: Path) -> list[dict]:
    return json.loads(file.read_text())["rows"] if file.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--only", nargs="+", choices=SCREENS, default=list(SCREENS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    arguments = parser.parse_args()
    quiet()
    RESULTS.mkdir(exist_ok=True)
    for screen in arguments.only:
        # A file each, read again before it is written: several processes may share the work.
        file = RESULTS / f"encoder_accuracy_{screen}.json"
        for seed in arguments.seeds:
            for variant in arguments.variants:
                if (variant, seed) in {(row["variant"], row["seed"]) for row in stored(file)}:
                    continue
                result = score(arguments.data, screen, variant, seed)
                rows = [*stored(file), {"variant": variant, "seed": seed, **result}]
                file.write_text(json.dumps({"environment": environment(), "rows": rows}, indent=1))
                print(screen, seed, variant, result, flush=True)
        rows = stored(file)
        frame = pd.DataFrame(rows)
        values = [column for column in frame if column not in ("variant", "seed")]
        print(mean_sd(frame, ["variant"], values).to_string())


if __name__ == "__main__":
    main()
