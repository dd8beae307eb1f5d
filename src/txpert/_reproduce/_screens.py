"""The cells of an experiment: loaded, normalized, filtered, and split with their genes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData

import txpert as tx
from txpert._constants import BATCH, CELL_LINE, CONTROL, PERTURBATION
from txpert._types import IntArray
from txpert.data._tokens import parse_targets

from ._experiments import LOADERS, Experiment

QUICK_PERTURBATIONS = 60
QUICK_CELLS = 60
QUICK_CONTROLS = 500


def public_screens(
    experiment: Experiment, files: Mapping[str, Path], filters: Mapping[str, Any], *, quick: bool
) -> tuple[AnnData, list[dict[str, Any]]]:
    """Load an experiment's screens as one, and return what is known of each.

    Parameters
    ----------
    experiment
        Which screens.
    files
        Copies that the user has, by the names of the screens; others are downloaded.
    filters
        Arguments of :func:`txpert.pp.filter_perturbations`, in place of the experiment's.
    quick
        Take few cells of few perturbations.
    """
    parts, about = [], []
    for name in experiment.screens:
        # Of a file on disk, only the cells of the part are read.
        adata = LOADERS[name](path=files.get(name), backed=quick)
        source = dict(adata.uns["screen"])
        if quick:
            published, adata = adata, part_of(adata, experiment)
            published.file.close()
        tx.pp.normalize(adata)
        del adata.layers["counts"]
        line = str(adata.obs[CELL_LINE].iloc[0])
        adata.obs[BATCH] = line + "_" + adata.obs[BATCH].astype(str)
        adata.obs_names = line + "_" + adata.obs_names
        adata = passing(adata, experiment, filters)
        about.append({**source, **numbers(adata)})
        parts.append(adata)
    return (parts[0] if len(parts) == 1 else ad.concat(parts, join="inner")), about


def passing(adata: AnnData, experiment: Experiment, filters: Mapping[str, Any]) -> AnnData:
    """Return the cells of perturbations that pass the filters, and the controls."""
    tx.pp.filter_perturbations(adata, **{**experiment.filters, **filters})
    return adata[adata.obs.pop("perturbation_passes").to_numpy()].copy()


def numbers(adata: AnnData) -> dict[str, int]:
    """Return how many cells, controls, genes and perturbations there are."""
    perturbed = adata.obs.loc[~adata.obs[CONTROL].to_numpy(), PERTURBATION]
    return {
        "n_cells": adata.n_obs,
        "n_controls": adata.n_obs - len(perturbed),
        "n_genes": adata.n_vars,
        "n_perturbations": int(perturbed.nunique()),
    }


def part_of(adata: AnnData, experiment: Experiment) -> AnnData:
    """Return few cells of the perturbations that have most, in memory, for a trial.

    Of combinations those with most cells are taken, and their genes alone.
    """
    obs = adata.obs
    perturbed = ~obs[CONTROL].to_numpy()
    lines = obs[CELL_LINE] if CELL_LINE in obs else pd.Series("", obs.index)
    labels = obs[PERTURBATION].astype(str)
    n_cells = pd.crosstab(labels[perturbed], lines[perturbed].astype(str)).min(axis=1)
    ranked = n_cells.sort_values(ascending=False, kind="stable").index
    wanted = set(ranked[:QUICK_PERTURBATIONS])
    if experiment.task == "unseen_combination":
        several = [label for label in ranked if len(parse_targets(label)) > 1]
        several = several[: QUICK_PERTURBATIONS // 2]
        wanted = {gene for label in several for gene in parse_targets(label)} | set(several)
    rows = _few_of_each(labels.where(perturbed, CONTROL), lines, wanted | {CONTROL})
    chosen = adata[rows]
    return chosen.to_memory() if chosen.isbacked else chosen.copy()


def _few_of_each(labels: pd.Series, lines: pd.Series, wanted: set[str]) -> IntArray:
    """Return rows, in order, of at most so many cells of each label and cell line."""
    shuffled = np.random.default_rng(0).permutation(len(labels))
    table = pd.DataFrame({"label": labels.to_numpy(), "line": lines.astype(str).to_numpy()})
    table = table.iloc[shuffled]
    table = table[table["label"].isin(wanted)]
    rank = table.groupby(["label", "line"]).cumcount()
    most = np.where(table["label"] == CONTROL, QUICK_CONTROLS, QUICK_CELLS)
    return np.sort(table.index.to_numpy()[rank.to_numpy() < most])


def folds(
    adata: AnnData, experiment: Experiment, seed: int, n_genes: int
) -> Iterator[tuple[str, AnnData]]:
    """Yield the screen with a split and its highly variable genes, per test line if need be.

    Genes are chosen after the split, so that they differ between seeds and lines.
    """
    lines = sorted(set(adata.obs[CELL_LINE].astype(str))) if experiment.by_line else [None]
    for line in lines:
        tx.pp.split(adata, task=experiment.task, test_cell_line=line, seed=seed)
        tx.pp.highly_variable_genes(adata, n_genes)
        yield line or "all", adata[:, adata.var["highly_variable"]].copy()
