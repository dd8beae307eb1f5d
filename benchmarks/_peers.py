"""Run another tool in an environment of its own, by files, and read its prediction."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd

import txpert as tx

PEERS = Path(__file__).parent / "peers"
OBS = ["perturbation", "control", "cell_line", "batch", "split"]


def run_peer(
    name: str,
    python: str | Path,
    adata: ad.AnnData,
    graph: tx.graph.KnowledgeGraph,
    *,
    predict: Sequence[str] | None = None,
    **settings: float | str,
) -> ad.AnnData:
    """Train a peer on a screen and return its prediction.

    Parameters
    ----------
    name
        Which script of ``peers/``: "gears" for ``run_gears.py``.
    python
        Interpreter of the environment that the peer is installed in.
    adata
        A log-normalized screen, its obs columns named as ours and ``split`` among them.
    graph
        Graph over the targets.
    predict
        Labels to predict, of which there need be no cells; by default those of the split "test".
    settings
        The script's options, such as ``epochs=5``.

    Returns
    -------
    What :class:`txpert.baselines.StoredPrediction` takes; ``uns["peer"]`` tells seconds, memory
    and what the peer could not use.

    Raises
    ------
    RuntimeError
        If the peer fails, with the end of what it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        screen, edges, out = (Path(folder) / f for f in ("in.h5ad", "graph.tsv", "out.h5ad"))
        obs = adata.obs[[column for column in OBS if column in adata.obs]]
        ad.AnnData(adata.X, obs=obs, var=adata.var[[]]).write_h5ad(screen)
        graph.edges.to_csv(edges, sep="\t", index=False)
        command = [str(python), str(PEERS / f"run_{name}.py")]
        command += ["--h5ad", str(screen), "--graph", str(edges), "--out", str(out)]
        if predict is not None:
            labels = Path(folder) / "labels.txt"
            labels.write_text("\n".join(predict))
            command += ["--predict", str(labels)]
        for key, value in settings.items():
            command += [f"--{key.replace('_', '-')}", str(value)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2_000:]}")
        return ad.read_h5ad(out)


@dataclass(frozen=True)
class Peer:
    """A peer as a recipe of ``tx.benchmark``: it sees the training cells and is asked by label.

    Attributes
    ----------
    name, python, graph, settings
        As :func:`run_peer` takes them.
    reports
        Folder for what the peer says of itself, one file per split and seed.
    """

    name: str
    python: str
    graph: tx.graph.KnowledgeGraph
    reports: Path
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, adata: ad.AnnData, seed: int) -> tx.baselines.StoredPrediction:
        """Train, keep the report, and return the prediction of all labels asked for."""
        labels = adata.uns["txpert_benchmark"]["test_perturbations"]
        predicted = run_peer(
            self.name, self.python, adata, self.graph, predict=labels, seed=seed, **self.settings
        )
        report = predicted.uns["peer"]
        kept = {
            "version": str(report["version"]),
            "settings": ", ".join(f"{key} {value}" for key, value in self.settings.items()),
            "n_cells": int(report["n_cells"]),
            "n_cells_offered": int(report["n_cells"] + report["n_cells_left_out"]),
            "training_seconds": float(report["training_seconds"]),
            "peak_memory_mb": float(report["peak_memory_mib"]) * 2**20 / 1e6,
        }
        self.reports.mkdir(parents=True, exist_ok=True)
        self._file(adata.uns["txpert_split"]["sha256"], seed).write_text(json.dumps(kept))
        return tx.baselines.StoredPrediction(predicted)

    def to_dict(self) -> dict[str, Any]:
        """Return what the prediction depends on, by which a finished run is known again."""
        return {"name": self.name, "graph": self.graph, "settings": dict(self.settings)}

    def report(self, split_sha256: str, seed: int) -> dict[str, Any]:
        """Return what the peer said of itself after a run; nothing if there was none."""
        file = self._file(split_sha256, seed)
        return json.loads(file.read_text()) if file.exists() else {}

    def _file(self, split_sha256: str, seed: int) -> Path:
        return self.reports / f"{self.name}_{split_sha256[:16]}_{seed}.json"


def with_reports(runs: pd.DataFrame, peers: Mapping[str, Peer]) -> pd.DataFrame:
    """Return the runs of a benchmark with what peers said; their memory is the child's."""
    runs = runs.copy()
    for place, run in runs.iterrows():
        peer = peers.get(run["model"])
        if peer is not None and run["status"] == "done":
            for key, value in peer.report(run["split_sha256"], run["seed"]).items():
                runs.loc[place, key] = value
    return runs
