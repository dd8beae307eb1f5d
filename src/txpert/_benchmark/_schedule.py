"""All runs of a benchmark: stored ones read, the others run and stored as they come."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from ._folds import Bench, Fold
from ._models import check_picklable, is_stored
from ._processes import Run, answers_of_processes, jobs_that_fit
from ._run import Answer, Question, answer, look_up
from ._scores import scored
from ._store import Store

logger = logging.getLogger("txpert")

Record = tuple[dict[str, Any], pd.DataFrame]


def all_runs(
    bench: Bench,
    models: Mapping[str, Any],
    runs: Sequence[Run],
    store: Store,
    data: str | None,
    n_jobs: int | str,
    *,
    enable_progress_bar: bool = True,
) -> dict[tuple[str, int, str], Record]:
    """Read what is stored, run the rest, store it as it comes."""
    marks = {name: store.mark(f"The model {name!r}", model) for name, model in models.items()}
    keys = {run.key: (data, marks[run.model], *_of_fold(run.fold)) for run in runs}
    found = {run.key: store.read(run.title, keys[run.key]) for run in runs}
    records = {name: record for name, record in found.items() if record is not None}
    left = [run for run in runs if run.key not in records]
    with tqdm(
        total=len(runs),
        initial=len(records),
        desc="Benchmark",
        unit="run",
        disable=not enable_progress_bar,
    ) as progress:
        for run, reply in _answers(bench, models, left, n_jobs):
            record = scored(bench, run, reply)
            if record[0]["status"] == "done":
                store.write(run.title, keys[run.key], *record)
            else:
                logger.warning("%s failed: %s\n%s", run.title, record[0]["reason"], reply.trace)
            records[run.key] = record
            progress.update()
    return records


def _answers(
    bench: Bench, models: Mapping[str, Any], runs: Sequence[Run], n_jobs: int | str
) -> Iterator[tuple[Run, Answer]]:
    """Yield the answer of each run; predictions made elsewhere take no process."""
    if n_jobs == "auto":
        n_jobs = jobs_that_fit(bench, len(runs))
    elsewhere = [run for run in runs if is_stored(models[run.model])]
    for run in elsewhere:
        yield run, look_up(models[run.model], _question(bench, run.fold))
    own = [run for run in runs if not is_stored(models[run.model])]
    if int(n_jobs) == 1:
        for run in own:
            recipe, fold = models[run.model], run.fold
            question = _question(bench, fold)
            yield run, answer(recipe, partial(bench.training, fold), question, fold.seed)
    elif own:
        recipes = {run.model: models[run.model] for run in own}
        check_picklable(recipes)
        yield from answers_of_processes(own, recipes, bench, int(n_jobs))


def _of_fold(fold: Fold) -> tuple[Any, ...]:
    """Return what of a fold decides the outcome of a run."""
    return fold.seed, fold.name, list(fold.split), list(fold.group)


def _question(bench: Bench, fold: Fold) -> Question:
    held_out = bench.held_out(fold)
    return Question(held_out.conditions, held_out.controls)
