"""Large fits: matrices on disk and walks in parts give what small ones give."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.linalg import expm

from txpert._computed import LIMIT
from txpert._heat_polynomial import HeatPolynomial
from txpert.effects import _gene_kernels, _gene_process, _heat, _kernel_sources, _posterior
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects
from txpert.effects._refit import refit
from txpert.effects._scratch import Scratch
from txpert.graph import KnowledgeGraph

GENES = pd.Index([f"g{i:02d}" for i in range(40)], dtype=object)


@pytest.fixture(scope="module")
def graph():
    rng = np.random.default_rng(0)
    source, target = rng.integers(40, size=(2, 160))
    return KnowledgeGraph("random", GENES, source, target, rng.random(160).astype(np.float32))


@pytest.fixture(scope="module")
def effects(graph):
    """Singles and a double in two lines, half of the genes."""
    rng = np.random.default_rng(1)
    targets = [(g,) for g in GENES[:20]] + [(GENES[3], GENES[7])]
    lines = [*["K"] * 21, *["R"] * 21]
    return MeasuredEffects.of(targets * 2, rng.normal(size=(42, 15)), cell_line=lines)


def asked_of(process, kernels):
    pairs = list(product([*((g,) for g in GENES), (GENES[1], GENES[30])], ["K", "R", "new"]))
    targets, lines = zip(*pairs, strict=True)
    options = {"return_std": True, "return_specific": True}
    return process.predict(targets, kernels, cell_line=lines, **options)


@pytest.fixture(scope="module")
def small(graph, effects):
    kernels = GeneKernels([graph], {}, GENES[:20])
    process = GeneGaussianProcess.fit(effects, kernels)
    return process, kernels, asked_of(process, kernels)


@pytest.mark.parametrize(
    "limits",
    [
        [(_posterior, "_CHUNK", 7)],
        [(_gene_kernels, "_ENTRIES", 100)],
        [(_kernel_sources, "_LITTLE", 1_000)],
        [(_kernel_sources, "_LITTLE", 0), (_kernel_sources, "_MOST_KEPT", 0)],
    ],
    ids=["rows of a posterior", "entries of kernels", "genes walked later", "all walked anew"],
)
def test_parts_give_what_the_whole_gives(graph, small, monkeypatch, limits):
    for module, name, value in limits:
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr("txpert._heat_polynomial._COLUMNS", 3)
    process, _, expected = small
    found = asked_of(process, GeneKernels([graph], {}, GENES[:20]))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_fit_diffuses_between_anchors_and_a_prediction_of_all_genes_once(graph, monkeypatch):
    monkeypatch.setattr(_kernel_sources, "_LITTLE", 2 * 8**2)
    walked = []
    walk = HeatPolynomial.columns

    def counted(self, start, rows=None):
        walked.append((len(start), self.n_nodes if rows is None else len(rows)))
        return walk(self, start, rows)

    monkeypatch.setattr(HeatPolynomial, "columns", counted)
    kernels, anchors = GeneKernels([graph], {}, GENES[:8]), GENES[:8]
    n_walks, weights = len(kernels._diffusions), np.ones((1, len(kernels.names)))
    kernels.mixtures(anchors, anchors, weights)
    kernels.mixtures(anchors[:3], anchors[2:], weights)
    assert walked == [(8, 8)] * n_walks
    kernels.mixtures(GENES[8:14], anchors, weights)  # few: walks start from these
    assert walked[n_walks:] == [(6, 8)] * n_walks
    for others in (GENES[14:], GENES):
        kernels.mixtures(others, anchors, weights)
    assert walked[2 * n_walks :] == [(8, len(GENES))] * n_walks


def test_matrices_on_disk_give_the_same_fit_and_spread(graph, effects, small, monkeypatch):
    for module in (_posterior, _gene_process):
        monkeypatch.setattr(module, "SINGLE", 10)
    process, _, expected = small
    kernels = GeneKernels([graph], {}, GENES[:20])
    large = refit(process, effects, kernels)
    assert large._inverses == []
    for one, other in zip(asked_of(large, kernels), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)


def test_only_what_is_asked_for_is_computed(small):
    process, kernels, _ = small
    found = process.predict([("g00",)], kernels, return_mean=False, return_specific=True)
    assert found.mean is None
    assert found.std is None
    assert found.specific.shape == (1,)


def test_walks_are_the_exponential():
    rng = np.random.default_rng(0)
    dense = rng.random((12, 12)) * (rng.random((12, 12)) < 0.3)
    dense = dense + dense.T
    root = np.sqrt(dense.sum(axis=0))
    dense /= np.outer(root, root)
    walks = HeatPolynomial(sparse.csr_array(dense), (0.5, 8.0), 1e-9)
    for time, found in zip((0.5, 8.0), walks.columns(np.array([5, 0, 11])), strict=True):
        np.testing.assert_allclose(
            found, expm(-time * (np.eye(12) - dense))[:, [5, 0, 11]], atol=1e-6
        )
    some = walks.columns(np.array([5, 0]), np.array([3, 1]))
    np.testing.assert_array_equal(some, walks.columns(np.array([5, 0]))[:, [3, 1]])
    start = rng.normal(size=(12, 70)).astype(np.float32)
    np.testing.assert_allclose(
        walks.apply(start)[1], expm(-8 * (np.eye(12) - dense)) @ start, atol=1e-5
    )


def test_walks_on_no_edge_stay_where_they_are():
    walks = HeatPolynomial(sparse.csr_array((3, 3)), (1.0,), 1e-9)
    np.testing.assert_allclose(walks.columns(np.arange(3))[0], np.exp(-1) * np.eye(3), atol=1e-6)


def test_scratch_returns_what_was_written():
    values = np.random.default_rng(0).random((2, 5, 5)).astype(np.float32)
    with Scratch(2, 5) as scratch:
        for rows in (slice(0, 3), slice(3, 6)):
            scratch.write(rows, values[:, rows])
        assert all(np.array_equal(scratch.read(i), values[i]) for i in range(2))
        scratch.write_one(1, np.asfortranarray(values[0] + values[0].T))
        assert np.array_equal(scratch.read(1), values[0] + values[0].T)


def test_what_walks_gave_is_read_from_disk(graph, monkeypatch, tmp_path):
    monkeypatch.setenv("TXPERT_CACHE", str(tmp_path))
    monkeypatch.setenv(LIMIT, "1")
    monkeypatch.setattr(_heat, "_STORED", (0, 10**6))
    first = GeneKernels([graph], {}, GENES[:20]).between(GENES, GENES[:20])
    monkeypatch.setattr(HeatPolynomial, "columns", None)
    monkeypatch.setattr(HeatPolynomial, "apply", None)
    again = GeneKernels([graph], {}, GENES[:20]).between(GENES, GENES[:20])
    np.testing.assert_array_equal(first, again)
    with pytest.raises(TypeError):
        GeneKernels([graph], {}, GENES[:21]).between(GENES, GENES[:20])
