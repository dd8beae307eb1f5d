"""Our own code next to the library that does the same: largest difference, seconds, peak memory.

python benchmarks/libraries.py [--repeats 5] [--only NAME …]

Each of the two runs in a process of its own, in turn; the median of the repeats is printed. These
are the numbers that docstrings name where the package keeps code of its own.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import resource
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import torch
from _common import quiet, store
from scipy import sparse
from torch_geometric.utils import coalesce

from txpert.baselines._ridge import least_loo_error
from txpert.data._group_sums import group_sums
from txpert.effects._heat import HeatKernel
from txpert.effects._smoother import Smoother, penalties, rotated
from txpert.graph import KnowledgeGraph, to_scipy
from txpert.metrics import de_auroc
from txpert.nn._edges import GraphTensors, TargetSortedEdges
from txpert.nn._gat_mlg import supra_edges
from txpert.nn._gatv2 import GATv2Layer
from txpert.nn._gcn import SGCEncoder
from txpert.nn._nodes import Nodes

N_NODES, N_EDGES = 9_854, 20 * 9_854
Work = Callable[[], Any]
Case = Callable[[], tuple[Work, Work]]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def edges() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    source = torch.randint(N_NODES, (N_EDGES,), generator=generator)
    pairs = torch.stack([source, torch.arange(N_NODES).repeat_interleave(20)])
    return coalesce(pairs[:, pairs[0] != pairs[1]], sort_by_row=False)


def ridge() -> tuple[Work, Work]:
    """Penalty by leave-one-out, then the fit: 500 perturbations × 5,000 genes, 64 features."""
    from sklearn.linear_model import RidgeCV

    x = rng().standard_normal((500, 64))
    x -= x.mean(axis=0)
    y = x @ rng().standard_normal((64, 5_000)) + 8 * rng().standard_normal((500, 5_000))

    def ours() -> np.ndarray:
        smoother = Smoother.from_features(x, np.ones(len(x)), np.ones(len(x)))
        alpha, mean = smoother.fit(y, least_loo_error(smoother, rotated(y)))
        return mean + x @ (x.T @ alpha)

    def theirs() -> np.ndarray:
        scale = Smoother.from_features(x, np.ones(len(x)), np.ones(len(x))).scale
        return RidgeCV(alphas=penalties(scale)).fit(x, y).predict(x)

    return ours, theirs


def gatv2() -> tuple[Work, Work]:
    """One layer of four heads × 64, forward and backward: 9,854 genes, 20 edges into each."""
    from torch_geometric.nn import GATv2Conv

    torch.manual_seed(0)
    layer = GATv2Layer(64, 64, 4)
    conv = GATv2Conv(64, 64, heads=4)
    with torch.no_grad():
        conv.att.copy_(layer.attention[None])
    conv.lin_l.load_state_dict(layer.from_source.state_dict())
    conv.lin_r.load_state_dict(layer.from_target.state_dict())
    h, among = torch.randn(N_NODES, 64), edges()
    hop = TargetSortedEdges(among, N_NODES).all()

    def ours() -> np.ndarray:
        out = layer(h, hop)
        out.square().mean().backward()
        return out.detach().numpy()

    def theirs() -> np.ndarray:
        out = conv(h, among)
        out.square().mean().backward()
        return out.detach().numpy()

    return ours, theirs


def hops() -> tuple[Work, Work]:
    """Nodes that two layers need for 64 of 9,854 genes, and the edges between, relabeled."""
    from torch_geometric.utils import k_hop_subgraph

    among, wanted = edges(), torch.arange(0, N_NODES, N_NODES // 64)[:64]
    ours = TargetSortedEdges(among, N_NODES)

    def theirs() -> np.ndarray:
        return k_hop_subgraph(wanted, 2, among, relabel_nodes=True, num_nodes=N_NODES)[0].numpy()

    def needed() -> np.ndarray:
        return ours.hops(wanted, 2)[0].needed.numpy()

    return needed, theirs


def supra() -> tuple[Work, Work]:
    """Edges of the multilayer graph of four graphs over 9,854 genes, in order."""
    from torch_geometric.data import HeteroData

    layers = [edges().roll(g, dims=1) for g in range(4)]
    graphs = [GraphTensors(layer, torch.ones(layer.shape[1])) for layer in layers]

    def ordered(pairs: torch.Tensor) -> np.ndarray:
        return coalesce(pairs).numpy()

    def theirs() -> np.ndarray:
        data, copies = HeteroData(), torch.arange(N_NODES).expand(2, -1)
        for g, layer in enumerate(layers):
            data[f"{g}"].num_nodes = N_NODES
            data[f"{g}", "edge", f"{g}"].edge_index = layer
        for a, b in itertools.permutations(range(4), 2):
            data[f"{a}", "copy", f"{b}"].edge_index = copies
        return ordered(data.to_homogeneous(add_node_type=False, add_edge_type=False).edge_index)

    return lambda: ordered(supra_edges(graphs, N_NODES)), theirs


def convolution() -> tuple[Work, Work]:
    """Two steps of propagation and a linear layer, forward and backward: 9,854 genes × 64."""
    from torch_geometric.nn import SGConv

    torch.manual_seed(0)
    among = edges()
    weight = torch.rand(among.shape[1])
    ours = SGCEncoder([GraphTensors(among, weight)], Nodes(N_NODES), 64, n_hops=2)
    conv = SGConv(64, 64, K=2)
    conv.lin.load_state_dict(ours.project.state_dict())
    h = ours.nodes().detach().requires_grad_()

    def finished(out: torch.Tensor) -> np.ndarray:
        out.square().mean().backward()
        return out.detach().numpy()

    return lambda: finished(ours()), lambda: finished(conv(h, among, weight))


def diffusion() -> tuple[Work, Work]:
    """500 columns of the heat kernel at times 2 and 8 on 9,854 genes."""
    from scipy.sparse.linalg import expm_multiply

    source, target = edges().numpy()
    names = np.array([f"g{i}" for i in range(N_NODES)], dtype=object)
    table = pd.DataFrame({"source": names[source], "target": names[target]})
    graph = KnowledgeGraph.from_edges(table, name="random")
    heat = HeatKernel(graph, (2.0, 8.0))
    links = to_scipy(graph).astype(np.float64)
    links = links.maximum(links.T)
    root = sparse.diags_array(1 / np.sqrt(links.sum(axis=0)))
    step = sparse.csr_array(root @ links @ root) - sparse.eye_array(N_NODES)
    columns = np.arange(500)
    start = np.eye(N_NODES, 500, dtype=np.float64)

    def theirs() -> np.ndarray:
        return np.stack([expm_multiply(time * step, start) for time in (2.0, 8.0)])

    return lambda: heat.columns(columns), theirs


def means() -> tuple[Work, Work]:
    """Sum 50,000 sparse cells × 2,000 genes over 1,000 groups."""
    import scanpy as sc

    counts = sparse.random(50_000, 2_000, 0.1, "csr", dtype=np.float32, random_state=0)
    group = rng().integers(1_000, size=50_000)
    obs = pd.DataFrame({"group": pd.Categorical(group)}, index=[f"c{i}" for i in range(50_000)])
    adata = ad.AnnData(sparse.csr_matrix(counts), obs=obs)

    def theirs() -> np.ndarray:
        return np.asarray(sc.get.aggregate(adata, "group", "sum").layers["sum"])

    return lambda: group_sums(counts, group, 1_000), theirs


def auroc() -> tuple[Work, Work]:
    """AUROC of 200 perturbations × 5,000 genes."""
    from sklearn.metrics import roc_auc_score

    score = rng().standard_normal((200, 5_000))
    truth = np.random.default_rng(1).random((200, 5_000)) < 0.05

    def theirs() -> np.ndarray:
        pairs = zip(truth, np.abs(score), strict=True)
        return np.array([roc_auc_score(t, s) for t, s in pairs])

    return lambda: de_auroc(score, truth), theirs


CASES: dict[str, tuple[str, Case]] = {
    "ridge": ("scikit-learn RidgeCV", ridge),
    "gatv2": ("torch_geometric GATv2Conv", gatv2),
    "hops": ("torch_geometric k_hop_subgraph", hops),
    "supra": ("torch_geometric HeteroData.to_homogeneous", supra),
    "convolution": ("torch_geometric SGConv", convolution),
    "diffusion": ("scipy expm_multiply", diffusion),
    "means": ("scanpy aggregate", means),
    "auroc": ("scikit-learn roc_auc_score", auroc),
}


def measure(name: str, theirs: bool, connection: Any) -> None:
    quiet()
    torch.set_num_threads(1)
    work = CASES[name][1]()[theirs]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    result = work()
    seconds = time.process_time() - start
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    connection.send((np.asarray(result, dtype=np.float64), seconds, peak))


def run(name: str, theirs: bool) -> tuple[np.ndarray, float, float]:
    ours, other = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=measure, args=(name, theirs, other)
    )
    process.start()
    other.close()
    result = ours.recv()
    process.join()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=list(CASES), choices=list(CASES))
    options = parser.parse_args()
    rows = []
    for name in options.only:
        found = [(run(name, False), run(name, True)) for _ in range(options.repeats)]
        ours, theirs = found[0][0][0], found[0][1][0]
        rows.append(
            {
                "what": name,
                "library": CASES[name][0],
                "largest difference": float(np.abs(ours - theirs).max()),
                "seconds": median(pair[0][1] for pair in found),
                "library's seconds": median(pair[1][1] for pair in found),
                "MB": median(pair[0][2] for pair in found),
                "library's MB": median(pair[1][2] for pair in found),
            }
        )
        print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1), flush=True)
    if set(options.only) == set(CASES):
        store("libraries", rows, repeats=options.repeats)


if __name__ == "__main__":
    main()
