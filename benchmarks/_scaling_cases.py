"""What scaling.py times, and the least work in it.

- training: for the e edges into or out of the targets of a minibatch and rows of w = 128 numbers,
  4 w e FLOPs and 12 w e bytes from the cache (a row is read, its gradient read and written); 6
  FLOPs (2 forward, 4 backward) per target and weight of the MLP; 16 w bytes per node, for the
  gradients of all rows in two tables, which are set to zero and read; and in the decoder
  6 · 32 · genes FLOPs and 24 · genes bytes (two profiles and the prediction, forward and
  backward) per row.
- pseudobulk: 8 bytes (value, column) per entry that is not zero, and 12 per condition and gene
  for the three tables of the result.
- predict: forward as above for all nodes; 2 (n_training + 32) FLOPs per perturbation and gene
  for the Gaussian process and the decoder; 4 bytes per kernel, perturbation and training
  target; 8 bytes per perturbation, batch and gene for expression and Δ.
- kernel: 2 FLOPs per step of diffusion, edge in either direction and perturbation, on the graph as
  given and refined, with as many steps as t = 16 takes Chebyshev polynomials; for each
  evaluation of the likelihood of r rows, which are counted, r³ FLOPs in double precision (a
  Cholesky factor, the inverse) and 16 r² bytes per kernel to sum them and for the gradient; for
  each block of directions n³/3 FLOPs for the weights, and 2 n² genes for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any
from unittest import mock

import anndata as ad
import numpy as np
import pandas as pd
import torch
from _bounds import Phase
from evaluation import trained
from scipy import sparse, special

import txpert as tx
from txpert.baselines import KernelBaseline
from txpert.effects import _variances
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.model._module import TxPertModule
from txpert.nn import GraphTensors, Nodes

BATCH_SIZE, PER_NODE, WIDTH, RANK, N_KERNELS = 128, 20, 128, 32, 16
Setting = dict[str, int]
Case = tuple[Callable[[], Any], Callable[[], list[Phase]]]
"""What is timed, and the work in it, which may be asked for afterwards only."""


def training(setting: Setting) -> Case:
    generator = torch.Generator().manual_seed(0)
    n_nodes, n_genes = setting["nodes"], setting["genes"]
    edges = torch.randint(n_nodes, (2, setting["edges"]), generator=generator)
    graph = GraphTensors(edges, torch.ones(setting["edges"]))
    module = TxPertModule(n_genes, [graph], Nodes(n_nodes))
    targets = torch.randperm(n_nodes, generator=generator)[: setting["perturbations"]]
    batches = [batch_of(part, n_genes) for part in targets.split(BATCH_SIZE)]

    def epoch() -> None:
        for batch in batches:
            module.zero_grad()
            module(batch)[2].loss.backward()

    parts = [batch["perturbation"][:, 0] for batch in batches]
    return epoch, lambda: [phase for part in parts for phase in step_work(module, part, n_genes)]


def batch_of(targets: torch.Tensor, n_genes: int) -> dict[str, torch.Tensor]:
    n = len(targets)
    return {
        "X": torch.rand(n, n_genes),
        "control_profile": torch.rand(n, n_genes),
        "perturbation": targets[:, None],
        "n_cells": torch.ones(n),
    }


def step_work(module: TxPertModule, targets: torch.Tensor, n_genes: int) -> Iterator[Phase]:
    """Yield the work of forward and backward for some targets."""
    yield from encoder_work(module, targets.unique(), backward=True)
    n = len(targets)
    yield Phase(flops=6 * RANK * n * n_genes, n_bytes=24 * n * n_genes)


def encoder_work(
    module: TxPertModule, wanted: torch.Tensor | None, *, backward: bool
) -> Iterator[Phase]:
    """Yield the work of message passing; wanted nodes of ``None`` are all."""
    passes = 3 if backward else 1
    n_nodes = len(module.trained)
    n_out = n_nodes if wanted is None else len(wanted)
    for matrix in (module.encoder.incoming, module.encoder.outgoing):
        rows = matrix if wanted is None else matrix.index_select(0, wanted).coalesce()
        n_edges = rows.indices().shape[1]
        flops = 2 * min(passes, 2) * WIDTH * n_edges
        yield Phase(flops=flops, n_bytes=4 * passes * WIDTH * n_edges, place="cache")
    for layer in module.encoder.modules():
        if isinstance(layer, torch.nn.Linear):
            yield Phase(flops=2 * passes * layer.weight.numel() * n_out)
    if backward:
        yield Phase(n_bytes=16 * WIDTH * n_nodes)


def pseudobulk(setting: Setting) -> Case:
    rng = np.random.default_rng(0)
    n_cells, n_genes, n_perturbations = (setting[k] for k in ("cells", "genes", "perturbations"))
    pool = sparse.csr_matrix(np.log1p(rng.poisson(rng.gamma(0.3, 0.5, n_genes), (2_000, n_genes))))
    names = np.array(["control", *(f"GENE{i}" for i in range(n_perturbations))])
    n_batches = setting["batches"]
    batch, code = np.divmod(np.arange(n_cells) % (len(names) * n_batches), len(names))
    obs = {
        "perturbation": pd.Categorical.from_codes(code, names),
        "control": code == 0,
        "batch": pd.Categorical.from_codes(batch, [f"b{i}" for i in range(n_batches)]),
    }
    cells = pool.astype(np.float32)[rng.integers(pool.shape[0], size=n_cells)]
    adata = ad.AnnData(cells, obs=pd.DataFrame(obs, index=np.arange(n_cells).astype(str)))
    n_conditions = min(n_cells, len(names) * n_batches)
    work = [Phase(n_bytes=8 * cells.nnz + 12 * n_conditions * n_genes)]
    return partial(tx.pp.pseudobulk, adata), lambda: work


model_of = lru_cache(maxsize=1)(trained)


def predict(setting: Setting) -> Case:
    n, n_batches, n_genes = (setting[name] for name in ("perturbations", "batches", "genes"))
    model = model_of(n_genes)
    perturbations = [node for node in model.nodes if node.startswith("NODE")][:n]
    batches = model.control_profiles.obs["batch"].astype(str).tolist()[:n_batches]
    model.predict(perturbations, batch=batches, by_batch=True)  # diffuses, and remembers it
    n_training = len(model.ensemble_["targets"])
    work = [
        *encoder_work(model.module, None, backward=False),
        Phase(flops=2 * (n_training + RANK) * n * n_genes, n_bytes=4 * N_KERNELS * n * n_training),
        Phase(n_bytes=8 * n * n_batches * n_genes),
    ]
    return partial(model.predict, perturbations, batch=batches, by_batch=True), lambda: work


def kernel(setting: Setting) -> Case:
    table, graph = smooth_effects(setting)
    n, n_genes = setting["perturbations"], setting["genes"]
    rows: list[int] = []
    processes: list[GeneGaussianProcess] = []

    def fit() -> None:
        rows.clear()
        deviance = _variances._deviance

        def counted(covariance: Any, trend: Any, project: Any) -> Any:
            rows.append(len(trend))
            return deviance(covariance, trend, project)

        with mock.patch.object(_variances, "_deviance", counted):
            processes[:] = [KernelBaseline(table, graph).process_]

    def work() -> list[Phase]:
        process, evaluated = processes[0], np.array(rows, dtype=float)
        steps = np.sum(special.ive(np.arange(60), 16) > 1e-9)
        n_edges = graph.n_edges + graph.refine().n_edges
        return [
            Phase(flops=4 * steps * n_edges * n),
            Phase(flops=float((evaluated**3).sum()), dtype="float64"),
            Phase(n_bytes=16 * len(process.kernels) * float((evaluated**2).sum())),
            Phase(flops=len(process.weights) * n**3 / 3 + 2 * n**2 * n_genes, dtype="float64"),
        ]

    return fit, work


def smooth_effects(setting: Setting) -> tuple[ad.AnnData, tx.graph.KnowledgeGraph]:
    """Make a pseudobulk table whose effects are in part smooth over a random graph."""
    rng = np.random.default_rng(0)
    n, n_nodes, n_genes = (setting[name] for name in ("perturbations", "nodes", "genes"))
    source, target = rng.integers(n_nodes, size=(2, setting["edges"]))
    ones = np.ones(len(source), dtype=np.float32)
    spread = sparse.csr_array((ones, (target, source)), shape=(n_nodes, n_nodes))
    activity = spread @ rng.normal(size=(n_nodes, 10)) / np.sqrt(max(PER_NODE, 1))
    effects = activity[:n] @ rng.normal(size=(10, n_genes)) / 10
    profiles = rng.random(n_genes) + effects + rng.normal(scale=0.3, size=(n, n_genes))
    names = [f"NODE{i}" for i in range(n_nodes)]
    obs = {
        "perturbation": pd.Categorical(["control", *names[:n]]),
        "control": np.arange(n + 1) == 0,
        "cell_line": pd.Categorical(["line"] * (n + 1)),
        "batch": pd.Categorical(["batch"] * (n + 1)),
        "n_cells": 50,
    }
    values = np.vstack([profiles.mean(axis=0), profiles]).astype(np.float32)
    table = ad.AnnData(values, obs=pd.DataFrame(obs, index=["control", *names[:n]]))
    named = np.array(names)
    edges = pd.DataFrame({"source": named[source], "target": named[target]}).drop_duplicates()
    return table, tx.graph.KnowledgeGraph.from_edges(edges, name="random")


QUESTIONS: dict[str, Callable[[Setting], Case]] = {
    "training": training,
    "pseudobulk": pseudobulk,
    "predict": predict,
    "kernel": kernel,
}
