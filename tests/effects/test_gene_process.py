"""The Gaussian process against dense algebra, and what it makes of lines and missing genes."""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest

from txpert.effects import _gene_kernels, _variances
from txpert.effects._contexts import Context
from txpert.effects._covariance import Rows
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._layout import Layout
from txpert.effects._left_out import LeftOut
from txpert.effects._measured_effects import MeasuredEffects
from txpert.graph import KnowledgeGraph

GENES = [f"g{i:02d}" for i in range(30)]


@pytest.fixture(scope="module")
def graph():
    """Six cliques of five genes."""
    pairs = [(a, b) for a in range(30) for b in range(a) if a // 5 == b // 5]
    edges = pd.DataFrame(pairs, columns=["source", "target"])
    edges = edges.apply(lambda column: column.map(lambda i: GENES[i]))
    return KnowledgeGraph.from_edges(edges, name="cliques", directed=False)


@pytest.fixture(scope="module")
def kernels(graph):
    return GeneKernels([graph], {}, pd.Index(GENES, dtype=object))


@pytest.fixture(scope="module")
def truth():
    """Effects of genes in two lines, the same within cliques."""
    rng = np.random.default_rng(0)
    of_clique, of_line = rng.normal(size=(6, 40)), rng.normal(size=(2, 40))
    shared = of_clique[np.arange(30) // 5]
    return {"K": shared + of_line[0], "R": shared + of_line[1]}


def measured(truth, genes, line="K", noise=0.3, seed=1, **more):
    rng = np.random.default_rng(seed)
    delta = truth[line][[GENES.index(g) for g in genes]]
    delta = delta + noise * rng.normal(size=delta.shape)
    return MeasuredEffects.of([(g,) for g in genes], delta, cell_line=line, **more)


def joined(*parts):
    return MeasuredEffects.of(
        [names for part in parts for names in part.targets],
        np.concatenate([part.delta for part in parts]),
        cell_line=np.concatenate([part.cell_line for part in parts]).tolist(),
    )


TRAIN = [g for i, g in enumerate(GENES) if i % 5]
TEST = [g for i, g in enumerate(GENES) if i % 5 == 0]


def ask(process, genes, kernels, line="K", **more):
    return process.predict([(g,) for g in genes], kernels, cell_line=line, **more)


def relative_error(predicted, observed):
    return ((predicted - observed) ** 2).sum() / ((observed - observed.mean(axis=0)) ** 2).sum()


def test_posterior_is_that_of_dense_algebra(truth, kernels):
    effects = measured(truth, TRAIN, n_cells=np.arange(1.0, 25.0).tolist())
    process = GeneGaussianProcess.fit(effects, kernels)
    known, asked = pd.Index(TRAIN, dtype=object), pd.Index(TEST, dtype=object)
    within, across = (list(kernels.between(i, known)) for i in (known, asked))
    noise = np.diag(np.median(effects.n_cells) / effects.n_cells)
    u, parts = np.ones((24, 1)), []
    y = process.directions.split(effects.delta)
    for v, block in zip(process.variances, y, strict=True):
        total = v.context.sum()
        covariance = total * sum(w * k for w, k in zip(v.kernels, within, strict=True))
        covariance = covariance + v.own.sum() * np.eye(24) + noise
        precision = np.linalg.inv(covariance)
        mean = np.linalg.solve(u.T @ precision @ u, u.T @ precision @ block)
        cross = total * sum(w * k for w, k in zip(v.kernels, across, strict=True))
        parts.append(mean + cross @ precision @ (block - mean))
    expected = process.directions.join(parts)
    np.testing.assert_allclose(ask(process, TEST, kernels).mean, expected, atol=2e-4)


def test_leaving_one_out_equals_fitting_without_it(truth, kernels):
    effects = measured(truth, TRAIN)
    process = GeneGaussianProcess.fit(effects, kernels)
    left_out = LeftOut.of(process, kernels).predicted
    blocks = process.directions.split(effects.delta)
    rest = np.arange(24) != 3
    known = pd.Index(TRAIN, dtype=object)
    within = list(kernels.between(known, known))
    parts = []
    for v, block in zip(process.variances, blocks, strict=True):
        covariance = v.context.sum() * sum(w * k for w, k in zip(v.kernels, within, strict=True))
        covariance = covariance + (v.own.sum() + 1) * np.eye(24)
        precision = np.linalg.inv(covariance[np.ix_(rest, rest)])
        along = precision.sum(axis=0)
        mean = along @ block[rest] / along.sum()
        parts.append(mean + covariance[3, rest] @ precision @ (block[rest] - mean))
    expected = process.directions.join([part[None] for part in parts])[0]
    np.testing.assert_allclose(left_out[3], expected, atol=1e-3)


def test_leaving_a_perturbation_out_of_all_lines(truth, kernels):
    own = np.random.default_rng(4).normal(size=(len(TRAIN), 40))
    parts = measured(truth, TRAIN), measured(truth, TRAIN, "R", seed=2)
    effects = joined(*(replace(part, delta=part.delta + own) for part in parts))
    process = GeneGaussianProcess.fit(effects, kernels)
    row = LeftOut.of(process, kernels).predicted
    all_rows = LeftOut.of(process, kernels, "perturbation").predicted
    assert np.abs(row - all_rows).max() > 1e-3
    assert relative_error(row, effects.delta) < relative_error(all_rows, effects.delta)


def test_cliques_are_found(truth, kernels):
    process = GeneGaussianProcess.fit(measured(truth, TRAIN), kernels)
    observed = truth["K"][[GENES.index(g) for g in TEST]]
    assert relative_error(ask(process, TEST, kernels).mean, observed) < 0.15


def test_refined_edges_are_tried_beside_the_given_ones(graph):
    genes = pd.Index(GENES, dtype=object)
    walked = ["cliques, diffusion 2", "cliques, diffusion 8"]
    refined = ["cliques, refined, diffusion 2", "cliques, refined, diffusion 8"]
    assert GeneKernels([graph], {}, genes).names == ["cliques, direct", *walked, *refined]
    assert GeneKernels([graph.refine()], {}, genes).names == ["cliques, direct", *walked]


def test_refined_edges_help_against_wrong_ones(truth, graph, monkeypatch):
    pairs = np.random.default_rng(5).integers(0, 30, (60, 2))
    wrong = pd.DataFrame(pairs, columns=["source", "target"]).map(GENES.__getitem__)
    edges = pd.concat([graph.edges[["source", "target"]], wrong[wrong.source != wrong.target]])
    noisy = KnowledgeGraph.from_edges(edges.drop_duplicates(), name="noisy", directed=False)
    genes = pd.Index(GENES, dtype=object)
    observed = truth["K"][[GENES.index(g) for g in TEST]]

    def error():
        kernels = GeneKernels([noisy], {}, genes)
        process = GeneGaussianProcess.fit(measured(truth, TRAIN), kernels)
        return relative_error(ask(process, TEST, kernels).mean, observed)

    with_refined = error()
    monkeypatch.setattr(_gene_kernels, "_walked", lambda graph: [(graph.name, graph)])
    assert with_refined < 0.8 * error()


def test_order_of_rows_and_genes_does_not_matter(truth, kernels):
    effects = measured(truth, TRAIN)
    rng = np.random.default_rng(3)
    rows, genes = rng.permutation(24), rng.permutation(40)
    moved = effects.subset(rows)
    moved = MeasuredEffects.of(moved.targets, moved.delta[:, genes], cell_line="K")
    one, other = (GeneGaussianProcess.fit(e, kernels) for e in (effects, moved))
    expected = ask(one, TEST, kernels).mean[:, genes]
    np.testing.assert_allclose(ask(other, TEST, kernels).mean, expected, atol=0.02)


def test_five_rows_of_a_line_give_its_mean(truth, kernels):
    few = measured(truth, TRAIN[::5], "R", seed=2)
    process = GeneGaussianProcess.fit(joined(measured(truth, TRAIN), few), kernels)
    observed = truth["R"][[GENES.index(g) for g in TEST]]
    error = ((ask(process, TEST, kernels, "R").mean - observed) ** 2).mean()
    assert error < 0.3 * ((few.delta.mean(axis=0) - observed) ** 2).mean()


def test_effects_and_their_squares_have_the_same_likelihood():
    rng = np.random.default_rng(0)
    effects, root = rng.normal(size=(40, 7)), rng.normal(size=(40, 40))
    (narrow, by_narrow), (wide, by_wide) = (
        project(effects)(root @ root.T) for project in (_variances._narrow, _variances._wide)
    )
    assert narrow == pytest.approx(wide)
    np.testing.assert_allclose(by_narrow, by_wide, atol=1e-4 * np.abs(by_narrow).max())


def test_an_unseen_line_gets_what_lines_share(truth, kernels):
    effects = joined(measured(truth, TRAIN), measured(truth, TRAIN, "R", seed=2))
    process = GeneGaussianProcess.fit(effects, kernels)
    predicted = ask(process, TRAIN, kernels, "unseen").mean
    average = effects.delta.reshape(2, 24, 40).mean(axis=0)
    assert relative_error(predicted, average) < 0.2


def test_modalities_may_oppose_each_other(truth, kernels):
    rng = np.random.default_rng(5)
    shared = truth["K"] - truth["K"].mean(axis=0)
    delta = np.concatenate([shared, -shared[:15]]) + 0.3 * rng.normal(size=(45, 40))
    modality = ["CRISPRi"] * 30 + ["CRISPRa"] * 15
    effects = MeasuredEffects.of([(g,) for g in [*GENES, *GENES[:15]]], delta, modality=modality)
    process = GeneGaussianProcess.fit(effects, kernels)
    names = [(g,) for g in GENES[15:]]
    predicted = process.predict(names, kernels, modality="CRISPRa").mean
    assert np.corrcoef(predicted.ravel(), -shared[15:].ravel())[0, 1] > 0.6


def test_missing_entries_are_not_zeros(truth, kernels):
    effects = measured(truth, TRAIN)
    rng = np.random.default_rng(4)
    holes = np.where(rng.random(effects.delta.shape) < 0.2, np.nan, effects.delta + 3)
    process = GeneGaussianProcess.fit(MeasuredEffects.of(effects.targets, holes), kernels)
    predicted = process.predict([(g,) for g in TEST], kernels).mean
    observed = truth["K"][[GENES.index(g) for g in TEST]] + 3
    assert relative_error(predicted, observed) < 0.3


def test_std_is_that_of_errors(truth, kernels):
    process = GeneGaussianProcess.fit(measured(truth, TRAIN, noise=1.0), kernels)
    posterior = ask(process, TEST, kernels, return_std=True)
    observed = measured(truth, TEST, noise=1.0, seed=9).delta
    ratio = ((posterior.mean - observed) ** 2).mean() / (posterior.std**2).mean()
    assert 0.7 < ratio < 1.5
    nothing = ask(process, ["nobody"], kernels, return_std=True)
    assert nothing.specific[0] == 0
    assert posterior.specific.min() > 0.3


def test_combinations_are_sums(truth, kernels):
    process = GeneGaussianProcess.fit(measured(truth, TRAIN), kernels)
    double = process.predict([("g00", "g05")], kernels, cell_line="K").mean[0]
    singles = ask(process, ["g00", "g05"], kernels).mean.sum(axis=0)
    np.testing.assert_allclose(double, singles, atol=1e-4)


def test_saving(truth, kernels):
    effects = joined(measured(truth, TRAIN), measured(truth, TRAIN[::5], "R", seed=2))
    process = GeneGaussianProcess.fit(effects, kernels)
    again = GeneGaussianProcess.from_dict(process.to_dict())
    for line in ("K", "R", "unseen"):
        one, other = (ask(p, TEST, kernels, line, return_std=True) for p in (process, again))
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    left_out = [LeftOut.of(p, kernels).predicted for p in (process, again)]
    np.testing.assert_allclose(*left_out, atol=1e-3)


def test_bad_effects():
    with pytest.raises(ValueError, match="no target"):
        MeasuredEffects.of([()], np.zeros((1, 2)))
    with pytest.raises(ValueError, match="infinite"):
        MeasuredEffects.of([("A",)], np.full((1, 2), np.inf))
    with pytest.raises(ValueError, match="n_cells"):
        MeasuredEffects.of([("A",)], np.zeros((1, 2)), n_cells=0)


def test_a_target_that_is_no_anchor(truth, graph):
    kernels = GeneKernels([graph], {}, pd.Index(GENES[:3], dtype=object))
    with pytest.raises(KeyError, match="anchors"):
        GeneGaussianProcess.fit(measured(truth, GENES[:5]), kernels)


def test_derivatives_of_the_covariance(kernels):
    contexts = [Context(*pair) for pair in product(["K", "R"], ["CRISPRi", "CRISPRa"])] * 3
    targets = [(GENES[i], GENES[(5 * i) % 7]) if i % 4 == 3 else (GENES[i],) for i in range(12)]
    rows = Rows.of(targets, contexts, np.arange(1.0, 13.0))
    between = [rows.of_rows(k) for k in kernels.between(rows.targets, rows.targets)]
    layout = Layout(len(between), len(rows.factors), len(rows.contexts.contexts))
    covariance = rows.parametrized(layout, between)
    rng = np.random.default_rng(0)
    x = 0.3 * rng.normal(size=len(layout.prior(kernels.prior, rows.contexts).center))
    slope = rng.normal(size=(12, 12))
    slope += slope.T
    step = 1e-5 * np.eye(len(x))
    numeric = [np.vdot(slope, covariance(x + e)[0] - covariance(x - e)[0]) / 2e-5 for e in step]
    np.testing.assert_allclose(covariance(x)[1](slope), numeric, rtol=1e-5, atol=1e-6)


def test_kernels_of_single_precision_have_no_negative_eigenvalues(kernels):
    targets = [(a,) for a in GENES] + list(combinations(GENES[:12], 2))
    contexts = [Context(line, "all") for line in ("K", "R") for _ in targets]
    rows = Rows.of(targets * 2, contexts, np.full(2 * len(targets), 50.0))
    between = [rows.of_rows(k) for k in kernels.between(rows.targets, rows.targets)]
    layout = Layout(len(between), len(rows.factors), 2)
    prior = layout.prior(kernels.prior, rows.contexts)
    large = prior.center.copy()
    large[: 1 + len(between)] = prior.bounds[: 1 + len(between), 1]
    large[-2:] = [prior.bounds[-2, 0], 0.0]
    matrix, _ = rows.parametrized(layout, between)(large)
    assert np.linalg.eigvalsh(matrix)[0] > 0
