"""What the scripts of all peers share: the files they read and the form of what they write.

Each peer runs in an environment of its own, so this needs NumPy, pandas, SciPy and anndata alone.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

CONTEXT = ["cell_line", "batch"]


def read_screen(path: Path) -> ad.AnnData:
    """Read a log-normalized screen with a sparse X, and a context where obs names none."""
    screen = ad.read_h5ad(path)
    missing = {"perturbation", "control", "split"} - set(screen.obs)
    if missing:
        raise KeyError(f"{path} lacks the obs columns {', '.join(sorted(missing))}.")
    for column in CONTEXT:
        screen.obs[column] = screen.obs[column].astype(str) if column in screen.obs else "all"
    screen.obs["perturbation"] = screen.obs["perturbation"].astype(str)
    screen.obs["control"] = screen.obs["control"].astype(bool)
    screen.X = sparse.csr_matrix(screen.X, dtype=np.float32)
    return screen


def read_graph(path: Path) -> pd.DataFrame:
    """Read a table of edges; a gene may be called NA."""
    text = {"source": str, "target": str}
    return pd.read_csv(path, sep="\t", dtype=text, keep_default_na=False)


def conditions(screen: ad.AnnData, splits: list[str]) -> pd.DataFrame:
    """Return perturbation, cell line and batch of what is to be predicted, each once."""
    chosen = screen.obs["split"].isin(splits)
    if not chosen.any():
        raise ValueError(f"No cell is in the split {' or '.join(splits)}.")
    return screen.obs.loc[chosen, ["perturbation", *CONTEXT]].drop_duplicates()


def asked(screen: ad.AnnData, labels: list[str]) -> pd.DataFrame:
    """Return each label in every cell line and batch that has controls."""
    contexts = screen.obs.loc[screen.obs["control"], CONTEXT].drop_duplicates()
    return pd.DataFrame({"perturbation": labels}).merge(contexts, how="cross")


def prediction(screen: ad.AnnData, rows: pd.DataFrame, delta: np.ndarray) -> ad.AnnData:
    """Return Δ of conditions in the form of ``TxPertModel.predict``.

    X is the mean control of the same cell line and batch plus Δ, NaN where there is no control.
    """
    cells = screen.obs["control"].to_numpy()
    groups = screen.obs[cells].groupby(CONTEXT, observed=True).indices
    controls = screen.X[np.flatnonzero(cells)]
    expression = np.full(delta.shape, np.nan, dtype=np.float32)
    for context, here in rows.groupby(CONTEXT).indices.items():
        if context in groups:
            expression[here] = delta[here] + controls[groups[context]].mean(axis=0)
    names = rows["cell_line"] + "|" + rows["batch"] + "|" + rows["perturbation"]
    var = pd.DataFrame(index=screen.var_names)
    return ad.AnnData(expression, obs=rows.set_axis(names), var=var, layers={"delta": delta})


def peak_memory() -> float:
    """Return the peak resident memory of this process in MiB."""
    # The kernel's rusage counts what the parent had when it started this process; VmHWM does not.
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return float(lines["VmHWM"].split()[0]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
