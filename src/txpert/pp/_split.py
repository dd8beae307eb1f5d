"""Dividing the perturbations of a screen into train, validation and test."""

from __future__ import annotations

from collections.abc import Sequence

from anndata import AnnData

from txpert._constants import PERTURBATION, SPLIT
from txpert._options import check_number, check_seed, check_whole
from txpert.data import ObsKeys
from txpert.data._keys import CELL_LINE_KEY, CONTROL_KEY, PERTURBATION_KEY
from txpert.splits import Task
from txpert.splits._assignment import split_by_fold
from txpert.splits._draw import check_fractions
from txpert.splits._perturbations import Perturbations
from txpert.splits._strata import Stratify
from txpert.splits._task import make_task


def split(
    adata: AnnData,
    task: str | Task = "unseen_perturbation",
    *,
    fractions: tuple[float, float, float] | None = None,
    stratify: Stratify | None = None,
    test_cell_line: str | None = None,
    val_cell_line: str | None = None,
    measured: float | None = None,
    seed: int = 0,
    perturbation_key: str = PERTURBATION_KEY,
    control_key: str = CONTROL_KEY,
    cell_line_key: str | None = CELL_LINE_KEY,
    control_label: str | Sequence[str] | None = None,
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
        drawn as well (GEARS' scheme).
    ``"unseen_cell_line"``
        All perturbations of ``test_cell_line`` are test. Validation perturbations are drawn in
        the other lines, or are those of ``val_cell_line``.
    ``"few_shot_cell_line"``
        Some perturbations of ``test_cell_line`` are test and some are ``measured``; the other
        lines are trained on whole. For one seed the test perturbations are the same whatever is
        measured, and a smaller measured part lies within a larger one. Measured perturbations
        are divided between training and validation; those neither measured nor test are in no
        split.

    :func:`txpert.splits.show` lists the tasks, :func:`txpert.splits.register_task` adds one.

    Parameters
    ----------
    adata
        Cells × genes. ``obs[key_added]`` is written, and what *Notes* lists.
    task
        What the split asks of a model: the name of a task, or a :class:`txpert.splits.Task` with
        its options.
    fractions
        Fractions of train, val and test among the perturbed genes; by default the paper's, 0.5625,
        0.1875 and 0.25. For an unseen cell line only those of train and val count.
    stratify
        Give train, val and test similar distributions of a number per perturbation: a series from
        label to number, or ``"effect_size"``, the norm of Δ against the controls of the cell
        line, of the log-normalized ``X``.
    test_cell_line, val_cell_line
        Cell lines held out, for the tasks about cell lines.
    measured
        Perturbed genes of ``test_cell_line`` that are measured, for ``"few_shot_cell_line"``: a
        fraction of them (0.5 by default) or a number.
    seed
        Seeds the draw; the same perturbations and seed give the same split.
    perturbation_key, control_key, cell_line_key
        obs columns of the perturbation, the control flag and, if there is one, the cell line; by
        default those registered by ``setup_anndata``, if any.
    control_label
        Label or labels of unperturbed cells, instead of ``control_key``.
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
    Labels that seem to stand for one gene (guides ``"A_1"`` and ``"A_2"``, spellings, other
    names, combinations with another sign such as ``"A_B"``) are on one side of the split; a
    warning names them, and :func:`harmonize_labels` rewrites them.

    ``obs[f"{key_added}_group"]`` says how hard a held-out perturbation is: ``"unseen_single"``,
    or for a combination how many of its targets are in training as singles, ``"seen_0"`` to
    ``"seen_2"`` (``"seen_2_of_3"`` where there are more than two); for cell lines
    whether it is trained on in another line, ``"seen"`` or ``"unseen"``.

    ``uns[f"txpert_{key_added}"]`` keeps the task, its arguments and ``sha256``, which is
    the same for two people if and only if cell lines, perturbations and split are.

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
    check_seed(seed)
    if fractions is not None:
        check_fractions(fractions)
    chosen = make_task(
        task,
        fractions=fractions,
        test_cell_line=test_cell_line,
        val_cell_line=val_cell_line,
        measured=measured,
    )
    keys = ObsKeys.of(
        adata,
        perturbation=perturbation_key,
        control=control_key,
        cell_line=cell_line_key,
        control_label=control_label,
    )
    keys.check_added(key_added)
    perturbations = Perturbations.read(adata, keys)
    record = chosen.record() | {"seed": seed}
    values = perturbations.values(stratify, record)
    parts = chosen.assign(perturbations.by_gene, seed=seed, values=values)
    perturbations.write(adata, parts, chosen, record, key_added)


def split_fold(
    adata: AnnData,
    fold: int,
    n_folds: int = 5,
    *,
    val_fraction: float = 0.25,
    stratify: Stratify | None = None,
    seed: int = 0,
    perturbation_key: str = PERTURBATION_KEY,
    control_key: str = CONTROL_KEY,
    cell_line_key: str | None = CELL_LINE_KEY,
    control_label: str | Sequence[str] | None = None,
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
        Fraction of the other perturbed genes that is drawn for validation.
    stratify, seed, perturbation_key, control_key, cell_line_key, control_label, key_added
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
    check_seed(seed)
    check_whole("fold", fold, least=0)
    check_whole("n_folds", n_folds, least=2)
    check_number("val_fraction", val_fraction, least=0, most=1)
    task = make_task("unseen_perturbation")
    keys = ObsKeys.of(
        adata,
        perturbation=perturbation_key,
        control=control_key,
        cell_line=cell_line_key,
        control_label=control_label,
    )
    keys.check_added(key_added)
    perturbations = Perturbations.read(adata, keys)
    record = {
        "task": task.name,
        "seed": seed,
        "fold": fold,
        "n_folds": n_folds,
        "val_fraction": val_fraction,
    }
    labels = perturbations.by_gene[PERTURBATION]
    of_label = split_by_fold(
        labels,
        fold,
        n_folds,
        val_fraction=val_fraction,
        seed=seed,
        values=perturbations.values(stratify, record),
    )
    parts = [of_label.get(label) for label in labels]
    perturbations.write(adata, parts, task, record, key_added)
