"""Run another tool in an environment of its own, by files, and read its prediction."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import anndata as ad

import txpert as tx

PEERS = Path(__file__).parent / "peers"
OBS = ["perturbation", "control", "cell_line", "batch", "split"]


def run_peer(
    name: str,
    python: str | Path,
    adata: ad.AnnData,
    graph: tx.graph.KnowledgeGraph,
    **settings: float | str,
) -> ad.AnnData:
    """Train a peer on a screen and return its prediction of the split "test".

    Parameters
    ----------
    name
        Which script of ``peers/``: "gears" for ``run_gears.py``.
    python
        Interpreter of the environment that the peer is installed in.
    adata
        A log-normalised screen, its obs columns named as ours and ``split`` among them.
    graph
        Graph over the targets.
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
        for key, value in settings.items():
            command += [f"--{key.replace('_', '-')}", str(value)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2_000:]}")
        return ad.read_h5ad(out)
