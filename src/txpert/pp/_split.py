from __future__ import annotations

from typing import Any

from anndata import AnnData

from txpert._constants import CELL_LINE, CONTROL, PERTURBATION, SPLIT
from txpert.splits import (
    FRACTIONS,
    TASKS,
    Perturbations,
    Stratify,
    Task,
    held_out_groups,
    seen_elsewhere,
    split_by_fold,
    split_by_target,
    split_cell_lines,
    split_combinations,
)


def split(
    adata: AnnData,
    task: Task = "unseen_perturbation",
    *,
    fractions: tuple[float, float, float] = FRACTIONS,
    stratify: Stratify | None = None,
    test_cell_line: str | None = None,
    val_cell_line: str | None = None,
    seed: int = 0,
    perturbation_key: str = PERTURBATION,
    control_key: str = CONTROL,
    cell_line_key: str | None = CELL_LINE,
    key_added: str = SPLIT,
) -> None:
    """Divide the perturbations into train, validation and test.

    Whole perturbations are held out, never single cells. Control cells belong to no split: all
    of them, those of a test cell line too, are trained on and predicted from.

    ``"unseen_perturbation"``
        Targets are drawn, and a combination follows its held-out target, so a test gene is
        never trained on in a combination either.
    ``"unseen_combination"``
        Targets are held out in the same way, and combinations whose targets are all kept are
        drawn besides (GEARS' scheme).
    ``"unseen_cell_line"``
        All perturbations of ``test_cell_line`` are test. Validation perturbations are drawn in
        the other lines, or are those of ``val_cell_line``.

    Parameters
    ----------
    adata
        Cells × genes. ``obs[key_added]`` is written, and what is said under *Notes*.
    task
        What the split asks of a model.
    fractions
        Shares of train, val and test among the perturbed genes (the paper's by default). For an
        unseen cell line only those of train and val count.
    stratify
        Give train, val and test like distributions of a number per perturbation: a series from
        label to number, or ``"effect_size"``, the norm of Δ against the controls of the cell
        line, of the log-normalised ``X``.
    test_cell_line, val_cell_line
        Cell lines held out, for the task ``"unseen_cell_line"``.
    seed
        Seeds the draw; the same perturbations and seed give the same split.
    perturbation_key, control_key, cell_line_key
        obs columns of the perturbation, the control flag and, if there is one, the cell line.
    key_added
        obs column to write: ``"train"``, ``"val"``, ``"test"``, missing for controls.

    Raises
    ------
    KeyError
        If a column does not exist.
    ValueError
        If the task or a cell line is unknown, an argument does not belong to the task, there are
        too few perturbations or no combinations, or annotation is unusable.

    Notes
    -----
    ``obs[f"{key_added}_group"]`` says how hard a held-out perturbation is: ``"unseen_single"``,
    or for a combination how many of its targets are in training as singles, ``"seen_0"`` to
    ``"seen_2"`` (``"seen_2_of_3"`` where there are more than two); for an unseen cell line
    whether it is trained on in another line, ``"seen"`` or ``"unseen"``.

    ``uns[f"txpert_{key_added}"]`` keeps the task, its arguments and ``sha256``, which two people
    share if and only if they share cell lines, perturbations and split.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> adata.obs.groupby("split", observed=True)["perturbation"].nunique().to_dict()
    {'train': 7, 'val': 2, 'test': 3}
    >>> adata.uns["txpert_split"]["task"]
    'unseen_perturbation'
    """
    _check_task(task, test_cell_line, val_cell_line)
    conditions = Perturbations.read(adata, perturbation_key, control_key, cell_line_key)
    record: dict[str, Any] = {"task": task, "seed": seed, "fractions": list(fractions)}
    values = conditions.values(stratify, record)
    if task == "unseen_cell_line":
        test, val = conditions.cell_line(test_cell_line), val_cell_line
        lines = {"test_cell_line": test, "val_cell_line": val}
        record |= {name: line for name, line in lines.items() if line is not None}
        parts = split_cell_lines(
            conditions.frame,
            test,
            val_cell_line=val,
            fractions=fractions,
            seed=seed,
            values=values,
        )
        conditions.write(adata, parts, seen_elsewhere, record, key_added)
        return
    by_label = split_by_target if task == "unseen_perturbation" else split_combinations
    labels = conditions.frame[PERTURBATION]
    of_label = by_label(labels, fractions=fractions, seed=seed, values=values)
    parts = [of_label[label] for label in labels]
    conditions.write(adata, parts, held_out_groups, record, key_added)


def split_fold(
    adata: AnnData,
    fold: int,
    n_folds: int = 5,
    *,
    val_fraction: float = 0.25,
    stratify: Stratify | None = None,
    seed: int = 0,
    perturbation_key: str = PERTURBATION,
    control_key: str = CONTROL,
    cell_line_key: str | None = CELL_LINE,
    key_added: str = SPLIT,
) -> None:
    """Divide the perturbations for cross-validation: one fold is test.

    Over the folds of one seed every perturbation is test exactly once, unseen there as in the
    task ``"unseen_perturbation"`` of :func:`split`. A combination is test in the fold of one of
    its targets and in no split in the fold of another, so that no test gene is trained on.

    Parameters
    ----------
    adata
        Cells × genes; the same columns and the same record as by :func:`split` are written.
    fold
        The fold to test, 0 to ``n_folds - 1``.
    n_folds
        Number of folds.
    val_fraction
        Share of the other perturbed genes that is drawn for validation.
    stratify, seed, perturbation_key, control_key, cell_line_key, key_added
        As in :func:`split`.

    Raises
    ------
    KeyError
        If a column does not exist.
    ValueError
        If there is no such fold, there are too few perturbations, or annotation is unusable.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> for fold in range(4):
    ...     tx.pp.split_fold(adata, fold, n_folds=4, key_added=f"fold_{fold}")
    >>> adata.obs.groupby("fold_0", observed=True)["perturbation"].nunique().to_dict()
    {'train': 7, 'val': 2, 'test': 3}
    """
    conditions = Perturbations.read(adata, perturbation_key, control_key, cell_line_key)
    record = {
        "task": "unseen_perturbation",
        "seed": seed,
        "fold": fold,
        "n_folds": n_folds,
        "val_fraction": val_fraction,
    }
    labels = conditions.frame[PERTURBATION]
    of_label = split_by_fold(
        labels,
        fold,
        n_folds,
        val_fraction=val_fraction,
        seed=seed,
        values=conditions.values(stratify, record),
    )
    parts = [of_label.get(label) for label in labels]
    conditions.write(adata, parts, held_out_groups, record, key_added)


def _check_task(task: str, test_cell_line: str | None, val_cell_line: str | None) -> None:
    if task not in TASKS:
        raise ValueError(
            f"There is no task {task!r}; the tasks known are {', '.join(map(repr, TASKS))}."
        )
    if task != "unseen_cell_line" and (test_cell_line or val_cell_line):
        raise ValueError(
            "test_cell_line and val_cell_line belong to task='unseen_cell_line', not to "
            f"task={task!r}."
        )
