"""The metrics of an evaluation, one row each: function, label, direction, ceiling, needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from txpert._registry import add_entry, first_line, table
from txpert._types import BoolArray, FloatArray
from txpert.metrics import centroid_accuracy, direction_accuracy, mse, pearson_delta, top_genes
from txpert.metrics._reliability import correlation_with_truth, spearman_brown
from txpert.metrics._retrieval import retrieval_scores

WITHOUT_TARGETS = "_without_targets"
"""Ends the name of a score that leaves the targets' own genes out."""
_TOP = 20


@dataclass(frozen=True)
class Rows:
    """Δ of the perturbations of one cell line, as metrics see them.

    Attributes
    ----------
    predicted, observed
        Δ, shape ``(n, n_genes)``.
    genes
        Which genes count in each row, ``(n, n_genes)``.
    reference, reference_genes
        Observed Δ of the line's other perturbations and the genes that count there,
        ``(n_reference, n_genes)``.

    Examples
    --------
    >>> import numpy as np
    >>> import txpert as tx
    >>> rows = tx.evaluation.Rows(
    ...     predicted=np.array([[1.0, -0.5, 0.0, 0.2]]),
    ...     observed=np.array([[0.5, -1.0, 0.5, np.nan]]),
    ...     genes=np.array([[True, True, True, False]]),  # the last was not measured
    ...     reference=np.array([[-1.0, 0.5, 0.2, 0.0], [0.0, 1.0, -0.5, 0.0]]),
    ...     reference_genes=np.ones((2, 4), dtype=bool),
    ... )
    >>> np.abs(rows.predicted - rows.observed).mean(axis=1, where=rows.genes)
    array([0.5])
    >>> rows.retrievals["retrieval"]
    array([1.])
    """

    predicted: FloatArray
    observed: FloatArray
    genes: BoolArray
    reference: FloatArray
    reference_genes: BoolArray

    @cached_property
    def retrievals(self) -> dict[str, FloatArray]:
        """Retrieval among all and among some, from one pass."""
        return retrieval_scores(
            self.predicted,
            self.observed,
            reference=self.reference,
            genes=self.genes,
            reference_genes=self.reference_genes,
        )


Function = Callable[[Rows], FloatArray]
F = TypeVar("F", bound=Function)
Formula = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Metric:
    """A row of the registry.

    Attributes
    ----------
    function
        Returns one score per row.
    label
        As axes of plots call it.
    higher_is_better
        Whether a larger score is better.
    main
        Whether :func:`txpert.tl.evaluate` and :func:`txpert.tl.ceiling` report it.
    full_size, noise_free
        What a score between two halves of the cells says about that of two experiments of full
        size, and of the truth against one; ``None`` where no formula is known.
    needs
        What it compares with besides the perturbation's own Δ.
    description
        One line.

    Examples
    --------
    >>> import numpy as np
    >>> import txpert as tx
    >>> def rmse(rows):
    ...     return tx.metrics.rmse(rows.predicted, rows.observed, genes=rows.genes)
    >>> metric = tx.evaluation.Metric(
    ...     rmse,
    ...     label="root mean squared error",
    ...     higher_is_better=False,
    ...     full_size=lambda halves: halves / np.sqrt(2),  # half of the variance
    ...     noise_free=lambda halves: halves / 2,
    ... )
    >>> observed, measured = np.array([[0.0, 1.0, -1.0]]), np.ones((1, 3), dtype=bool)
    >>> metric.function(tx.evaluation.Rows(observed + 0.5, observed, measured, observed, measured))
    array([0.5])
    >>> metric.noise_free(np.array([0.5]))  # the truth against what was observed
    array([0.25])
    """

    function: Function
    label: str
    higher_is_better: bool = True
    main: bool = False
    full_size: Formula | None = None
    noise_free: Formula | None = None
    needs: str = ""
    description: str = ""


METRICS: dict[str, Metric] = {}
"""Every metric, by name."""


def register_metric(
    name: str,
    *,
    label: str,
    higher_is_better: bool = True,
    main: bool = False,
    full_size: Formula | None = None,
    noise_free: Formula | None = None,
    needs: str = "",
) -> Callable[[F], F]:
    """Add a metric to the registry: evaluation, benchmark, ceiling and plots then know it.

    The decorated function takes :class:`Rows` and returns one score per row, NaN where it is
    undefined; its docstring is the description. The other arguments are those of
    :class:`Metric`.

    Raises
    ------
    ValueError
        If another metric has that name.

    Examples
    --------
    >>> import numpy as np
    >>> import txpert as tx
    >>> @tx.evaluation.register_metric(
    ...     "mae", label="mean absolute error", higher_is_better=False, main=True
    ... )
    ... def mean_absolute_error(rows):
    ...     return np.abs(rows.predicted - rows.observed).mean(axis=1, where=rows.genes)
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
    >>> model.train(enable_progress_bar=False)
    >>> tx.tl.evaluate(adata, model).filter(like="mae").columns.to_list()
    ['mae', 'mae_without_targets']
    """

    def register(function: F) -> F:
        metric = Metric(
            function,
            label,
            higher_is_better,
            main,
            full_size,
            noise_free,
            needs,
            first_line(function),
        )
        add_entry(METRICS, name, metric, kind="metric", definition=attrgetter("function"))
        return function

    return register


def show() -> pd.DataFrame:
    """List the metrics.

    Returns
    -------
    One row per metric, by name: its label, whether higher is better, whether ceilings are known,
    what it needs, whether :func:`txpert.tl.evaluate` reports it, and what it is.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.evaluation.show().loc["mse", "higher_is_better"].item()
    False
    """

    def columns(name: str, metric: Metric) -> dict[str, Any]:
        return {
            "label": metric.label,
            "higher_is_better": metric.higher_is_better,
            "ceiling": metric.full_size is not None,
            "needs": metric.needs,
            "main": metric.main,
            "description": metric.description,
        }

    return table(METRICS, columns)


def score_names(*, main: bool = False) -> list[str]:
    """Return the names of all scores: each metric, then each without the targets' own genes.

    Parameters
    ----------
    main
        Only the metrics that :func:`txpert.tl.evaluate` reports.
    """
    names = [name for name, metric in METRICS.items() if metric.main or not main]
    return [*names, *(name + WITHOUT_TARGETS for name in names)]


def metric_of(score: str) -> Metric:
    """Return the metric of a score, with the targets' own genes or without.

    Raises
    ------
    KeyError
        If there is no such score.
    """
    name = score.removesuffix(WITHOUT_TARGETS)
    if name not in METRICS:
        raise KeyError(f"There is no metric {score!r}; there are {', '.join(score_names())}.")
    return METRICS[name]


def score_label(score: str) -> str:
    """Return what axes of plots call a score."""
    label = metric_of(score).label
    return f"{label}, targets excluded" if score.endswith(WITHOUT_TARGETS) else label


@register_metric(
    "pearson_delta",
    label="Pearson Δ",
    main=True,
    full_size=spearman_brown,
    noise_free=lambda halves: correlation_with_truth(spearman_brown(halves)),
)
def _pearson(rows: Rows) -> FloatArray:
    """Pearson correlation of predicted and observed Δ over genes."""
    return pearson_delta(rows.predicted, rows.observed, genes=rows.genes)


@register_metric("retrieval", label="retrieval", main=True, needs="other perturbations")
def _retrieval(rows: Rows) -> FloatArray:
    """Fraction of the line's other perturbations that the prediction is less similar to."""
    return rows.retrievals["retrieval"]


@register_metric("retrieval_fast", label="fast retrieval", main=True, needs="other perturbations")
def _retrieval_fast(rows: Rows) -> FloatArray:
    """Fraction of 100 of the other perturbations that the prediction is less similar to."""
    return rows.retrievals["retrieval_fast"]


@register_metric(
    "mse",
    label="mean squared error",
    higher_is_better=False,
    main=True,
    full_size=lambda halves: halves / 2,
    noise_free=lambda halves: halves / 4,
)
def _mse(rows: Rows) -> FloatArray:
    """Mean squared error of Δ over genes."""
    return mse(rows.predicted, rows.observed, genes=rows.genes)


@register_metric("pearson_delta_top20", label="Pearson Δ, top 20 genes")
def _pearson_of_top_genes(rows: Rows) -> FloatArray:
    """Pearson Δ over the 20 genes that changed most."""
    strength = np.where(rows.genes, np.abs(rows.observed), np.nan)
    mask = top_genes(strength, min(_TOP, strength.shape[1])) & rows.genes
    return pearson_delta(rows.predicted, rows.observed, genes=mask)


@register_metric("centroid_accuracy", label="centroid accuracy", needs="other perturbations")
def _centroid(rows: Rows) -> FloatArray:
    """Fraction of the line's other perturbations that the prediction is further from."""
    return centroid_accuracy(
        rows.predicted,
        rows.observed,
        reference=rows.reference,
        genes=rows.genes,
        reference_genes=rows.reference_genes,
    )


@register_metric("direction_accuracy", label="direction accuracy")
def _direction(rows: Rows) -> FloatArray:
    """Fraction of genes whose direction is right; a prediction of no change at all has none."""
    fraction = direction_accuracy(rows.predicted, rows.observed, genes=rows.genes)
    nothing = ((rows.predicted == 0) | ~rows.genes).all(axis=1)
    return np.where(nothing, np.nan, fraction)
