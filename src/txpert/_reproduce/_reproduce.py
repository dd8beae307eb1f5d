"""``reproduce``: from an experiment's name to its table."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from anndata import AnnData

import txpert as tx
from txpert.graph import KnowledgeGraph

from ._experiments import EXPERIMENTS, Experiment
from ._models import models, public_graphs
from ._output import write_results, write_settings
from ._screens import folds, numbers, part_of, passing, public_screens

logger = logging.getLogger("txpert")

QUICK_GENES = 500
QUICK_EPOCHS = 20
NO_FILTERS = {"min_cells": 10, "min_de_genes": None, "max_target_expression": None}
"""Of a trial: cells are too few to see effects."""


def reproduce(
    name: str,
    folder: Path,
    *,
    adata: AnnData | None = None,
    files: Mapping[str, Path] | None = None,
    graphs: Sequence[str | KnowledgeGraph] = ("go", "string"),
    architectures: Sequence[str] = ("gat",),
    seeds: Sequence[int] = (0, 1, 2),
    n_genes: int = 5_000,
    filters: Mapping[str, Any] | None = None,
    train: Mapping[str, Any] | None = None,
    n_jobs: int = 1,
    quick: bool = False,
) -> str:
    """Load, split, train and score one of the paper's experiments; write and return its table.

    The default model, the paper's network and baselines are compared by
    :func:`txpert.benchmark`; finished fits are kept in ``folder/runs`` and read by a later call.

    Parameters
    ----------
    name
        ``"k562"``, ``"cross-line"`` or ``"norman"``.
    folder
        Gets ``table.csv``, ``table.md``, ``settings.json``, ``figures``, ``result`` and ``runs``.
    adata
        A log-normalized screen of your own, in place of the public ones.
    files
        Copies of public screens, by the names of :func:`txpert.datasets.show`; others are
        downloaded.
    graphs
        Functions of ``tx.graph`` by name, made as in the paper (with unweighted terms of GO), or
        graphs.
    architectures
        Of the paper's network (:meth:`txpert.TxPertModel.paper`).
    seeds
        Each draws its own split and seeds training.
    n_genes
        Highly variable genes, chosen from training and control cells.
    filters
        Arguments of :func:`txpert.pp.filter_perturbations` in place of the paper's.
    train
        Further arguments of training, of all networks.
    n_jobs
        Fits at a time.
    quick
        A trial on few cells, genes and epochs, with one seed: its scores mean nothing.

    Raises
    ------
    ConnectionError, FileNotFoundError, KeyError, ValueError
        If screens or graphs can't be had, or don't fit the experiment.
    """
    experiment = EXPERIMENTS[name]
    options = {"enable_progress_bar": False, **(train or {})}
    if quick:
        seeds, n_genes = list(seeds)[:1], min(n_genes, QUICK_GENES)
        options = {"max_epochs": QUICK_EPOCHS, **options}
        filters = {**NO_FILTERS, **(filters or {})}
    folder.mkdir(parents=True, exist_ok=True)
    adata, about = _cells(experiment, adata, files or {}, filters or {}, quick=quick)
    given = public_graphs(graphs, adata)
    settings = {
        "experiment": name,
        "task": experiment.task,
        "screens": about,
        "graphs": [{"name": g.name, "nodes": g.n_nodes, "edges": g.n_edges} for g in given],
        "architectures": list(architectures),
        "seeds": list(seeds),
        "n_genes": n_genes,
        "filters": {**experiment.filters, **(filters or {})},
        "train": options,
        "quick": quick,
    }
    compared = models(experiment, given, architectures, options)
    parts: list[tuple[str, tx.BenchmarkResult]] = []
    for seed in seeds:
        for test, fold in folds(adata, experiment, seed, n_genes):
            if not parts:  # a screen that cannot be split leaves nothing behind
                write_settings(folder, settings)
            logger.info("%s: test %s, seed %d.", name, test, seed)
            runs = folder / "runs" / test / f"seed_{seed}"
            part = tx.benchmark(fold, compared, seeds=[seed], folder=runs, n_jobs=n_jobs)
            parts.append((test, part))
    title = f"{name}: {experiment.task}" + (" (quick: a trial, not a result)" if quick else "")
    return write_results(folder, _joined(parts, experiment), title)


def _cells(
    experiment: Experiment,
    adata: AnnData | None,
    files: Mapping[str, Path],
    filters: Mapping[str, Any],
    *,
    quick: bool,
) -> tuple[AnnData, list[dict[str, Any]]]:
    """Return the cells that are compared, and what goes into the settings about them."""
    if adata is None:
        return public_screens(experiment, files, filters, quick=quick)
    experiment.check(adata)
    own = passing(part_of(adata, experiment) if quick else adata.copy(), experiment, filters)
    return own, [{"name": "a screen of your own", **numbers(own)}]


def _joined(
    parts: Sequence[tuple[str, tx.BenchmarkResult]], experiment: Experiment
) -> tx.BenchmarkResult:
    """Return the results of all seeds and test lines as one; the fold is the test line."""
    scores, runs, ceiling = (
        pd.concat(
            [
                getattr(result, table).assign(fold=test if experiment.by_line else "")
                for test, result in parts
            ],
            ignore_index=True,
        )
        for table in ("scores", "runs", "ceiling")
    )
    return tx.BenchmarkResult(scores, runs, ceiling, experiment.task, parts[0][1].baseline)
