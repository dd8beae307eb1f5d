"""Seconds and memory of evaluation: from cells to scores, and of a large prediction.

python benchmarks/evaluation.py [--repeats 5]

scores: 500 perturbations × 100 cells × 5,000 genes in memory, sparse or dense, averaged to
pseudobulk and scored by Pearson Δ, mean squared error, retrieval among all and among 100 drawn.
predict: 2,000 perturbations × 48 batches by the default model (1,000 and 5,000 genes) and by the
paper's, and how often the encoder ran. The first prediction also walks on the graphs from each
gene, which later ones remember. Memory is the peak beyond the start, the result of a prediction
included. Median and range of the repeats.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from _common import PAPER, quiet, store
from scipy import sparse

import txpert as tx
from txpert._benchmark._memory import peak_memory, reset_peak
from txpert.metrics._retrieval import retrieval_scores

N_PERTURBATIONS, N_CELLS, N_GENES = 500, 100, 5_000
N_PREDICTED, N_BATCHES = 2_000, 48
PREDICTIONS = [("default", {}, 1_000), ("default", {}, 5_000), ("paper", PAPER, 1_000)]


def cells(dense: bool) -> ad.AnnData:
    """Make a screen of which a tenth of the values are not zero."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.3, 0.5, size=N_GENES)
    pool = np.log1p(rng.poisson(rates, size=(2_000, N_GENES))).astype(np.float32)
    code = np.repeat(np.arange(N_PERTURBATIONS + 1), N_CELLS)
    drawn = rng.integers(len(pool), size=len(code))
    names = np.array(["control", *(f"GENE{i}" for i in range(N_PERTURBATIONS))])
    obs = pd.DataFrame(
        {"perturbation": pd.Categorical.from_codes(code, names), "control": code == 0},
        index=np.arange(len(code)).astype(str),
    )
    return ad.AnnData(pool[drawn] if dense else sparse.csr_matrix(pool)[drawn], obs=obs)


def score(adata: ad.AnnData, predicted: np.ndarray) -> None:
    table = tx.pp.pseudobulk(adata)
    observed = table.layers["delta"][~table.obs["control"].to_numpy()]
    tx.metrics.pearson_delta(predicted, observed)
    tx.metrics.mse(predicted, observed)
    retrieval_scores(predicted, observed, n_sampled=100)


def trained(n_genes: int, **options: Any) -> tx.TxPertModel:
    adata = tx.datasets.simulate(
        n_perturbations=100, n_genes=n_genes, n_batches=N_BATCHES, n_cells=N_BATCHES
    )
    tx.pp.normalize(adata)
    tx.pp.split(adata)
    tx.TxPertModel.setup_anndata(adata)
    genes = [f"NODE{i}" for i in range(N_PREDICTED)]
    rng = np.random.default_rng(0)
    edges = pd.DataFrame(
        {"source": rng.choice(genes, 40_000), "target": rng.choice(genes, 40_000)}
    )
    known = adata.obs["perturbation"].cat.categories.drop("control")
    links = pd.DataFrame({"source": np.resize(genes, len(known)), "target": known})
    graph = tx.graph.KnowledgeGraph.from_edges(pd.concat([edges, links]), name="random")
    model = tx.TxPertModel(adata, graph, **options)
    model.train(max_epochs=1, enable_progress_bar=False)
    return model


def count_encoder_passes(model: tx.TxPertModel, predict: Callable[[], Any]) -> int:
    passes = 0

    def count(*_: Any) -> None:
        nonlocal passes
        passes += 1

    handle = model.module.encoder.register_forward_hook(count)
    predict()
    handle.remove()
    return passes


def measure(name: str, action: Callable[[], Any], repeats: int) -> dict[str, Any]:
    seconds, cpu_seconds, before = [], [], reset_peak()
    for _ in range(repeats):
        start, cpu_start = time.perf_counter(), time.process_time()
        action()
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
    row = {"case": name, "seconds": median(seconds), "fastest": min(seconds)}
    row |= {"slowest": max(seconds), "cpu_seconds": median(cpu_seconds)}
    return row | {"megabytes": peak_memory() - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    quiet()
    rows = []
    for dense in (False, True):
        adata = cells(dense)
        delta = np.random.default_rng(1).normal(size=(N_PERTURBATIONS, N_GENES))
        name = f"scores, {'dense' if dense else 'sparse'} cells"
        rows.append(measure(name, partial(score, adata, delta), repeats))
        del adata
    for name, options, n_genes in PREDICTIONS:
        model = trained(n_genes, **options)
        perturbations = [node for node in model.nodes if node.startswith("NODE")]
        predict = partial(model.predict, perturbations, by_batch=True)
        start = time.perf_counter()
        passes = count_encoder_passes(model, predict)
        first = time.perf_counter() - start
        row = measure(f"predict, {name}, {n_genes:,} genes", predict, repeats)
        rows.append(row | {"encoder_passes": passes, "first_seconds": first})
    print(pd.DataFrame(rows).round(2).to_string(index=False))
    store("evaluation", rows)


if __name__ == "__main__":
    main()
