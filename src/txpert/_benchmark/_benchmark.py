"""``tx.benchmark``: from arguments to schedule, runs and result."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import CELL_LINE, N_CELLS, PERTURBATION, UNS_KEY
from txpert._options import check_names, check_path, check_seed, check_whole
from txpert.data import ObsKeys
from txpert.data._keys import (
    BATCH_KEY,
    CELL_LINE_KEY,
    CONTROL_KEY,
    MODALITY_KEY,
    PERTURBATION_KEY,
    SPLIT_KEY,
)
from txpert.evaluation._warnings import warn_of_leak, warn_of_unmeasured
from txpert.splits import Task
from txpert.splits._perturbations import group_key
from txpert.splits._task import TASKS, make_task
from txpert.tl import ceiling

from ._folds import Bench, Fold
from ._models import Model, is_stored, read_models
from ._processes import Run
from ._result import BenchmarkResult
from ._schedule import all_runs
from ._store import Store


def benchmark(
    adata: AnnData,
    models: Mapping[str, Model],
    task: str | Task | None = None,
    seeds: int | Sequence[int] = 0,
    *,
    n_folds: int | None = None,
    baseline: str | None = "general",
    split_options: Mapping[str, Any] | None = None,
    ceiling_repeats: int = 10,
    folder: str | Path | None = None,
    n_jobs: int | Literal["auto"] = 1,
    enable_progress_bar: bool = True,
    layer: str | None = None,
    perturbation_key: str = PERTURBATION_KEY,
    control_key: str = CONTROL_KEY,
    batch_key: str | None = BATCH_KEY,
    cell_line_key: str | None = CELL_LINE_KEY,
    split_key: str | None = SPLIT_KEY,
    modality_key: str | None = MODALITY_KEY,
    control_label: str | Sequence[str] | None = None,
) -> BenchmarkResult:
    """Compare models on held-out perturbations: same splits, genes, controls and scores.

    Every model is fitted again for every split to a copy of the cells that has the training,
    validation and control cells and no others, is asked for the test conditions, and is scored
    as by :func:`txpert.tl.evaluate`. A model that fails is noted and does not stop the others.

    Parameters
    ----------
    adata
        Cells × genes, log-normalized, in memory or backed, or effects
        (:func:`txpert.pp.from_effects`); not changed.
    models
        What to compare, by name:

        - the name of a baseline that needs nothing else, such as ``"mean"``
          (:func:`txpert.baselines.show` lists them);
        - a predictor to be fitted, such as ``tx.baselines.NeighborsBaseline(graphs=graph)``: its
          method ``fit(adata)`` is called on a copy of it;
        - a recipe: a function that takes the training cells and a seed and returns something with
          ``predict(conditions, controls=)``, such as a model or a baseline. Options are given by
          ``functools.partial(tx.tl.fit_txpert, graphs=graph)``. The training
          cells have the obs columns perturbation, control, cell_line, batch and split, and
          ``uns["txpert_benchmark"]["test_perturbations"]`` names what will be asked for;
        - another tool's prediction for one split, as AnnData or
          :class:`txpert.baselines.StoredPrediction`. A recipe may return one for each seed.
    task
        Task of the splits, drawn by :func:`txpert.pp.split`; for tasks about cell lines every line
        is test in turn. ``None`` takes the split that is there.
    seeds
        Each seed draws its own splits and seeds training.
    n_folds
        Cross-validate by :func:`txpert.pp.split_fold`, for ``task="unseen_perturbation"``.
    baseline
        Name of the model the others are compared with; added if it is not among them.
    split_options
        Further arguments of the split, such as ``{"fractions": (0.6, 0.2, 0.2)}`` or
        ``{"test_cell_line": "K562"}``.
    ceiling_repeats
        Random halvings for :func:`txpert.tl.ceiling`; 0 leaves the ceiling out, as do effects
        without cells.
    folder
        Each finished run is stored here, and read again by a later call with the same data,
        split, model and options. The result is saved here too.
    n_jobs
        Number of runs at a time, each in a process of its own; ``"auto"`` takes as many as
        cores and memory allow. With 1 they run one after the other in this process. Cores are
        shared out evenly. Other processes import models, so these must be functions of a
        module, and a script needs ``if __name__ == "__main__":``.
    enable_progress_bar
        Whether to show a progress bar of the runs, and of the ceiling; models have their own.
    layer
        Layer of the expression values; ``None`` takes ``X``. Models find them in ``X``.
    perturbation_key, control_key, batch_key, cell_line_key, split_key, modality_key
        obs columns, as in :meth:`txpert.TxPertModel.setup_anndata`; by default those registered
        by it, if any.
    control_label
        Label or labels of unperturbed cells, instead of ``control_key``.

    Returns
    -------
    Scores, runs and ceiling, with :meth:`~txpert.BenchmarkResult.summary`; the plots
    :func:`txpert.pl.benchmark_bars`, :func:`txpert.pl.benchmark_strips` and
    :func:`txpert.pl.benchmark_ranks` draw it.

    Raises
    ------
    KeyError
        If a column or the layer does not exist.
    TypeError
        If an entry of ``models`` is not a recipe, a predictor, a baseline name or a prediction.
    ValueError
        If there is nothing to test, arguments do not fit together, a prediction lacks genes, or
        annotation or values are unusable.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> result = tx.benchmark(adata, {"mean": "mean"}, task="unseen_perturbation", seeds=[0, 1])
    >>> result.summary("pearson_delta")["model"].to_list()
    ['mean', 'general']
    >>> result.runs["status"].unique().tolist()
    ['done']
    """
    seeds = _check_arguments(task, seeds, n_folds, split_options, n_jobs, ceiling_repeats)
    if folder is not None:
        check_path("folder", folder)
    keys = ObsKeys.of(
        adata,
        perturbation=perturbation_key,
        control=control_key,
        batch=batch_key,
        cell_line=cell_line_key,
        split=split_key if task is None else None,
        modality=modality_key,
        control_label=control_label,
    )
    bench = Bench.read(adata, keys, layer)
    fitted = read_models(models, baseline, bench.screen.genes)
    groups = adata.obs.get(group_key(str(keys.split))) if task is None else None
    folds = list(bench.folds(task, seeds, n_folds, split_options or {}, groups))
    _warn(bench, folds, fitted)
    stored = [name for name, model in fitted.items() if is_stored(model)]
    n_splits = len({fold.sha256 for fold in folds})
    if stored and n_splits > 1:
        raise ValueError(
            f"{stored[0]!r} is a prediction for one split, and there are {n_splits}. Give a "
            "function of (adata, seed) that returns the prediction for the split of each seed."
        )
    store = Store(folder)
    data = store.mark("adata", bench.content())
    runs = [Run(name, fold) for fold in folds for name in fitted]
    records = all_runs(
        bench, fitted, runs, store, data, n_jobs, enable_progress_bar=enable_progress_bar
    )
    result = BenchmarkResult(
        pd.concat([records[run.key][1] for run in runs], ignore_index=True),
        pd.DataFrame([records[run.key][0] for run in runs]),
        _ceilings(
            bench, folds, store, data, ceiling_repeats, enable_progress_bar=enable_progress_bar
        ),
        task.name if isinstance(task, Task) else task,
        baseline,
    )
    if folder is not None:
        _save(result, folder)
    return result


def _warn(bench: Bench, folds: Sequence[Fold], models: Mapping[str, Any]) -> None:
    """Warn, once for all folds, of what makes the comparison misleading."""
    warned: set[str] = set()
    for number, fold in enumerate(folds):
        held_out = bench.held_out(fold)
        if not number:
            warn_of_unmeasured(held_out, stacklevel=4)
        known = {"Every model": held_out.trained} | {
            f"The prediction {name!r}": model.trained_on_
            for name, model in models.items()
            if is_stored(model)
        }
        for what, trained_on in known.items():
            if what not in warned and warn_of_leak(held_out, what, trained_on, stacklevel=4):
                warned.add(what)


def _save(result: BenchmarkResult, folder: str | Path) -> None:
    """Save a result; what was computed is returned even if that fails."""
    try:
        result.save(folder)
    except OSError as error:
        warnings.warn(
            f"{error} The result is returned all the same: BenchmarkResult.save writes it again.",
            UserWarning,
            stacklevel=3,
        )


def _check_arguments(
    task: str | Task | None,
    seeds: int | Sequence[int],
    n_folds: int | None,
    split_options: Mapping[str, Any] | None,
    n_jobs: int | str,
    ceiling_repeats: int,
) -> list[int]:
    """Refuse what makes no sense and return the seeds."""
    given = check_names("seeds", [seeds] if np.isscalar(seeds) else seeds)
    for seed in given:
        check_seed(seed, "seeds")
    if not given or len(set(given)) < len(given):
        raise ValueError(f"seeds must be different whole numbers, at least one, not {seeds!r}.")
    if n_folds is not None and (task is None or not make_task(task).cross_validates):
        able = " or ".join(f"task={name!r}" for name in TASKS if TASKS[name].cross_validates)
        raise ValueError(
            f"n_folds belongs to {able}, not to task={task!r}; other tasks are repeated by seeds."
        )
    if task is None and split_options:
        raise ValueError("split_options belong to a task; with task=None the split is there.")
    if n_jobs != "auto" and (not isinstance(n_jobs, int | np.integer) or n_jobs < 1):
        raise ValueError(f"n_jobs must be at least 1 or 'auto', not {n_jobs!r}.")
    check_whole("ceiling_repeats", ceiling_repeats, least=0)
    if n_folds is not None:
        check_whole("n_folds", n_folds, least=2)
    return [int(seed) for seed in given]


def _ceilings(
    bench: Bench,
    folds: Sequence[Fold],
    store: Store,
    data: str | None,
    n_repeats: int,
    *,
    enable_progress_bar: bool,
) -> pd.DataFrame:
    """Return the ceiling of each fold's test perturbations; it is measured once, for all.

    Effects have none: there are no cells to halve.
    """
    if not n_repeats or bench.screen.of_effects:
        return pd.DataFrame(columns=["kind", "seed", "fold", PERTURBATION, CELL_LINE, N_CELLS])
    key = (data, n_repeats)
    stored = store.read("ceiling", key)
    if stored is None:
        shell = bench.shell()
        ceiling(shell, n_repeats=n_repeats, split=None, enable_progress_bar=enable_progress_bar)
        everything = shell.uns[UNS_KEY]["ceiling"]["perturbations"]
        everything = everything.astype({PERTURBATION: str, CELL_LINE: str})
        store.write("ceiling", key, {}, everything)
    else:
        everything = stored[1]
    parts = []
    for fold in folds:
        tested = bench.held_out(fold).obs[[PERTURBATION, CELL_LINE]].astype(str)
        part = everything.merge(tested, on=[PERTURBATION, CELL_LINE])
        part.insert(1, "seed", fold.seed)
        part.insert(2, "fold", fold.name)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
