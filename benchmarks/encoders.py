"""Seconds of one training step of the paper's model (forward, backward, optimizer), 64 conditions.

python benchmarks/encoders.py [--nodes 2000] [--genes 5000] [--repeats 7]

Random graphs with 20 incoming edges per node. The median of the repeats is printed.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import torch
from _common import quiet, store

from txpert.model import TxPertModule
from txpert.nn import GraphTensors, Nodes

CASES = [
    ("gat", 1),
    ("exphormer", 1),
    ("exphormer", 2),
    ("gat_hybrid", 2),
    ("gat_mlg", 2),
    ("hybrid_bmp", 1),
    ("bmp", 1),
    ("gcn", 1),
    ("sgc", 1),
    ("features", 0),
    ("free", 0),
]
N_INCOMING, N_ROWS, N_FEATURES = 20, 64, 256


def random_graph(n_nodes: int, seed: int) -> GraphTensors:
    generator = torch.Generator().manual_seed(seed)
    target = torch.arange(n_nodes).repeat_interleave(N_INCOMING)
    source = torch.randint(n_nodes, target.shape, generator=generator)
    return GraphTensors(torch.stack([source, target]), torch.ones(len(target)))


def step_seconds(
    encoder: str, n_graphs: int, n_nodes: int, n_genes: int, repeats: int
) -> tuple[float, int]:
    graphs = [random_graph(n_nodes, seed) for seed in range(n_graphs)]
    features = (torch.randn(n_nodes, N_FEATURES),) if encoder == "features" else ()
    nodes = Nodes(n_nodes, features=features)
    module = TxPertModule(n_genes, graphs, nodes, encoder=encoder, decoding="direct")
    parameters = sum(p.numel() for p in module.encoder.parameters())
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    batch = {
        "X": torch.rand(N_ROWS, n_genes),
        "control_profile": torch.rand(N_ROWS, n_genes),
        "perturbation": torch.randint(n_nodes, (N_ROWS, 1)),
        "n_cells": torch.ones(N_ROWS),
    }
    seconds = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        optimizer.zero_grad()
        module(batch)[2].loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return median(seconds[2:]), parameters


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=2_000)
    parser.add_argument("--genes", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    quiet()
    rows = []
    for encoder, n_graphs in CASES:
        seconds, parameters = step_seconds(
            encoder, n_graphs, arguments.nodes, arguments.genes, arguments.repeats
        )
        rows.append(
            {
                "encoder": encoder,
                "graphs": n_graphs,
                "seconds": seconds,
                "encoder_parameters": parameters,
            }
        )
        print(
            f"{encoder:12} {n_graphs} graph(s)  {seconds:.3f} s  {parameters:,} parameters",
            flush=True,
        )
    store(f"encoders_{arguments.nodes}_nodes", rows)


if __name__ == "__main__":
    main()
