"""Functions that a screen enters the package by."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mudata
import numpy as np
import pandas as pd
from anndata import AnnData

import txpert as tx

from .corruptions import (
    BATCH,
    CORRUPTIONS,
    FLAG,
    FORMAT,
    GENES,
    LABELS,
    LINE,
    MISSING,
    NAMES,
    PERTURBED,
    SPLIT,
    VALUES,
    Corruption,
)
from .expectations import RUNS, SAME, Expected, Refused, Works
from .screens import QUICK, World

_KEYS = ("perturbation", "control", "batch", "cell_line", "split")


@dataclass(frozen=True)
class Door:
    """A function, what it reads of a screen, and what it may write into it."""

    name: str
    run: Callable[[AnnData, World], Any]
    reads: frozenset[str]
    writes: tuple[str, ...] = ()
    few: bool = False
    """Whether only what is tried everywhere is tried here, too."""
    prepare: Callable[[AnnData, World], AnnData] = lambda adata, world: adata
    """Makes what is handed in of the screen."""
    expects: Callable[[Corruption], Expected] = lambda corruption: corruption.expected
    """Tells what comes of a corruption here."""


def _but(expected: dict[str, Expected]):
    """Expect what corruptions do, but for some named by how they begin."""

    def expects(corruption):
        for name, other in expected.items():
            if corruption.name.startswith(name):
                return other
        return corruption.expected

    return expects


def _table(conditions) -> pd.DataFrame:
    frame = pd.DataFrame(conditions.mean, index=conditions.obs.index, columns=conditions.genes)
    return frame


def setup(adata, world):
    tx.TxPertModel.setup_anndata(adata)


def make_model(adata, world):
    tx.TxPertModel.setup_anndata(adata)
    return _table(tx.TxPertModel(adata, world.graph, components="mean").conditions)


def make_of_mudata(adata, world):
    mdata = mudata.MuData({"rna": adata})
    keys = {f"{name}_key": "rna" for name in _KEYS if name in adata.obs}
    tx.TxPertModel.setup_mudata(mdata, modalities=keys)
    return _table(tx.TxPertModel(mdata, world.graph, components="mean").conditions)


def pseudobulk(adata, world):
    return tx.pp.pseudobulk(adata).to_df("delta")


def pseudobulk_of_counts(adata, world):
    return tx.pp.pseudobulk(adata, layer="counts", target_sum=100).to_df("delta")


def split(adata, world):
    tx.pp.split(adata, key_added="new")
    return adata.obs["new"].astype(object).reset_index(drop=True)


def split_by_effect(adata, world):
    tx.pp.split(adata, key_added="new", stratify="effect_size")
    return adata.obs["new"].astype(object).reset_index(drop=True)


def split_fold(adata, world):
    tx.pp.split_fold(adata, 0, 3, key_added="new")
    return adata.obs["new"].astype(object).reset_index(drop=True)


def check_split(adata, world):
    with contextlib.redirect_stdout(io.StringIO()):
        return len(tx.pp.check_split(adata))


def filter_perturbations(adata, world):
    table = tx.pp.filter_perturbations(adata, min_de_genes=None, min_cells=2, key_added="new")
    return table[["n_cells", "target_expression"]]


def highly_variable_genes(adata, world):
    tx.pp.highly_variable_genes(adata, 6)
    return adata.var[["means", "dispersions"]]  # ties between few genes follow rounding


def mark_unmeasured(adata, world):
    return tx.pp.mark_unmeasured(adata)


def harmonize_labels(adata, world):
    tx.pp.harmonize_labels(adata)
    return adata.obs["perturbation"].astype(object).reset_index(drop=True)


def _counts_only(adata, world):
    return AnnData(adata.layers["counts"].toarray(), obs=adata.obs.copy(), var=adata.var.copy())


def normalize(adata, world):
    tx.pp.normalize(adata, target_sum=100)
    matrix = adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X
    return pd.DataFrame(np.asarray(matrix, dtype=float), columns=adata.var_names)


def _predicted(predictor, **options):
    return predictor.predict(["JAK2", "TP53"], **options).to_df("delta")


def fit_mean(adata, world):
    return _predicted(tx.baselines.MeanBaseline().fit(adata))


def fit_baseline(adata, world):
    return _predicted(tx.tl.fit_baseline(adata, kind="ridge"))


def fit_txpert(adata, world):
    model = tx.tl.fit_txpert(adata, graphs=world.graph, components="mean", train=QUICK)
    return _predicted(model)


def load(adata, world):
    return _table(tx.TxPertModel.load(world.saved, adata).conditions)


def _controls_only(adata, world):
    return adata[world.controls].copy()


def predict_from_controls(adata, world):
    return _predicted(world.model, controls=adata)


def baseline_from_controls(adata, world):
    return _predicted(world.baseline, controls=adata)


def evaluate(adata, world):
    return tx.tl.evaluate(adata, world.model)[["pearson_delta", "mse"]]


def predict_cells(adata, world):
    tx.tl.predict(adata, world.model)
    return adata.obsm["X_txpert"].reset_index(drop=True)


def ceiling(adata, world):
    return tx.tl.ceiling(adata, n_repeats=2)[["pearson_delta", "mse"]]


def benchmark(adata, world):
    result = tx.benchmark(adata, {"mean": "mean"}, baseline=None, ceiling_repeats=0)
    assert (result.runs["status"] == "done").all(), result.runs["reason"].iloc[0]
    return result.scores.set_index("perturbation")[["pearson_delta", "mse"]]


def _harmonized(corruption):
    """Expect labels to be written as in the clean screen, and controls to be flagged."""
    name, expected = corruption.name, corruption.expected
    if name.startswith(("unflagged", "label 'un", "label 'multi", "codes", "flag missing")):
        return RUNS
    if name in ("flag no control", "flag all controls", "flag mixed", "own control label"):
        return RUNS
    if name == "var names twice":
        return SAME
    return SAME if corruption.touches == LABELS and isinstance(expected, Works) else expected


def _cells_predicted(corruption):
    """Expect other names of nodes to be read, other labels to have the mean effect; a warning."""
    if corruption.touches == LABELS and getattr(corruption.expected, "warns", None):
        return Works(same=False, warns="No node of the model|^Read ")
    return _of_model(corruption)


_of_model = _but(
    {
        "genes reordered": Refused("Align them: adata = adata"),
        "genes fewer": Refused("lack 2 of the 12 genes of the model, 'CEBPA'"),
        "genes more": Refused("have 2 genes besides, 'EXTRA1'"),
        "genes of other": Refused("lack 12 of the 12 genes of the model"),
        "no batch": RUNS,
        "no line": Refused("no column 'cell_line'.*Write it"),
        "half counts": Refused("raw counts|too large"),
    }
)
_of_loaded = _but(
    {
        "no batch": RUNS,
        "no line": RUNS,
        "genes of other": Refused("lack 12 of the 12 genes of the model"),
        "genes fewer": Refused("lack 2 of the 12 genes of the model, 'CEBPA'"),
        "genes more": Refused("have 2 genes besides, 'EXTRA1'"),
        "genes reordered": Refused("Align them: adata = adata"),
    }
)
_control_cells = "controls takes control cells only"
_of_controls = _but(
    {
        "flag no control": Refused(_control_cells),
        "flag mixed": Refused(_control_cells),
        "flag all": RUNS,
        "flag missing": RUNS,
        "batch without": RUNS,
        "genes fewer": Refused("lack 2 of the 12 genes"),
        "genes of other": Refused("lack 12 of the 12 genes"),
        "genes more": SAME,
    }
)
_at_setup = _but(
    {"nan in": RUNS, "empty cells": RUNS, "split mixed": RUNS}
)  # found when a model is made, in the pass over all cells
_chosen = _but(
    {
        "nan in": Works(same=False, warns="genes are NaN in cells of"),
        "split mixed": RUNS,
        "batch": RUNS,
    }
)
_of_split = _but({"split mixed": RUNS, "batch without": RUNS})
_of_ridge = _but({"genes of other": Refused("None of the 5 training targets has features")})

_SCREEN = frozenset({MISSING, LABELS, FLAG, BATCH, LINE, NAMES})
_EXPRESSION = frozenset({VALUES, PERTURBED, FORMAT})
_PARTS = frozenset({MISSING, LABELS, FLAG, LINE, NAMES})
_CONTROLS = frozenset({FLAG, BATCH, LINE, NAMES, VALUES, FORMAT, GENES})
_ALL = _SCREEN | _EXPRESSION | {GENES, SPLIT}
_WRAPPED = frozenset({MISSING, FLAG, BATCH, VALUES, PERTURBED, GENES, SPLIT})
_SCVI = ("uns:_scvi_uuid", "uns:_scvi_manager_uuid")
_NEW = ("obs:new", "obs:new_group", "uns:txpert_new")

DOORS = [
    Door("setup_anndata", setup, _ALL, _SCVI, expects=_at_setup),
    Door("TxPertModel", make_model, _ALL, _SCVI, few=True),
    Door("setup_mudata", make_of_mudata, _WRAPPED, few=True),
    Door("pp.pseudobulk", pseudobulk, _ALL),
    Door("pp.pseudobulk(target_sum)", pseudobulk_of_counts, frozenset({FORMAT})),
    Door("pp.split", split, _PARTS, _NEW),
    Door("pp.split(stratify)", split_by_effect, _EXPRESSION, _NEW),
    Door("pp.split_fold", split_fold, _PARTS, _NEW, few=True),
    Door("pp.check_split", check_split, _SCREEN | {FORMAT, SPLIT}, few=True, expects=_of_split),
    Door(
        "pp.filter_perturbations",
        filter_perturbations,
        _PARTS | _EXPRESSION,
        ("obs:new",),
        few=True,
    ),
    Door(
        "pp.highly_variable_genes",
        highly_variable_genes,
        _PARTS | _EXPRESSION | {SPLIT},
        ("var:", "uns:txpert_genes"),
        few=True,
        expects=_chosen,
    ),
    Door(
        "pp.mark_unmeasured",
        mark_unmeasured,
        frozenset({LINE, NAMES, FORMAT}),
        ("varm:txpert_measured",),
        few=True,
    ),
    Door(
        "pp.harmonize_labels",
        harmonize_labels,
        frozenset({MISSING, LABELS, FLAG, NAMES}),
        ("obs:perturbation", "obs:control"),
        expects=_harmonized,
    ),
    Door(
        "pp.normalize",
        normalize,
        frozenset({FORMAT}),
        ("X", "layers:counts", "uns:log1p"),
        prepare=_counts_only,
    ),
    Door("MeanBaseline.fit", fit_mean, _ALL, few=True),
    Door("tl.fit_baseline", fit_baseline, _WRAPPED, few=True, expects=_of_ridge),
    Door("tl.fit_txpert", fit_txpert, _WRAPPED, _SCVI, few=True),
    Door("TxPertModel.load", load, _ALL, _SCVI, few=True, expects=_of_loaded),
    Door(
        "TxPertModel.predict(controls)",
        predict_from_controls,
        _CONTROLS,
        prepare=_controls_only,
        expects=_of_controls,
    ),
    Door(
        "MeanBaseline.predict(controls)",
        baseline_from_controls,
        _CONTROLS,
        few=True,
        prepare=_controls_only,
        expects=_of_controls,
    ),
    Door("tl.evaluate", evaluate, _ALL, (*_SCVI, "uns:txpert"), few=True, expects=_of_model),
    Door(
        "tl.predict",
        predict_cells,
        _ALL,
        (*_SCVI, "obsm:X_txpert", "layers:txpert"),
        few=True,
        expects=_cells_predicted,
    ),
    Door("tl.ceiling", ceiling, _ALL, ("uns:txpert",), few=True),
    Door("benchmark", benchmark, _ALL, few=True),
]


def cells() -> list[tuple[Door, Corruption]]:
    """Return which corruptions are tried at which doors."""
    return [
        (door, corruption)
        for door in DOORS
        for corruption in CORRUPTIONS
        if corruption.touches in door.reads and (corruption.everywhere or not door.few)
    ]
