"""What the benchmark scripts share: quiet training, the machine's description, JSON output."""

from __future__ import annotations

import json
import logging
import os
import platform
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import scvi
import torch
from PIL import Image

RESULTS = Path(__file__).parent / "results"
PAPER = {"decoding": "direct", "components": "network", "node_inputs": "learned"}
"""Options of TxPertModel that make it the paper's model."""


def quiet() -> None:
    """Silence progress output and set the threads that all benchmarks use."""
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    scvi.settings.verbosity = logging.ERROR
    torch.set_num_threads(int(os.environ.get("TXPERT_THREADS", "2")))


def environment() -> dict[str, Any]:
    packages = ("txpert", "torch", "torch_geometric", "scvi-tools", "numpy")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        **{name: version(name) for name in packages},
    }


def store(name: str, rows: list[dict[str, Any]], *, folder: Path = RESULTS, **more: Any) -> None:
    """Write environment, whatever more there is, and rows to ``NAME.json`` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"environment": environment(), **more, "rows": rows}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1, default=float))


def mean_sd(frame: pd.DataFrame, by: list[str], values: list[str]) -> pd.DataFrame:
    """Return mean ± sd over seeds as text."""
    grouped = frame.groupby(by, sort=False)[values]
    mean, sd = grouped.mean(), grouped.std(ddof=1)
    table = mean.map("{:.3f}".format) + " ± " + sd.map("{:.3f}".format)
    return table.mask(mean.isna(), "undefined")


def shrink(path: Path) -> None:
    """Store a PNG with 128 colors, small areas kept, which takes a third of the space."""
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(128, method=Image.Quantize.MAXCOVERAGE)
    small.save(path, optimize=True)
