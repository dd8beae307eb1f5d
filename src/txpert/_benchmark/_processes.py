"""Runs in processes of their own, several at a time.

With ``concurrent.futures``: a worker that is killed ends ``joblib.Parallel`` and all other runs.
"""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from txpert._layers import named_layers

from ._folds import Bench, Fold
from ._memory import available_memory, n_cores
from ._run import FAILURES, Answer, Question, answer, describe

# A process of its own: the interpreter with its libraries, and what training takes besides cells.
_MB_PER_PROCESS = 1_500
_COPIES_OF_CELLS = 3


class Run(NamedTuple):
    """A model under a split."""

    model: str
    fold: Fold

    @property
    def key(self) -> tuple[str, int, str]:
        """What tells the runs of a benchmark apart."""
        return self.model, self.fold.seed, self.fold.name

    @property
    def title(self) -> str:
        """The same in words."""
        return " ".join(filter(None, (self.model, f"seed {self.fold.seed}", self.fold.name)))


def jobs_that_fit(bench: Bench, n_runs: int) -> int:
    """Return how many processes cores and memory allow, at least one."""
    cells = sum(map(_megabytes, [bench.screen.X, *named_layers(bench.adata).values()]))
    per_process = _MB_PER_PROCESS + _COPIES_OF_CELLS * cells
    return max(1, min(n_cores(), n_runs, int(min(available_memory() / per_process, 1_000))))


def answers_of_processes(
    runs: Sequence[Run], recipes: Mapping[str, Any], bench: Bench, n_jobs: int
) -> Iterator[tuple[Run, Answer]]:
    """Yield the answers as they come in, in any order.

    A process that dies, for want of memory perhaps, fails its own run only.
    """
    threads = max(1, n_cores() // n_jobs)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(n_jobs) as pool:
        files = _FoldFiles(bench, Path(folder), runs)

        def work(run: Run) -> Answer:
            with files.reading(run.fold) as path:
                return _in_process(path, pickle.dumps(recipes[run.model]), run.fold.seed, threads)

        futures = {pool.submit(work, run): run for run in runs}
        try:
            for future in as_completed(futures):
                yield futures.pop(future), future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _FoldFiles:
    """Training cells and question of each fold, on disk while a run of it is left."""

    def __init__(self, bench: Bench, folder: Path, runs: Sequence[Run]) -> None:
        self._bench, self._folder = bench, folder
        self._left = Counter((run.fold.seed, run.fold.name) for run in runs)
        self._names = {key: folder / f"{i}.pickle" for i, key in enumerate(self._left)}
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, fold: Fold) -> Iterator[Path]:
        """Write the file unless it is there; remove it after the last run."""
        try:
            yield self._written(fold)
        finally:
            self._done(fold)

    def _written(self, fold: Fold) -> Path:
        path = self._names[fold.seed, fold.name]
        with self._lock:
            if not path.exists():
                held_out = self._bench.held_out(fold)
                question = Question(held_out.conditions, held_out.controls)
                with path.open("wb") as file:
                    pickle.dump(question, file, protocol=5)
                    pickle.dump(self._bench.training(fold), file, protocol=5)
        return path

    def _done(self, fold: Fold) -> None:
        key = fold.seed, fold.name
        with self._lock:
            self._left[key] -= 1
            if not self._left[key]:
                self._names[key].unlink(missing_ok=True)


def _in_process(path: Path, recipe: bytes, seed: int, threads: int) -> Answer:
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context) as own:
            return own.submit(_child, path, recipe, seed, threads).result()
    except BrokenProcessPool:
        return Answer(
            None,
            reason="The process ended before it had an answer; out of memory, perhaps. "
            "Fewer processes (n_jobs) leave more for each.",
        )
    except FAILURES as error:
        return Answer(None, reason=f"Its process failed: {describe(error)}")


def _child(path: Path, recipe: bytes, seed: int, threads: int) -> Answer:
    import torch
    from threadpoolctl import threadpool_limits

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    torch.set_num_threads(threads)
    with path.open("rb") as file, threadpool_limits(threads):
        question = pickle.load(file)
        try:
            model = pickle.loads(recipe)
        except FAILURES as error:
            return Answer(None, reason=f"Another process cannot import it: {describe(error)}")
        return answer(model, lambda: pickle.load(file), question, seed, own_process=True)


def _megabytes(matrix: Any) -> float:
    parts = [getattr(matrix, name, None) for name in ("data", "indices", "indptr")]
    if parts[1] is None:
        parts = [matrix]
    return sum(float(getattr(part, "nbytes", 0)) for part in parts) / 1e6
