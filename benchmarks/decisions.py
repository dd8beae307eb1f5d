"""Explanations, matches and screens of candidates on real screens.

python benchmarks/decisions.py --data FOLDER [--only deletion retrieval screen] [--results FOLDER]

K562 and RPE1 (Replogle 2022), STRING with the 20 strongest edges per gene, the Gaussian process.
deletion: how far predictions of held-out perturbations move without the 5 training perturbations
that an explanation names first, and without 5 random ones. retrieval: where a held-out
perturbation ranks among all when its observed Δ is the query, against measured and predicted
effects of the same line, and against measured effects of the other line. screen: seconds and
memory of ranking all genes of STRING and all pairs of them. Written to decisions.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from _common import RESULTS, environment, quiet
from next_experiment import fit, kernels_of
from screens import Screen, folds, human_string

import txpert as tx
from txpert.effects._contexts import Context
from txpert.effects._contributions import Contributions
from txpert.effects._gene_process import GeneGaussianProcess

N_REMOVED = 5


def without(process: GeneGaussianProcess, kernels: Any, gone: np.ndarray) -> GeneGaussianProcess:
    """Return the process without some rows, with the variances and directions of all."""
    rest = np.setdiff1d(np.arange(len(process.rows)), gone)
    less = replace(
        process, rows=process.rows.subset(rest), mean=[], weights=[], _inverses=[], _effects=[]
    )
    blocks = process.directions.split(process._effects[0])
    for block, covariance in zip(blocks, less._covariances(kernels), strict=True):
        less._solve(block[rest], covariance)
    return less


def deletion(screen: Screen, folder: Path) -> dict[str, Any]:
    rows = np.flatnonzero(screen.line == "K562")
    fold, rng = folds(screen.name[rows], 0), np.random.default_rng(0)
    train, test = rows[fold != 0], rows[fold == 0][:40]
    process, kernels = fit(screen, "K562", train), kernels_of(screen, train)
    found = []
    for name in screen.name[test]:
        targets = (name,)
        before = process.predict([targets], kernels, cell_line="K562").mean[0]
        taken = Contributions.of(process, kernels, targets, Context("K562", "all"))
        along = np.abs(taken.along(before).sum(axis=0))
        named = along.argsort()[::-1][:N_REMOVED]
        drawn = rng.choice(len(along), N_REMOVED, replace=False)
        change = [
            np.linalg.norm(
                without(process, kernels, gone)
                .predict([targets], kernels, cell_line="K562")
                .mean[0]
                - before
            )
            / np.linalg.norm(before)
            for gone in (named, drawn)
        ]
        found.append(change)
    named, drawn = np.array(found).T
    return {
        "n": len(found),
        "relative change without the named": float(named.mean()),
        "relative change without random ones": float(drawn.mean()),
        "larger without the named": float((named > drawn).mean()),
    }


def ranks(queries: np.ndarray, references: np.ndarray, own: np.ndarray) -> dict[str, float]:
    """Return how often the own reference is the first or among ten by correlation."""
    center = [x - x.mean(axis=1, keepdims=True) for x in (queries, references)]
    unit = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in center]
    scores = unit[0] @ unit[1].T
    rank = (scores > scores[np.arange(len(own)), own][:, None]).sum(axis=1)
    return {
        "n": len(own),
        "references": len(references),
        "first": float((rank == 0).mean()),
        "among ten": float((rank < 10).mean()),
        "median rank": float(np.median(rank) + 1),
    }


def retrieval(screen: Screen, folder: Path) -> dict[str, Any]:
    found = {}
    for line in ("K562", "RPE1"):
        rows = np.flatnonzero(screen.line == line)
        fold = folds(screen.name[rows], 0)
        parts, alone = [], []
        for k in range(5):
            train, test = rows[fold != k], rows[fold == k]
            process, kernels = fit(screen, line, train), kernels_of(screen, train)
            asked = [(name,) for name in screen.name[test]]
            predicted = process.predict(asked, kernels, cell_line=line).mean
            both = np.concatenate([screen.delta[train], predicted])
            parts.append(ranks(screen.delta[test], both, len(train) + np.arange(len(test))))
            alone.append(ranks(screen.delta[test], predicted, np.arange(len(test))))
        found[f"{line}, among measured and predicted"] = pd.DataFrame(parts).mean().to_dict()
        found[f"{line}, among predicted"] = pd.DataFrame(alone).mean().to_dict()
    other = np.flatnonzero(screen.line == "K562")
    own_line = np.flatnonzero(screen.line == "RPE1")
    position = pd.Index(screen.name[other]).get_indexer(screen.name[own_line])
    known = position >= 0
    found["RPE1, among measured of K562"] = ranks(
        screen.delta[own_line[known]], screen.delta[other], position[known]
    )
    return found


def ranking(screen: Screen, folder: Path) -> dict[str, Any]:
    """Time singles and pairs of all genes of STRING, for a model of K562."""
    adata = ad.read_h5ad(folder / "replogle_up.h5ad")
    adata = adata[(adata.obs["cell_line"] == "K562").to_numpy()].copy()
    adata.obs["split"] = "train"
    tx.TxPertModel.setup_anndata(adata)
    components = ("mean", "gaussian_process")
    model = tx.TxPertModel(adata, screen.graphs["string 20"], components=components)
    model.train()
    rows = np.flatnonzero(screen.line == "K562")
    signature = pd.Series(screen.delta[rows[0]], index=model.genes)
    found = {"nodes": len(model.nodes), "genes": len(model.genes)}
    for order, score in ((1, "cosine"), (1, "cosine"), (2, "dot"), (2, "cosine"), (2, "pearson")):
        began, processor = time.time(), time.process_time()
        result = tx.tl.screen(
            model, signature, order=order, score=score, top=10_000, min_specific=0, progress=False
        )
        case = f"order {order}, {score}"
        found[f"{case}, again" if case in found else case] = {
            "seconds": time.time() - began,
            "processor seconds": time.process_time() - processor,
            "ranked": result.attrs["n_ranked"],
            "best": result["perturbation"][0],
            "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        }
        print(json.dumps(found, indent=1), flush=True)
    return found


CASES = {"deletion": deletion, "retrieval": retrieval, "screen": ranking}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    warnings.simplefilter("ignore")
    file = arguments.results / "decisions.json"
    done = json.loads(file.read_text()) if file.exists() else {}
    screen = human_string(arguments.data)
    for name in arguments.only:
        done[name] = CASES[name](screen, arguments.data) | {"environment": environment()}
        print(json.dumps(done[name], indent=1), flush=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(done, indent=1))


if __name__ == "__main__":
    main()
