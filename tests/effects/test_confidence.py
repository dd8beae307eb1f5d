"""Left-out rows against dense algebra, and calibration on effects drawn from the process."""

import numpy as np
import pandas as pd
import pytest

from txpert.effects._confidence import Confidence
from txpert.effects._contexts import Context
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._left_out import LeftOut
from txpert.effects._measured_effects import MeasuredEffects
from txpert.graph import KnowledgeGraph
from txpert.metrics import pearson_delta

N, SIZE = 180, 6
GENES = [f"g{i:03d}" for i in range(N)]
TRAIN = [i for i in range(N) if i % 6 or i < 60]
TEST = [i for i in range(N) if i not in TRAIN]


@pytest.fixture(scope="module")
def kernels():
    """Thirty cliques of six genes; the last ten have no edges at all."""
    pairs = [(GENES[a], GENES[b]) for a in range(120) for b in range(a) if a // SIZE == b // SIZE]
    edges = pd.DataFrame(pairs, columns=["source", "target"])
    graph = KnowledgeGraph.from_edges(edges, name="cliques", directed=False)
    train = pd.Index([GENES[i] for i in TRAIN], dtype=object)
    return GeneKernels([graph], {}, train)


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(30, 50))[np.arange(N) // SIZE] + rng.normal(size=50)
    return shared + 0.5 * rng.normal(size=(N, 50))


@pytest.fixture(scope="module")
def process(kernels, truth):
    effects = MeasuredEffects.of([(GENES[i],) for i in TRAIN], truth[TRAIN], cell_line="K")
    return GeneGaussianProcess.fit(effects, kernels)


@pytest.fixture(scope="module")
def confidence(process, kernels):
    return Confidence.fit(process, kernels)


def test_variance_explained_is_that_without_the_row(process, kernels):
    found = LeftOut.of(process, kernels)
    rest = np.arange(len(TRAIN)) != 5
    known = prior = 0.0
    noise = np.eye(len(TRAIN) - 1)
    genes = pd.Index([GENES[i] for i in TRAIN], dtype=object)
    for v, size in zip(process.variances, process.noise.sum(axis=1), strict=True):
        (mixture,) = kernels.mixtures(genes, genes, v.kernels[None])
        covariance = v.context.sum() * mixture + v.own.sum() * np.eye(len(genes))
        whole = covariance[np.ix_(rest, rest)] + v.mean.sum() + noise  # v.mean: of the line
        inverse = np.linalg.inv(whole)
        known += size * covariance[5, rest] @ inverse @ covariance[5, rest]
        prior += size * (v.kernels.sum() * v.context.sum() + v.own.sum())
    assert found.specific[5] == pytest.approx(known / prior, abs=1e-3)


def test_leaving_groups_out_equals_leaving_rows_out_where_they_are_single(process, kernels):
    one, other = (LeftOut.of(process, kernels, leave) for leave in ("row", "perturbation"))
    for name in ("predicted", "std", "specific", "support"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-4)


def test_two_lines_are_left_out_together(kernels, truth):
    some = TRAIN[:40]
    effects = MeasuredEffects.of(
        [(GENES[i],) for i in some * 2],
        np.concatenate([truth[some], truth[some] + 0.3]),
        cell_line=["K"] * 40 + ["R"] * 40,
    )
    process = GeneGaussianProcess.fit(effects, kernels)
    row, both = (LeftOut.of(process, kernels, leave) for leave in ("row", "perturbation"))
    assert (row.specific >= both.specific - 1e-5).all()
    assert row.specific.mean() > both.specific.mean() + 0.01


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_intervals_cover_as_often_as_stated(process, kernels, confidence, truth, level):
    asked = [(GENES[i],) for i in TEST]
    posterior = process.predict(asked, kernels, cell_line="K", return_std=True)
    reach = confidence.quantile(level) * posterior.std
    covered = (np.abs(truth[TEST] - posterior.mean) <= reach).mean()
    assert covered == pytest.approx(level, abs=0.08)


def test_expected_score_tells_good_predictions_from_bad_ones(process, kernels, confidence, truth):
    asked = [(GENES[i],) for i in TEST]
    expected = confidence.expected(process, kernels, asked, [Context("K", "all")] * len(asked))
    predicted = process.predict(asked, kernels, cell_line="K").mean
    achieved = pearson_delta(predicted, truth[TEST])
    assert np.corrcoef(expected, achieved)[0, 1] > 0.5
    assert expected.mean() == pytest.approx(achieved.mean(), abs=0.1)
    sure = expected.argsort()[len(expected) // 3 :]
    assert achieved[sure].mean() > achieved.mean()


def test_expected_scores_do_not_extrapolate(kernels, truth):
    linked = [i for i in TRAIN if i < 60]
    rows = MeasuredEffects.of([(GENES[i],) for i in linked], truth[linked], cell_line="K")
    among = kernels.among(pd.Index([GENES[i] for i in linked], dtype=object))
    process = GeneGaussianProcess.fit(rows, among)
    confidence = Confidence.fit(process, among)
    context = [Context("K", "all")]
    alone = confidence.expected(process, among, [("nowhere",)], context)
    x = (confidence.limits - confidence.center) / confidence.spread
    slopes = confidence.coefficients[1:]
    low = confidence.coefficients[0] + np.minimum(x[0] * slopes, x[1] * slopes).sum()
    assert low - 1e-6 <= alone[0] < 1
    assert alone[0] > -1


@pytest.mark.parametrize("n", [9, 8])
def test_intervals_are_conformal_or_refused(kernels, truth, n):
    some = TRAIN[:n]
    effects = MeasuredEffects.of([(GENES[i],) for i in some], truth[some], cell_line="K")
    found = Confidence.fit(GeneGaussianProcess.fit(effects, kernels), kernels)
    if n == 9:
        np.testing.assert_array_equal(found.quantile(0.9), found.scores.max(axis=0))
        return
    with pytest.raises(ValueError, match=r"at least 9 .* there are 8; interval=0\.88 is the most"):
        found.quantile(0.9)
    found.quantile(0.88)


@pytest.mark.parametrize("lines", [1, 3])
def test_one_perturbation_tells_nothing(kernels, truth, lines):
    effects = MeasuredEffects.of(
        [(GENES[0],)] * lines, truth[:lines], cell_line=[f"K{i}" for i in range(lines)]
    )
    process = GeneGaussianProcess.fit(effects, kernels)
    found = Confidence.fit(process, kernels)
    contexts = [Context("K0", "all")] * 2
    expected = found.expected(process, kernels, [(GENES[1],), (GENES[150],)], contexts)
    assert np.isnan(expected).all()
    with pytest.raises(ValueError, match=r"there are 1\.$"):
        found.quantile(0.5)
