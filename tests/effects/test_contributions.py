"""Contributions sum to the prediction and say what happens without a row."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from txpert.effects._contexts import Context
from txpert.effects._contributions import Contributions, training_effects
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects
from txpert.graph import KnowledgeGraph

GENES = [f"g{i:02d}" for i in range(30)]
TARGETS, LINE = ("g00", "g05"), Context("K", "all")


@pytest.fixture(scope="module")
def kernels():
    """Six cliques of five genes."""
    pairs = [(GENES[a], GENES[b]) for a in range(30) for b in range(a) if a // 5 == b // 5]
    edges = pd.DataFrame(pairs, columns=["source", "target"])
    graph = KnowledgeGraph.from_edges(edges, name="cliques", directed=False)
    return GeneKernels([graph], {}, pd.Index(GENES, dtype=object))


@pytest.fixture(scope="module")
def process(kernels):
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(6, 40))[np.arange(30) // 5]
    train = [i for i in range(30) if i % 5]
    delta = np.concatenate([shared[train], 0.7 * shared[train[:12]] + 0.5])
    effects = MeasuredEffects.of(
        [(GENES[i],) for i in [*train, *train[:12]]],
        delta + 0.3 * rng.normal(size=delta.shape),
        cell_line=["K"] * 24 + ["R"] * 12,
    )
    return GeneGaussianProcess.fit(effects, kernels)


def test_contributions_sum_to_the_prediction(process, kernels):
    taken = Contributions.of(process, kernels, TARGETS, LINE)
    predicted = process.predict([TARGETS], kernels, cell_line="K").mean[0]
    total = taken.mean + taken.effect(taken.weights.sum(axis=1))
    np.testing.assert_allclose(total, predicted, atol=1e-4)
    direction = predicted / np.linalg.norm(predicted)
    along = taken.along(direction)
    for k, part in enumerate(taken.parts):
        expected = taken.effect(taken.weights[:, k]) @ direction
        assert along[k].sum() == pytest.approx(expected, abs=1e-4), part
    one = np.zeros_like(taken.removal)
    one[:, 3] = taken.weights[:, :, 3].sum(axis=1)
    assert taken.norms[3] == pytest.approx(np.linalg.norm(taken.effect(one)), rel=1e-4)


def test_change_without_a_row_is_that_of_a_fit_without_it(process, kernels):
    taken = Contributions.of(process, kernels, TARGETS, LINE)
    whole = process.predict([TARGETS], kernels, cell_line="K").mean[0]
    for row in (0, 17, 30):
        rest = np.arange(36) != row
        rows = process.rows.subset(np.flatnonzero(rest))
        less = replace(process, rows=rows, mean=[], weights=[], _inverses=[], _effects=[])
        blocks = process.directions.split(process._effects[0])
        for block, covariance in zip(blocks, less._covariances(kernels), strict=True):
            less._solve(block[rest], covariance)
        without = less.predict([TARGETS], kernels, cell_line="K").mean[0]
        change = np.linalg.norm(without - whole)
        assert taken.if_removed[row] == pytest.approx(change, rel=1e-3)


def test_removing_what_carries_a_prediction_changes_it_most(process, kernels):
    taken = Contributions.of(process, kernels, ("g00",), LINE)
    direction = process.predict([("g00",)], kernels, cell_line="K").mean[0]
    carry = np.abs(taken.along(direction).sum(axis=0)).argsort()[::-1]
    of_clique = {f"g{i:02d}" for i in range(1, 5)}
    names = process.rows.targets[process.rows.members.indices]
    assert set(names[carry[:4]]) <= of_clique
    assert taken.if_removed[carry[:4]].mean() > 3 * taken.if_removed[carry[4:]].mean()


def test_a_loaded_process_still_has_its_effects(process, kernels):
    loaded = GeneGaussianProcess.from_dict(process.to_dict())
    expected = training_effects(process, kernels)
    np.testing.assert_allclose(training_effects(loaded, kernels), expected, atol=1e-3)
