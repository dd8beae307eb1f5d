"""Looking for leaks in a split of any origin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import pandas as pd
from anndata import AnnData

from txpert._constants import BATCH, CELL_LINE, CONTROL, PERTURBATION, SPLIT
from txpert.data import ObsKeys
from txpert.data._keys import (
    BATCH_KEY,
    CELL_LINE_KEY,
    CONTROL_KEY,
    MODALITY_KEY,
    PERTURBATION_KEY,
    SPLIT_KEY,
)
from txpert.data._matrix import expression_matrix
from txpert.graph import KnowledgeGraph
from txpert.graph._several import as_graphs
from txpert.splits import Task
from txpert.splits._cells import by_gene, perturbed_conditions, read_cells
from txpert.splits._duplicates import identical_cells, repeated_names
from txpert.splits._hash import split_hash
from txpert.splits._leaks import Problem, mixed_conditions, seen_held_out, shorten
from txpert.splits._perturbations import record_key
from txpert.splits._task import make_task

from ._highly_variable import GENES_KEY


def check_split(
    adata: AnnData,
    *,
    graphs: KnowledgeGraph | Sequence[KnowledgeGraph] = (),
    task: str | Task | None = None,
    errors: Literal["report", "raise"] = "report",
    layer: str | None = None,
    split_key: str = SPLIT_KEY,
    perturbation_key: str = PERTURBATION_KEY,
    control_key: str = CONTROL_KEY,
    batch_key: str | None = BATCH_KEY,
    cell_line_key: str | None = CELL_LINE_KEY,
    modality_key: str | None = MODALITY_KEY,
    control_label: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Look for what held-out data would leak into training, in a split of any origin.

    Parameters
    ----------
    adata
        Cells × genes with a split; not changed.
    graphs
        Knowledge graphs the model is to use.
    task
        What the split asks of a model (:func:`txpert.splits.show` lists the tasks); by default
        what :func:`split` recorded, else
        ``"unseen_perturbation"``.
    errors
        ``"raise"`` raises an error if there is a problem.
    layer
        Layer whose rows are compared between cells; ``None`` takes ``X``.
    split_key, perturbation_key, control_key, batch_key, cell_line_key, modality_key
        obs columns; by default those registered by ``setup_anndata``, if any.
    control_label
        Label or labels of unperturbed cells, instead of ``control_key``.

    Returns
    -------
    One row per problem: its kind, whom it is about (value) and a detail. If all is well there are
    no rows, and a line is printed that says so.

    Raises
    ------
    KeyError
        If a column or the layer does not exist.
    ValueError
        If the task is unknown, annotation is unusable, or there are problems and ``errors`` is
        ``"raise"``.

    Notes
    -----
    The kinds of problem:

    ``perturbation_in_training``, ``perturbation_in_validation``
        A held-out perturbation is itself learned from.
    ``target_in_training``, ``target_in_validation``
        All targets of a held-out perturbation are learned from in others. For unseen
        combinations that is so meant, and only single targets are judged.
        Both also where labels differ but seem to stand for one gene, such as guides.
    ``test_cell_line_in_training``, ``test_cell_line_in_validation``
        The cell line held out has other perturbations in training.
    ``condition_in_several_splits``
        Cells of one perturbation, cell line and modality are divided.
    ``repeated_name``, ``identical_cells``
        A held-out cell has the name or the expression of a cell learned from.
    ``shared_controls``
        Cell lines have the same control cells.
    ``control_in_split``, ``context_without_controls``
        Controls belong to no split, and every cell line and batch needs some.
    ``graph_from_held_out``
        A graph was learned from held-out conditions (:func:`txpert.graph.from_screen`).
    ``genes_from_held_out``, ``genes_of_unknown_origin``
        :func:`highly_variable_genes` saw cells that are held out now, or the genes were chosen
        by other means, which may have.
    ``stale_hash``
        The split is no longer the one that was recorded.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> problems = tx.pp.check_split(adata, graphs=tx.datasets.toy_graph())
    No problems found in the split 'split' of 12 perturbations.
    >>> adata.obs["split"] = adata.obs["split"].astype(str).replace({"val": "train", "nan": None})
    >>> tx.pp.check_split(adata)["kind"].tolist()
    ['stale_hash']
    """
    keys = ObsKeys.of(
        adata,
        perturbation=perturbation_key,
        control=control_key,
        batch=batch_key,
        cell_line=cell_line_key,
        modality=modality_key,
        split=split_key,
        control_label=control_label,
    )
    if errors not in ("report", "raise"):
        raise ValueError(f"errors must be 'report' or 'raise', not {errors!r}.")
    key = record_key(str(keys.split))
    record = adata.uns.get(key, {})
    asked = make_task(task or record.get("task", "unseen_perturbation"))
    cells = read_cells(adata, keys)
    conditions = perturbed_conditions(cells)
    problems = [
        *_label_leaks(conditions, asked, adata.var_names.astype(str)),
        *mixed_conditions(conditions, cells),
        *_control_problems(cells),
        *repeated_names(cells),
        *identical_cells(cells, expression_matrix(adata, layer)),
        *_graph_leaks(conditions, as_graphs(graphs)),
        *_gene_leaks(conditions, adata),
    ]
    if record and record["sha256"] != split_hash(conditions):
        detail = "cells, labels or split have changed since: split again, or delete the record"
        problems.append(Problem("stale_hash", f"uns[{key!r}]", detail))
    if problems and errors == "raise":
        listed = shorten([f"{kind} ({value}: {detail})" for kind, value, detail in problems])
        raise ValueError(f"The split {str(keys.split)!r} has {len(problems)} problems: {listed}.")
    if not problems and errors == "report":
        n = conditions[PERTURBATION].nunique()
        print(f"No problems found in the split {str(keys.split)!r} of {n:,} perturbations.")
    return pd.DataFrame(problems, columns=Problem._fields)


def _label_leaks(conditions: pd.DataFrame, task: Task, genes: pd.Index) -> Iterator[Problem]:
    """Find leaks between labels, and between the genes that they seem to stand for."""
    found = list(task.leaks(conditions))
    yield from found
    read = by_gene(conditions, genes)
    known = {(problem.kind, problem.value) for problem in found}
    for kind, value, detail in task.leaks(read):
        labels = conditions.loc[read[PERTURBATION] == value, PERTURBATION]
        if not {(kind, label) for label in [value, *labels]} & known:
            called = shorten([repr(label) for label in sorted(set(labels))])
            yield Problem(kind, value, f"{detail} (read from the labels {called})")


def _control_problems(cells: pd.DataFrame) -> Iterator[Problem]:
    control = cells[CONTROL].to_numpy()
    assigned = cells[control & cells[SPLIT].notna().to_numpy()]
    for line, rows in assigned.groupby(CELL_LINE, observed=True):
        parts = ", ".join(sorted(rows[SPLIT].unique()))
        yield Problem("control_in_split", str(line), f"{len(rows):,} control cells are in {parts}")
    context = cells[CELL_LINE].astype(str) + " / " + cells[BATCH].astype(str)
    without = context[~context.isin(set(context[control]))]
    for name, n in without.value_counts().items():
        yield Problem("context_without_controls", str(name), f"{n:,} perturbed cells, no control")


def _graph_leaks(conditions: pd.DataFrame, graphs: Sequence[KnowledgeGraph]) -> Iterator[Problem]:
    for graph in graphs:
        found = seen_held_out(conditions, graph.learned_from)
        if found:
            detail = f"learned from {len(found)} held-out conditions: {shorten(found)}"
            yield Problem("graph_from_held_out", graph.name, detail)


def _gene_leaks(conditions: pd.DataFrame, adata: AnnData) -> Iterator[Problem]:
    value = "var['highly_variable']"
    if GENES_KEY in adata.uns:
        found = seen_held_out(conditions, adata.uns[GENES_KEY]["conditions"])
        if found:
            detail = f"chosen from {len(found)} held-out conditions: {shorten(found)}"
            yield Problem("genes_from_held_out", value, detail)
    elif "highly_variable" in adata.var:
        detail = (
            "nothing tells whether test cells were used; tx.pp.highly_variable_genes uses none"
        )
        yield Problem("genes_of_unknown_origin", value, detail)
