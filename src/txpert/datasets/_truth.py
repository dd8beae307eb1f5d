"""The noise-free profiles of a simulated screen, and how they are stored."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import CELL_LINE, CONTROL, DELTA, N_CELLS, PERTURBATION
from txpert._types import FloatArray
from txpert.graph import KnowledgeGraph

from ._counts import expected_expression
from ._design import Design, line_names
from ._effects import Effects
from ._parameters import SimulationParameters

TRUTH = "truth"
"""Key in ``uns`` of what made a simulated screen."""
LOG_FOLD_CHANGE = "log_fold_change"


def describe_truth(
    graph: KnowledgeGraph,
    genes: list[str],
    base: FloatArray,
    effects: Effects,
    design: Design,
    settings: SimulationParameters,
) -> dict[str, Any]:
    """Return what makes the data, for ``uns``: plain arrays and small tables.

    Values of genes are arrays, as HDF5 cannot hold tables of several thousand columns.
    """
    n_lines, n_perturbations, n_genes = effects.log_fold_change.shape
    conditions = pd.DataFrame(
        {
            PERTURBATION: np.tile(np.array(effects.labels, dtype=object), n_lines),
            CELL_LINE: np.repeat(np.array(line_names(n_lines), dtype=object), n_perturbations),
            N_CELLS: design.size.ravel(),
            "confounded": design.confounded.ravel(),
        }
    )
    control = expected_expression(_shares(base), settings)
    return {
        "conditions": _with_text_index(conditions),
        "genes": np.array(genes, dtype=str),
        LOG_FOLD_CHANGE: effects.log_fold_change.reshape(-1, n_genes),
        DELTA: _expected_delta(base, effects.log_fold_change, control, settings),
        CONTROL: control.astype(np.float32),
        "essentiality": _with_text_index(effects.essentiality),
        "interactions": _with_text_index(effects.interactions),
        "graph": _with_text_index(graph.edges),
        "parameters": asdict(settings),
    }


def _with_text_index(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_axis(table.index.astype(str))


def _expected_delta(
    base: FloatArray,
    log_fold_change: FloatArray,
    control: FloatArray,
    settings: SimulationParameters,
) -> FloatArray:
    """Return noise-free Δ, perturbations of all lines × genes, some rows at a time."""
    delta = np.empty_like(log_fold_change)
    for line in range(len(delta)):
        for start in range(0, delta.shape[1], 256):
            rows = slice(start, start + 256)
            share = _shares(base[line] + log_fold_change[line, rows])
            delta[line, rows] = expected_expression(share, settings) - control[line]
    return delta.reshape(-1, delta.shape[2])


def _shares(log_rate: FloatArray) -> FloatArray:
    rate = np.exp(log_rate)
    return rate / rate.sum(axis=-1, keepdims=True)


def truth(adata: AnnData) -> AnnData:
    """Return the noise-free profiles of a simulated screen, as a prediction has them.

    Parameters
    ----------
    adata
        A screen by :func:`simulate`.

    Returns
    -------
    Perturbations × cell lines in rows, genes in columns; conditions not measured are there too.
    ``X``: expected log1p-normalized expression of a cell; ``layers["delta"]``: minus that of a
    control cell; both between batches. ``layers["log_fold_change"]``: natural-log fold changes.
    ``obs``: perturbation, cell_line, n_cells and confounded (found mostly in few batches).

    Raises
    ------
    KeyError
        If the data hold no truth.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.datasets.truth(tx.datasets.toy())["GENE11"].layers["delta"].shape
    (1, 60)
    """
    stored = read_truth(adata)
    obs = stored["conditions"]
    lines = obs[CELL_LINE].astype(str)
    names = obs[PERTURBATION].astype(str)
    if lines.nunique() > 1:
        names = lines + "|" + names
    code, _ = pd.factorize(lines)
    return AnnData(
        stored[CONTROL][code] + stored[DELTA],
        obs=obs.set_axis(pd.Index(names), axis=0),
        var=pd.DataFrame(index=pd.Index(stored["genes"].astype(object))),
        layers={DELTA: stored[DELTA], LOG_FOLD_CHANGE: stored[LOG_FOLD_CHANGE]},
    )


def read_truth(adata: AnnData) -> dict[str, Any]:
    """Return ``uns["truth"]`` of a simulated screen.

    Raises
    ------
    KeyError
        If there is none.
    """
    if TRUTH not in adata.uns:
        raise KeyError(
            'adata.uns has no "truth": only screens made by tx.datasets.simulate know what made '
            "them; subsets keep it, tx.pp.pseudobulk does not."
        )
    return adata.uns[TRUTH]
