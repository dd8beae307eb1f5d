import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from txpert.metrics import _arrays as arrays
from txpert.metrics import centroid_accuracy, retrieval
from txpert.metrics._retrieval import retrieval_scores

SIMILARITY = {
    "pearson": lambda a, b: stats.pearsonr(a, b)[0],
    "cosine": lambda a, b: 1 - distance.cosine(a, b),
}


def share_by_definition(pred, truth, better, reference=()):
    """Share of other observations that are no better match of a prediction than its own."""
    everything = [*truth, *reference]
    return [
        np.mean([better(p, truth[i], q) for j, q in enumerate(everything) if j != i])
        for i, p in enumerate(pred)
    ]


@pytest.mark.parametrize("by", SIMILARITY)
@pytest.mark.parametrize("block", [1, 100, 2**21])
def test_retrieval_agrees_with_its_definition(random_deltas, monkeypatch, by, block):
    monkeypatch.setattr(arrays, "_BLOCK_VALUES", block)
    pred, truth = random_deltas()
    pred, truth = pred - 0.7 * truth + 1, truth + 1
    reference = random_deltas(seed=1)[1]
    r = SIMILARITY[by]

    def better(p, own, other):
        return r(p, own) >= r(p, other)

    for others in ((), reference):
        scores = retrieval(pred, truth, reference=others if len(others) else None, by=by)
        np.testing.assert_allclose(scores, share_by_definition(pred, truth, better, others))
        assert 0 < scores.mean() < 1


def test_retrieval_worked_by_hand():
    truth = np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]])
    pred = np.array([[1.0, 0, 0, 0], [1.0, 0.5, 0, 0], [0, 2.0, 0.5, 1.0]])
    assert retrieval(pred, truth).tolist() == [1.0, 0.5, 0.5]


def test_cosine_and_pearson_differ_by_the_shift():
    truth = np.array([[1.0, 1.0, 1.2], [0.5, -0.5, 0.0]])
    pred = np.array([[1.0, 0.9, 0.9], [0.5, -0.5, 0.0]])
    assert retrieval(pred, truth).tolist() == [0.0, 1.0]
    assert retrieval(pred, truth, by="cosine").tolist() == [1.0, 1.0]


def test_fast_retrieval_is_unbiased_seeded_and_exact_when_the_sample_is_everyone(random_deltas):
    pred, truth = random_deltas(n=60)
    pred = pred - 0.8 * truth
    exact = retrieval(pred, truth)
    np.testing.assert_array_equal(retrieval(pred, truth, n_sampled=59), exact)
    np.testing.assert_array_equal(retrieval(pred, truth, n_sampled=500), exact)
    fast = [retrieval(pred, truth, n_sampled=20, seed=s) for s in range(200)]
    np.testing.assert_allclose(np.mean(fast, axis=0), exact, atol=0.03)
    assert not np.array_equal(fast[0], fast[1])
    np.testing.assert_array_equal(fast[3], retrieval(pred, truth, n_sampled=20, seed=3))


def test_a_sample_has_exactly_the_number_asked_for(random_deltas):
    pred, truth = random_deltas(n=30)
    shares = retrieval(pred - 0.9 * truth, truth, n_sampled=7)
    np.testing.assert_allclose(shares * 7, np.round(shares * 7), atol=1e-12)
    assert len(np.unique(shares)) > 2


def test_one_pass_gives_what_two_calls_do(random_deltas, monkeypatch):
    pred, truth = random_deltas(n=40)
    pred[3] = 0
    options = {"reference": random_deltas(seed=1)[1], "by": "cosine", "seed": 4}
    monkeypatch.setattr(arrays, "_BLOCK_VALUES", 500)
    both = retrieval_scores(pred, truth, n_sampled=9, **options)
    assert list(both) == ["retrieval", "retrieval_fast"]
    np.testing.assert_array_equal(both["retrieval"], retrieval(pred, truth, **options))
    monkeypatch.setattr(arrays, "_BLOCK_VALUES", 2**21)
    np.testing.assert_array_equal(
        both["retrieval_fast"], retrieval(pred, truth, n_sampled=9, **options)
    )


def test_chance_is_one_half():
    pred, truth = np.random.default_rng(0).normal(size=(2, 300, 20))
    assert retrieval(pred, truth).mean() == pytest.approx(0.5, abs=0.05)
    assert retrieval(pred, truth, by="cosine").mean() == pytest.approx(0.5, abs=0.05)
    same = np.repeat(pred[:1], 300, axis=0)
    assert retrieval(same, truth).mean() == pytest.approx(0.5, abs=0.01)
    assert centroid_accuracy(same, truth).mean() == pytest.approx(0.5, abs=0.01)


def test_centroid_accuracy_agrees_with_its_definition(random_deltas):
    pred, truth = random_deltas()
    pred = pred - 0.7 * truth
    reference = random_deltas(seed=1)[1]

    def better(p, own, other):
        return distance.euclidean(p, own) < distance.euclidean(p, other)

    for others in (None, reference):
        expected = share_by_definition(pred, truth, better, () if others is None else others)
        np.testing.assert_allclose(centroid_accuracy(pred, truth, reference=others), expected)
        shifted = centroid_accuracy(
            pred + 50, truth + 50, reference=None if others is None else others + 50
        )
        np.testing.assert_allclose(shifted, expected)
        assert 0 < np.mean(expected) < 1


def test_centroid_accuracy_depends_on_size_and_ties_are_misses():
    truth = np.array([[1.0, 0.0], [3.0, 0.0]])
    assert centroid_accuracy(truth, truth).tolist() == [1.0, 1.0]
    assert centroid_accuracy(3 * truth, truth).tolist() == [0.0, 1.0]
    assert centroid_accuracy([[2.0, 5.0], [2.0, 5.0]], truth).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("n", "n_genes"), [(137, 30), (513, 77), (601, 300)])
@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
def test_equal_observations_are_ties_however_many(n, n_genes, scale):
    rng = np.random.default_rng(0)
    truth = np.tile(scale * rng.normal(size=n_genes), (n, 1))
    pred = scale * rng.normal(size=(n, n_genes))
    mask = rng.random(n_genes) < 0.9
    for options in ({}, {"genes": mask}, {"reference": truth, "reference_genes": None}):
        for by in SIMILARITY:
            assert (retrieval(pred, truth, by=by, **options) == 1).all()
            assert (retrieval(pred, truth, by=by, n_sampled=9, **options) == 1).all()
        assert (centroid_accuracy(pred, truth, **options) == 0).all()
    published = retrieval(pred, truth, as_published=True)
    assert (published == (n - 1) / n).all()


def test_what_differs_by_more_than_rounding_is_no_tie():
    common = np.random.default_rng(0).normal(size=300)
    truth = common + 1e-4 * np.eye(200, 300)
    another = np.roll(truth, 1, axis=0)
    assert (centroid_accuracy(truth, truth) == 1).all()
    assert (centroid_accuracy(another, truth) == 0).all()  # as far from all but the one it is
    for by in SIMILARITY:
        assert (retrieval(truth, truth, by=by) == 1).all()
        assert (retrieval(another, truth, by=by) < 1).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_undefined_is_nan_and_not_compared_with(random_deltas, bad):
    pred, truth = random_deltas(n=5)
    pred[1, 0], truth[2, 0] = bad, bad
    rest = [0, 3, 4]
    for metric in (retrieval, centroid_accuracy):
        scores = metric(pred, truth)
        assert np.isnan(scores).tolist() == [False, True, True, False, False]
        alone = metric(pred[rest], truth[rest], reference=truth[[1]])
        np.testing.assert_allclose(scores[rest], alone)


def test_constant_rows_and_a_single_condition_are_undefined():
    truth, pred = np.random.default_rng(0).normal(size=(2, 4, 9))
    pred[1] = 0.1
    truth[2] = 0.0
    assert np.isnan(retrieval(pred, truth)).tolist() == [False, True, True, False]
    assert np.isnan(retrieval(pred, truth, by="cosine")).tolist() == [False, False, True, False]
    assert not np.isnan(centroid_accuracy(pred, truth)).any()
    for metric in (retrieval, centroid_accuracy):
        assert np.isnan(metric(pred[:1], truth[:1])).all()
        assert metric(pred[:0], truth[:0]).shape == (0,)


def test_input_that_does_not_fit(random_deltas):
    pred, truth = random_deltas()
    with pytest.raises(ValueError, match="reference must have 30 genes"):
        retrieval(pred, truth, reference=truth[:, :3])
    with pytest.raises(ValueError, match="reference must have 30 genes"):
        centroid_accuracy(pred, truth, reference=truth[0])
    with pytest.raises(ValueError, match="n_sampled must be a whole number of at least 1, not 0"):
        retrieval(pred, truth, n_sampled=0)
    with pytest.raises(ValueError, match="n_sampled must be a whole number of at least 1, not -1"):
        retrieval_scores(pred, truth, n_sampled=-1)
    with pytest.raises(ValueError, match="by must be 'pearson' or 'cosine', not 'l2'"):
        retrieval(pred, truth, by="l2")


def test_as_the_published_implementation_counts():
    truth = np.random.default_rng(0).normal(size=(20, 8))
    np.testing.assert_allclose(retrieval(truth, truth, as_published=True), 19 / 20)
    pred = np.where(np.arange(20)[:, None] == 3, 1.0, truth)  # a constant: undefined
    found = retrieval(pred, truth, as_published=True)
    assert found[3] == 0
    assert np.delete(found, 3) == pytest.approx(19 / 20)
    some = retrieval(truth, truth, as_published=True, n_sampled=5)
    assert sorted(set(some.round(6))) == [0.8, 1.0]  # 0.8 where the query itself was drawn
    assert (some == 0.8).sum() == 5
