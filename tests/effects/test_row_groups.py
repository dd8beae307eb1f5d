"""Groups of rows that variances are fitted to."""

from contextlib import contextmanager
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpert.effects import _row_groups
from txpert.effects._contexts import Context
from txpert.effects._covariance import Rows
from txpert.effects._fit_blocks import fit_blocks
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects
from txpert.effects._row_groups import groups_of, row_groups
from txpert.graph import KnowledgeGraph

GENES = pd.Index([f"g{i:02d}" for i in range(60)], dtype=object)


def rows_of(targets, lines=1):
    contexts = [Context(f"line {line}", "all") for line in range(lines) for _ in targets]
    return Rows.of([(t,) for t in targets] * lines, contexts, np.ones(lines * len(targets)))


@contextmanager
def at_most(targets, rows=1_000):
    """Make groups of no more."""
    with mock.patch.multiple(_row_groups, _MOST_TARGETS=targets, _MOST_ROWS=rows):
        yield


@given(n=st.integers(1, 60), most=st.integers(1, 30), lines=st.integers(1, 3))
def test_every_row_is_in_one_group(n, most, lines):
    rows = rows_of(GENES[:n], lines)
    with at_most(targets=most):
        groups = groups_of(rows)
    assert sorted(np.concatenate(groups)) == list(range(len(rows)))
    assert len(groups) == -(-n // most)
    assert max(map(len, groups)) - min(map(len, groups)) <= 1
    assert all((np.diff(group) > 0).all() for group in groups)


def test_many_lines_make_more_groups():
    rows = rows_of(GENES, lines=3)
    with at_most(targets=60, rows=50):
        groups = groups_of(rows)
    assert [len(group) for group in groups] == [45] * 4


def test_lines_of_a_perturbation_are_in_one_group():
    rows = rows_of(GENES, lines=2)
    with at_most(targets=20):
        groups = groups_of(rows)
    for group in groups:
        target = group % len(GENES)
        assert (np.unique(target, return_counts=True)[1] == 2).all()


def test_a_group_is_spread_over_the_targets():
    rows = rows_of(GENES)
    with at_most(targets=20):
        groups = groups_of(rows)
    assert [group[:2].tolist() for group in groups] == [[0, 3], [1, 4], [2, 5]]


@pytest.fixture(scope="module")
def kernels():
    source = np.arange(59)
    ends = np.concatenate([source, source + 1]), np.concatenate([source + 1, source])
    graph = KnowledgeGraph("path", GENES, *ends, np.ones(118, dtype=np.float32))
    return GeneKernels([graph], {}, GENES)


@pytest.fixture(scope="module")
def effects():
    steps = np.random.default_rng(0).normal(size=(60, 30)).cumsum(axis=0)
    noise = np.random.default_rng(1).normal(size=(60, 30))
    return MeasuredEffects.of([(gene,) for gene in GENES], steps + noise)


def fit(effects, kernels, most, **options):
    with at_most(targets=most):
        return GeneGaussianProcess.fit(effects, kernels, **options)


def test_groups_find_nearly_the_variances_of_all_rows(effects, kernels):
    whole, half, third = (fit(effects, kernels, most) for most in (60, 30, 20))
    exact, grouped, coarse = (p.predict([("g30",)], kernels).mean for p in (whole, half, third))
    size = np.abs(exact).max()
    assert np.abs(grouped - exact).max() < 0.1 * size
    assert np.abs(coarse - exact).max() < 0.2 * size
    np.testing.assert_allclose(half.noise.sum(), whole.noise.sum(), rtol=0.3)


@pytest.mark.parametrize("changed", [0, 1])
def test_effects_of_every_group_count_for_the_variances(effects, kernels, changed):
    def total(delta):
        with at_most(targets=30):
            groups = row_groups(rows_of(GENES), kernels, [delta])
        return fit_blocks(groups, kernels.prior, [29])[0, 0]

    noisy = effects.delta.copy()
    noisy[changed::2] += 20 * np.random.default_rng(2).normal(size=(30, 30))
    assert total(noisy) < total(effects.delta) - 0.5


def test_a_fit_that_begins_from_another_ends_where_it_would_have(effects, kernels):
    cold = fit(effects, kernels, 60)
    fewer = MeasuredEffects.of(effects.targets[:50], effects.delta[:50])
    known = fit(fewer, kernels.among(GENES[:50]), 60).fitted_variances
    evaluations = {"cold": 0, "warm": 0}
    for name, earlier in (("cold", None), ("warm", known)):
        deviance = _row_groups.RestrictedLikelihood.deviance

        def counted(self, x, name=name, deviance=deviance):
            evaluations[name] += 1
            return deviance(self, x)

        with mock.patch.object(_row_groups.RestrictedLikelihood, "deviance", counted):
            found = fit(effects, kernels, 60, earlier=earlier)
    asked = [("g10",), ("g55",)]
    expected = cold.predict(asked, kernels).mean
    size = np.abs(expected).max()
    assert np.abs(found.predict(asked, kernels).mean - expected).max() < 0.05 * size
    assert evaluations["warm"] < evaluations["cold"]
