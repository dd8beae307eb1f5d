"""Seconds and memory of the pass over an atlas: zarr shards, opened as one screen, on a cluster.

python benchmarks/atlas.py [--cells 500000 1000000 2000000] [--workers 2] [--folder FOLDER]
                           [--extrapolate 8000000] [--repeats 1] [--results FOLDER]

Shards of 250,000 cells × 2,000 genes (raw counts, sparse, a tenth not zero; 2,000 perturbations ×
10 batches) are written to FOLDER, a few GB, and deleted in the end. ``tx.pp.open_screen`` opens as
many as there are cells to be, and ``tx.pp.pseudobulk`` normalizes and averages them on the workers
of a LocalCluster, one thread each, in a process of its own for each size. Memory is the peak of a
worker, and of the process that asks, beyond what each had before. The numbers for --extrapolate
are a straight line through those measured, and are marked so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _common import RESULTS, quiet, store
from streaming import write
from tqdm import tqdm

SHARD = 250_000
SIZES = (500_000, 1_000_000, 2_000_000)
MEASURED = ["open_seconds", "seconds", "cpu_seconds", "worker_megabytes", "client_megabytes"]


def write_shards(folder: Path, n_cells: int) -> None:
    """Write the shards that are not there yet."""
    import zarr

    for number in tqdm(range(-(-n_cells // SHARD)), desc="writing", disable=None):
        path = folder / f"shard{number}.zarr"
        if not path.exists():
            write(zarr.open_group(path, mode="w"), SHARD, seed=number)


def measure(folder: Path, n_cells: int, workers: int) -> dict[str, float]:
    """Run in a process of its own: open the shards, and average them on a cluster."""
    from distributed import Client, LocalCluster

    import txpert as tx
    from txpert._benchmark._memory import peak_memory, reset_peak

    def work() -> float:
        return time.process_time()

    tx.pp.pseudobulk(tx.datasets.toy())
    cluster = LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0
    )
    with cluster, Client(cluster) as client:
        shards = [folder / f"shard{number}.zarr" for number in range(-(-n_cells // SHARD))]
        tx.pp.pseudobulk(tx.pp.open_screen(shards[:1])[:2_000], target_sum=4_000)  # imports
        own, theirs = reset_peak(), client.run(reset_peak)
        cpu = sum(client.run(work).values()) + work()
        start = time.perf_counter()
        adata = tx.pp.open_screen(shards)
        opened = time.perf_counter()
        table = tx.pp.pseudobulk(adata, target_sum=4_000)
        ended = time.perf_counter()
        cpu = sum(client.run(work).values()) + work() - cpu
        peaks = client.run(peak_memory)
        return {
            "open_seconds": opened - start,
            "seconds": ended - opened,
            "cpu_seconds": cpu,
            "worker_megabytes": max(peaks[name] - theirs[name] for name in peaks),
            "client_megabytes": peak_memory() - own,
            "conditions": table.n_obs,
        }


def run_case(folder: Path, n_cells: int, workers: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", str(folder), str(n_cells), str(workers)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def extrapolated(rows: list[dict[str, Any]], n_cells: int) -> dict[str, Any]:
    """Continue straight lines through what was measured."""
    frame = pd.DataFrame(rows)
    lines = {name: np.polyfit(frame["cells"], frame[name], 1) for name in MEASURED}
    continued = {name: float(np.polyval(line, n_cells)) for name, line in lines.items()}
    return {"cells": n_cells, "workers": rows[0]["workers"], "extrapolated": True, **continued}


def run(arguments: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for n_cells in sorted(arguments.cells):
        write_shards(folder, n_cells)
        for _ in range(arguments.repeats):
            row = {"cells": n_cells, "workers": arguments.workers, "extrapolated": False}
            row |= run_case(folder, n_cells, arguments.workers)
            rows.append(row | {"load": os.getloadavg()[0]})
            print(rows[-1], flush=True)
    if len({row["cells"] for row in rows}) > 1:
        rows += [extrapolated(rows, n) for n in arguments.extrapolate if n > max(arguments.cells)]
    for row in rows:
        row["seconds_per_million"] = row["seconds"] / row["cells"] * 1e6
        row["cpu_seconds_per_million"] = row["cpu_seconds"] / row["cells"] * 1e6
    store("atlas", rows, folder=arguments.results)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=SIZES)
    parser.add_argument("--extrapolate", type=int, nargs="*", default=[8_000_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the shards go for a while")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    quiet()
    if arguments.measure:
        folder, n_cells, workers = arguments.measure
        print(json.dumps(measure(Path(folder), int(n_cells), int(workers))))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        frame = pd.DataFrame(run(arguments, Path(folder)))
    print(frame.round(1).to_string(index=False))


if __name__ == "__main__":
    main()
