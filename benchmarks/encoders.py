"""Seconds of one training step of the paper's model (forward, backward, optimizer), 64 conditions.

python benchmarks/encoders.py [--nodes 2000] [--genes 5000] [--repeats 7] [--gpu]
    [--results FOLDER]

Random graphs with 20 incoming edges per node. The median of the repeats is printed. --gpu measures
on the GPU and then, with all cores, on the processor of the same machine.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

import torch
from _common import RESULTS, quiet, store

from txpert.model._module import TxPertModule
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
    encoder: str, n_graphs: int, n_nodes: int, n_genes: int, repeats: int, device: str
) -> tuple[float, int]:
    graphs = [random_graph(n_nodes, seed) for seed in range(n_graphs)]
    features = (torch.randn(n_nodes, N_FEATURES),) if encoder == "features" else ()
    nodes = Nodes(n_nodes, features=features)
    module = TxPertModule(n_genes, graphs, nodes, encoder=encoder, decoding="direct").to(device)
    parameters = sum(p.numel() for p in module.encoder.parameters())
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    batch = {
        "X": torch.rand(N_ROWS, n_genes),
        "control_profile": torch.rand(N_ROWS, n_genes),
        "perturbation": torch.randint(n_nodes, (N_ROWS, 1)),
        "n_cells": torch.ones(N_ROWS),
    }
    batch = {key: value.to(device) for key, value in batch.items()}
    seconds = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        optimizer.zero_grad()
        module(batch)[2].loss.backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return median(seconds[2:]), parameters


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=2_000)
    parser.add_argument("--genes", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--gpu", action="store_true", help="on the GPU and the processor")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    devices = ("cuda", "cpu") if arguments.gpu else ("cpu",)
    rows = []
    for encoder, n_graphs in CASES:
        for device in devices:
            seconds, parameters = step_seconds(
                encoder, n_graphs, arguments.nodes, arguments.genes, arguments.repeats, device
            )
            row = {"encoder": encoder, "graphs": n_graphs, "seconds": seconds}
            row |= {"encoder_parameters": parameters}
            rows.append(row | ({"gpu": device == "cuda"} if arguments.gpu else {}))
            print(
                f"{encoder:12} {n_graphs} graph(s) {device:5} {seconds:.4f} s "
                f"{parameters:,} parameters",
                flush=True,
            )
    gpu = {"gpu": torch.cuda.get_device_name()} if arguments.gpu else {}
    name = f"encoders_{arguments.nodes}_nodes{'_gpu' if arguments.gpu else ''}"
    store(name, rows, folder=arguments.results, **gpu)


if __name__ == "__main__":
    main()
