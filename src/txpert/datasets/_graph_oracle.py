"""An upper bound for predictors that know the true graph but not the effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import linalg

from txpert._constants import CELL_LINE, CONTROL, N_CELLS, PERTURBATION, SPLIT, TRAIN
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._batches import average_over_batches
from txpert.data._controls import ControlProfiles
from txpert.data._group_sums import weighted_group_means
from txpert.data._tokens import measured_targets
from txpert.graph import KnowledgeGraph
from txpert.pp import pseudobulk

from ._covariance import EffectCovariance
from ._noisy_graph import simulated_graph
from ._oracle import Oracle
from ._parameters import SimulationParameters
from ._truth import read_truth


class GraphOracle(Oracle):
    r"""Knows the true graph, and how effects spread over it, but not the effects.

    The posterior mean of a Gaussian process with the covariance that made the screen. Between two
    perturbations of one gene,

    .. math:: k(p, q) = v_e \, \big(\rho \, C_{pq} + (1 - \rho)\,\delta_{pq}\big)
              + v_s \, \big(1 + \tfrac{1}{2} \delta_{pq}\big),

    with the covariance :math:`C` over the graph, the variances :math:`v_e, v_s` of program and
    stress effects and :math:`\rho` = ``graph_share``; doubles are sums, and between cell lines
    it shrinks by what they share. Noise is inverse to the number of cells, its size is that with
    the highest marginal likelihood. The target's own loss is the mean loss of the targets trained
    on. So this bounds, but for interactions and what the sparsity of programs tells, what a
    model can learn from the graph and the training data.

    Parameters
    ----------
    adata
        A screen by :func:`simulate`, log-normalized. With a split, only ``"train"`` is looked at.
    graph
        Graph that the oracle has instead of the true one: a noisy copy, to know what a model that
        is handed it could learn at best. Its nodes must include the targets.

    Raises
    ------
    KeyError
        If the data hold no truth.
    ValueError
        If no perturbation is in training, or the data are raw counts.

    References
    ----------
    Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, chapters 2 and 5.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> GraphOracle(adata).predict("GENE3", batch="batch_1").shape
    (1, 60)
    """

    def __init__(self, adata: AnnData, graph: KnowledgeGraph | None = None) -> None:
        table = ConditionTable.from_anndata(pseudobulk(adata))
        training = ~table.obs[CONTROL].to_numpy(dtype=bool)
        if SPLIT in table.obs:
            training &= (table.obs[SPLIT] == TRAIN).to_numpy()
        if not training.any():
            raise ValueError("No perturbation is in training; tx.pp.split(adata) makes a split.")
        stored = read_truth(adata)
        self.control_profiles = table.controls
        self._covariance = EffectCovariance(
            simulated_graph(adata) if graph is None else graph,
            SimulationParameters(**stored["parameters"]),
        )
        rows = table.subset(training)
        delta, self._trained = average_over_batches(rows.delta, rows.obs)
        row, column, expression = _own_expression(self._trained, table.controls)
        self._loss = 0.0
        if expression.any():
            self._loss = float(delta[row, column] @ expression / (expression @ expression))
        delta[row, column] = delta.mean(axis=0)[column]
        noise = 1 / self._trained[N_CELLS].to_numpy(dtype=float)
        prior = self._covariance(self._trained, self._trained)
        self._weights = _posterior_weights(prior, noise, delta)

    def _effects(self, conditions: pd.DataFrame, controls: ControlProfiles) -> FloatArray:
        if not controls.genes.equals(self.control_profiles.genes):
            raise ValueError("The controls must have the genes of the screen, in its order.")
        delta = self._covariance(conditions, self._trained) @ self._weights
        row, column, expression = _own_expression(conditions, controls)
        delta[row, column] = self._loss * expression
        return delta.astype(np.float32)


def _own_expression(
    conditions: pd.DataFrame, controls: ControlProfiles
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return row, column and control expression of every target that is measured."""
    lines = controls.obs[CELL_LINE].astype(str).to_numpy()
    code, names = pd.factorize(lines)
    expression = weighted_group_means(controls.mean, code, controls.obs[N_CELLS].to_numpy())
    row, column = measured_targets(conditions[PERTURBATION].astype(str), controls.genes)
    line = pd.Index(names).get_indexer(pd.Index(conditions[CELL_LINE].astype(str)))[row]
    return row, column, expression[line, column].astype(float)


def _posterior_weights(prior: FloatArray, noise: FloatArray, delta: FloatArray) -> FloatArray:
    """Return (K + b N)⁻¹ Δ with the size of the noise b of the highest marginal likelihood."""
    outer = delta.astype(float) @ delta.T.astype(float)
    mean_prior, best = np.diagonal(prior).mean(), (-np.inf, prior)
    for size in np.geomspace(1e-3, 1e2, 16) * mean_prior / noise.mean():
        factor = linalg.cholesky(prior + np.diag(size * noise), lower=True)
        explained = np.trace(linalg.cho_solve((factor, True), outer))
        log_determinant = 2 * np.log(np.diagonal(factor)).sum()
        likelihood = -len(delta) * np.log(explained) - log_determinant
        if likelihood > best[0]:
            best = (likelihood, factor)
    return linalg.cho_solve((best[1], True), delta.astype(float))
