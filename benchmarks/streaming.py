"""Seconds and memory of pseudobulk from cells on disk, normalized in the pass; one thread.

python benchmarks/streaming.py [--cells 250000 500000 1000000 2000000] [--folder FOLDER]

Files of N cells × 2,000 genes (raw counts, sparse, a tenth not zero; 2,000 perturbations × 10
batches) are written to FOLDER in chunks, read as backed h5ad, backed zarr and lazily through dask,
each in a process of its own, and deleted. Cells are drawn from 20,000 simulated ones. The smallest
file is read into memory as well, for comparison. Every result is stored when it is there; a second
call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from _common import RESULTS, quiet, store
from anndata.io import sparse_dataset, write_elem
from scipy import sparse
from tqdm import tqdm

N_GENES, N_PERTURBATIONS, N_BATCHES, N_POOL, CHUNK = 2_000, 2_000, 10, 20_000, 50_000
SIZES = (250_000, 500_000, 1_000_000, 2_000_000)
FORMS = {"h5ad": ("memory", "h5ad"), "zarr": ("zarr", "dask")}
"""Storage, and the ways it is read."""


def simulated_obs(n_cells: int, rng: np.random.Generator) -> pd.DataFrame:
    names = np.array(["control", *(f"GENE{i}" for i in range(N_PERTURBATIONS))])
    code = rng.integers(len(names), size=n_cells)
    code[rng.random(n_cells) < 0.05] = 0
    batch = rng.integers(N_BATCHES, size=n_cells)
    obs = {
        "perturbation": pd.Categorical.from_codes(code, categories=names),
        "control": code == 0,
        "batch": pd.Categorical.from_codes(batch, [f"batch_{i}" for i in range(N_BATCHES)]),
    }
    return pd.DataFrame(obs, index=np.arange(n_cells).astype(str))


def write(group: Any, n_cells: int, seed: int = 0) -> None:
    """Write counts to an open h5ad or zarr in chunks."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(0.3, 0.5, size=N_GENES)
    pool = sparse.csr_matrix(rng.poisson(rates, size=(N_POOL, N_GENES)), dtype=np.float32)
    obs = simulated_obs(n_cells, rng)
    write_elem(group, "/", ad.AnnData(pool[:0], obs=obs[:0]))
    write_elem(group, "obs", obs)
    for start in range(0, n_cells, CHUNK):
        rows = pool[rng.integers(N_POOL, size=min(CHUNK, n_cells - start))]
        if start:
            sparse_dataset(group["X"]).append(rows)
        else:
            write_elem(group, "X", rows)


def write_as(storage: str, path: Path, n_cells: int) -> None:
    import h5py
    import zarr

    if storage == "h5ad":
        with h5py.File(path, "w") as file:
            write(file, n_cells)
    else:
        write(zarr.open_group(path, mode="w"), n_cells)


def open_as(form: str, path: Path) -> ad.AnnData:
    import zarr

    if form == "memory":
        return ad.read_h5ad(path)
    if form == "h5ad":
        return ad.read_h5ad(path, backed="r")
    if form == "dask":
        return ad.experimental.read_lazy(path)
    group = zarr.open_group(path, mode="r")
    obs, var = (ad.io.read_elem(group[name]) for name in ("obs", "var"))
    return ad.AnnData(sparse_dataset(group["X"]), obs=obs, var=var)


def measure(form: str, path: Path, result: Path) -> dict[str, float]:
    """Run in a process of its own: the pass, its seconds, and its peak beyond the start."""
    import txpert as tx
    from txpert._benchmark._memory import peak_memory, reset_peak

    quiet()
    if form == "dask":
        import dask

        dask.config.set(scheduler="synchronous")
    adata = open_as(form, path)
    tx.pp.pseudobulk(tx.datasets.toy())
    before = reset_peak()
    start, cpu_start = time.perf_counter(), time.process_time()
    table = tx.pp.pseudobulk(adata, target_sum=4_000)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    megabytes = peak_memory() - before
    np.save(result, table.X)
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "megabytes": megabytes}


def run_case(form: str, path: Path, result: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", form, str(path), str(result)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def run(sizes: list[int], folder: Path | None) -> list[dict[str, Any]]:
    stored = RESULTS / "streaming.json"
    rows = json.loads(stored.read_text())["rows"] if stored.exists() else []
    known = {(row["form"], row["cells"]) for row in rows}
    smallest, in_memory = min(sizes), None
    for n_cells, (storage, forms) in tqdm([*product(sizes, FORMS.items())], disable=None):
        forms = [form for form in forms if form != "memory" or n_cells == smallest]
        forms = [form for form in forms if (form, n_cells) not in known]
        if not forms:
            continue
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            path, result = Path(scratch) / "cells", Path(scratch) / "mean.npy"
            write_as(storage, path, n_cells)
            for form in forms:
                row = {"form": form, "cells": n_cells} | run_case(form, path, result)
                row["seconds_per_million"] = row["seconds"] / n_cells * 1e6
                mean = np.load(result)
                in_memory = mean if form == "memory" else in_memory
                if in_memory is not None and n_cells == smallest:
                    row["difference"] = float(np.abs(mean - in_memory).max())
                rows.append(row)
                store("streaming", rows)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=SIZES)
    parser.add_argument("--folder", type=Path, help="where the files go for a while")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        form, path, result = arguments.measure
        print(json.dumps(measure(form, Path(path), Path(result))))
        return
    frame = pd.DataFrame(run(arguments.cells, arguments.folder))
    columns = ["form", "cells", "seconds_per_million", "cpu_seconds", "megabytes", "difference"]
    print(frame[columns].sort_values(["form", "cells"]).to_string(index=False))


if __name__ == "__main__":
    main()
