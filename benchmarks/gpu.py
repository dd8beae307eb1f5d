"""The Gaussian process with a GPU and without: seconds, and whether both predict the same.

python benchmarks/gpu.py --data FOLDER [--cases 439 2000 screen 9866] [--results FOLDER]

439: K562 (Replogle 2022) with STRING and GO whole. 2000 and 9866: simulated effects on 5,000 genes
with STRING, GO, BioGRID and IntAct whole. Each is fitted; then all further genes of STRING are
predicted, twice without and once with a standard deviation. screen: single genes and all pairs of
20,003 genes by ``tl.screen`` (as in decisions.py). Every case runs in a process of its own, first
with the GPU, then with it hidden. Refined graphs are on disk before (the GPU has no part in them),
diffusion is not. Predictions are compared with variances fitted again and with those of the fit
on the GPU; differences are relative to the standard deviation of all predicted effects.
Written to gpu.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _common import RESULTS, quiet, store
from decisions import ranking
from process_scaling import fitted, k562, read_graphs, smooth_effects
from screens import human_string

from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects

N_GRAPHS = {"439": 2, "2000": 4, "9866": 4}
N_COMPARED = 500


def measure(folder: Path, case: str, state: Path) -> dict[str, Any]:
    """Fit and predict; where the state of a fit on the GPU is there, compare with it."""
    if case == "screen":
        return ranking(human_string(folder), folder)
    graphs = read_graphs(folder, N_GRAPHS[case])
    names, delta = (
        k562(folder, 439, 7_225) if case == "439" else smooth_effects(graphs[0], int(case))
    )
    asked = [(name,) for name in graphs[0].nodes if name not in set(names)]
    found: dict[str, Any] = {"perturbations": len(names), "asked": len(asked)}

    def timed(what: str, action: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = action()
        found[what] = time.perf_counter() - began
        return result

    process, kernels = timed("fit", lambda: fitted(graphs, names, delta))
    for turn in ("predict, first", "predict, second"):
        timed(turn, lambda: process.predict(asked, kernels))
    timed("predict with std", lambda: process.predict(asked, kernels, return_std=True))
    some = asked[:: max(1, len(asked) // N_COMPARED)]
    own = process.predict(some, kernels, return_std=True)
    if torch.cuda.is_available():
        found["peak GB of the GPU"] = torch.cuda.max_memory_allocated() / 1e9
    if not state.exists():
        np.savez(state, mean=own.mean, std=own.std, log_variances=process.log_variances)
        return found
    with np.load(state) as file:
        known = dict(file)
    effects = MeasuredEffects.of([(name,) for name in names], delta)
    earlier = replace(process.fitted_variances, log_variances=known["log_variances"])
    same = GeneGaussianProcess.fit(effects, kernels, earlier, keep=True)
    fixed = same.predict(some, kernels, return_std=True)
    size = float(known["mean"].std())
    found["difference"] = float(np.abs(own.mean - known["mean"]).max()) / size
    found["difference, same variances"] = float(np.abs(fixed.mean - known["mean"]).max()) / size
    found["std, same variances"] = float(np.abs(fixed.std / known["std"] - 1).max())
    return found


def run(folder: Path, case: str, state: Path, cache: Path, *, gpu: bool) -> dict[str, Any]:
    """Measure in a process of its own."""
    own = cache.with_name(f"{case}-{gpu}")
    shutil.copytree(cache, own)
    hidden = {} if gpu else {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, __file__, "--data", str(folder), "--one", case, str(state)]
    environment = os.environ | {"TXPERT_CACHE": str(own)} | hidden
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        return {"failed": done.stderr[-2_000:]}
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--cases", nargs="+", default=["439", "2000", "screen", "9866"])
    parser.add_argument("--one", nargs=2, metavar=("CASE", "STATE"), help=argparse.SUPPRESS)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.one:
        quiet()
        case, state = arguments.one
        print(json.dumps(measure(arguments.data, case, Path(state))))
        return
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TXPERT_CACHE"] = str(cache := Path(scratch) / "cache")
        cache.mkdir()
        graphs = read_graphs(arguments.data, max(N_GRAPHS.get(c, 1) for c in arguments.cases))
        some = pd.Index(graphs[0].nodes[:100])
        GeneKernels(graphs, {}, some).between(some, some)
        for case in arguments.cases:
            state = Path(scratch) / f"{case}.npz"
            for gpu in (True, False) if torch.cuda.is_available() else (False,):
                found = run(arguments.data, case, state, cache, gpu=gpu)
                rows.append({"case": case, "gpu": gpu, **found})
                print(json.dumps(rows[-1]), flush=True)
                device = torch.cuda.get_device_name() if torch.cuda.is_available() else None
                store("gpu", rows, folder=arguments.results, gpu=device)


if __name__ == "__main__":
    main()
