"""The result of a benchmark: scores per perturbation, ceilings, runs and summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from txpert._csv import csv_bytes, read_csv
from txpert._repr import as_html, as_text, listed
from txpert._stored import read_set, write_set
from txpert.evaluation._metrics import METRICS, WITHOUT_TARGETS, metric_of, score_names

from ._summary import summarize

By = Literal["group", "cell_line", "fold"]
_INDEX = "benchmark.json"
_VERSION = 1
_TABLES = ("scores", "runs", "ceiling")
_COUNTS = ("seed", "n_cells", "n_perturbations", "n_undefined")
_NUMBERS = ("seconds", "peak_memory_mb")


@dataclass(frozen=True, repr=False)
class BenchmarkResult:
    """What :func:`txpert.benchmark` returns.

    Attributes
    ----------
    scores
        One row per model, seed, fold, perturbation and cell line: ``n_cells``, ``group`` (how hard
        it is, as :func:`txpert.pp.split` says), the metrics, and ``undefined``, why one of them is
        NaN, else empty. In a run that failed all are.
    runs
        One row per model, seed and fold: ``status`` (``"done"`` or ``"failed"``), the ``reason``
        of a failure, ``seconds`` and ``peak_memory_mb`` of fitting and predicting, numbers of
        perturbations, and the hash of the split.
    ceiling
        Scores of the experiment against itself for the same perturbations, one row per kind
        (:func:`txpert.tl.ceiling`), seed, fold, perturbation and cell line.
    task
        Task of the splits; ``None`` for the split that the data came with.
    baseline
        Name of the model the others are compared with, if any.

    Examples
    --------
    >>> import txpert as tx
    >>> result = tx.benchmark(
    ...     tx.datasets.toy(), {"mean": "mean"}, task="unseen_perturbation", ceiling_repeats=0,
    ...     enable_progress_bar=False)
    >>> result.summary("mse")["model"].tolist()
    ['mean', 'general']
    """

    scores: pd.DataFrame
    runs: pd.DataFrame
    ceiling: pd.DataFrame
    task: str | None = None
    baseline: str | None = None

    def __repr__(self) -> str:
        return as_text(*self._about())

    def _repr_html_(self) -> str:
        return as_html(*self._about())

    def _about(self) -> tuple[str, dict[str, str]]:
        """Return what a representation shows: the title and its rows."""
        runs = self.runs
        failed = int((runs["status"] == "failed").sum())
        score = self.scores.groupby("model", sort=False)["pearson_delta"].mean()
        rows = {
            "task": self.task or "the split of the data",
            "models": listed(self.models, most=20),
            "seeds": listed(runs["seed"].unique()),
            "folds": listed(runs["fold"].unique()),
            "runs": f"{len(runs):,}" + (f", {failed:,} failed" if failed else ""),
            "mean Pearson Δ": listed((f"{name} {mean:.3f}" for name, mean in score.items()), 20),
        }
        return f"BenchmarkResult of {len(self.models)} models", rows

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order given."""
        return list(dict.fromkeys(self.runs["model"]))

    def summary(
        self, metric: str | Sequence[str] | None = None, *, by: By | None = None
    ) -> pd.DataFrame:
        """Average over perturbations and seeds, and compare with the baseline.

        Parameters
        ----------
        metric
            One metric or several, such as ``"mse"`` or ``"mse_without_targets"``, which leaves
            the targets' own genes out; by default all.
        by
            Also divide the perturbations by their ``"group"``, ``"cell_line"`` or ``"fold"``.

        Returns
        -------
        One row per metric, group and model.

        ``mean``, ``sd``
            Mean of all scores, and standard deviation of the seeds' means.
        ``low``, ``high``
            95% bootstrap interval of the mean over perturbations, whose seeds stay together
            (:func:`txpert.metrics.bootstrap_interval`).
        ``n``, ``n_undefined``
            Numbers of perturbation × cell line with a score, and without one in any seed.
        ``difference``, ``p_value``, ``p_adjusted``
            Mean difference to the baseline over what both have a score for, P value of
            :func:`txpert.metrics.paired_test` over perturbations (averaged over seeds), and the
            same after Holm's correction over the models of a metric and group.
        ``note``
            Why something in the row is undefined, else empty.

        Raises
        ------
        KeyError
            If there is no such metric or column.

        Examples
        --------
        >>> import txpert as tx
        >>> models = {"mean": "mean"}
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> result = tx.benchmark(adata, models, ceiling_repeats=0, enable_progress_bar=False)
        >>> result.summary("pearson_delta")["model"].to_list()
        ['mean', 'general']
        """
        metrics = score_names() if metric is None else metric
        metrics = [metrics] if isinstance(metrics, str) else list(metrics)
        for name in metrics:
            metric_of(name)
        if by is not None and by not in ("group", "cell_line", "fold"):
            raise KeyError(f"by takes 'group', 'cell_line' or 'fold', not {by!r}.")
        return summarize(self.scores, self.baseline, metrics, by)

    def save(self, folder: str | Path) -> None:
        """Write the tables into a folder, as CSV.

        An older result in the folder is replaced once all of this one is on the disk. Names that
        a spreadsheet would take for a formula stand behind an apostrophe; :meth:`load` gives them
        back as they were.

        Raises
        ------
        OSError
            If a file cannot be written; an older result is unchanged.

        Examples
        --------
        >>> import tempfile
        >>> import txpert as tx
        >>> models = {"mean": "mean"}
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> result = tx.benchmark(adata, models, ceiling_repeats=0, enable_progress_bar=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result.save(folder)
        ...     tx.BenchmarkResult.load(folder).models
        ['mean', 'general']
        """
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        tables = {f"{name}.csv": csv_bytes(getattr(self, name)) for name in _TABLES}
        about = {"task": self.task, "baseline": self.baseline}
        write_set(path / _INDEX, tables, about, version=_VERSION)

    @classmethod
    def load(cls, folder: str | Path) -> BenchmarkResult:
        """Read what :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            If the folder holds no result.
        ValueError
            If a file is missing, damaged, changed or of a later format; the message names it.

        Examples
        --------
        >>> import tempfile
        >>> import txpert as tx
        >>> models = {"mean": "mean"}
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> result = tx.benchmark(adata, models, ceiling_repeats=0, enable_progress_bar=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result.save(folder)
        ...     loaded = tx.BenchmarkResult.load(folder)
        >>> loaded.scores.equals(result.scores)
        True
        """
        index = Path(folder) / _INDEX
        if not index.exists():
            raise FileNotFoundError(
                f"{folder} holds no benchmark; BenchmarkResult.save writes one."
            )
        names = [f"{name}.csv" for name in _TABLES]
        about, tables = read_set(index, names, "a result of BenchmarkResult", version=_VERSION)
        scores, runs, ceiling = (_typed(read_csv(tables[name])) for name in names)
        return cls(scores, runs, ceiling, about.get("task"), about.get("baseline"))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    for name in frame:
        if name in _COUNTS:
            frame[name] = frame[name].astype(int)
        elif name in _NUMBERS or str(name).removesuffix(WITHOUT_TARGETS) in METRICS:
            frame[name] = [float(text or "nan") for text in frame[name]]
    return frame
