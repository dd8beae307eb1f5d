import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, roc_auc_score

from txpert.metrics import de_auprc, de_auroc, direction_accuracy, pearson_delta, top_genes

DE_METRICS = {de_auroc: roc_auc_score, de_auprc: average_precision_score}
SCORES = hnp.arrays(
    float,
    st.tuples(st.integers(1, 4), st.integers(1, 9)),
    elements=st.one_of(
        st.integers(-2, 2).map(float), st.floats(allow_nan=True, allow_infinity=True)
    ),
)


@given(scores=SCORES, data=st.data())
def test_top_genes_are_the_first_of_a_stable_sort(scores, data):
    k = data.draw(st.integers(1, scores.shape[1]))
    for row, mask in zip(scores, top_genes(scores, k), strict=True):
        order = np.argsort(np.where(np.isnan(row), np.inf, -np.abs(row)), kind="stable")
        order = [gene for gene in order if not np.isnan(row[gene])][:k]
        assert sorted(order) == np.flatnonzero(mask).tolist()


def test_top_genes_of_bad_input():
    with pytest.raises(ValueError, match="k must be from 1 to the 4 genes there are, not 5"):
        top_genes(np.zeros((2, 4)), 5)
    with pytest.raises(ValueError, match="not 0"):
        top_genes(np.zeros((2, 4)), 0)
    with pytest.raises(ValueError, match=r"conditions × genes, not of shape \(4,\)"):
        top_genes(np.zeros(4), 2)


def test_correlation_over_the_top_genes_uses_those_of_each_condition():
    truth = np.array([[9.0, 8.0, 7.0, 0, 0, 0], [0, 0, 0, 7.0, -8.0, 9.0]])
    pred = np.array([[9.0, 8.0, 7.0, 50, 0, 50], [50, 0, 50, 7.0, -8.0, 9.0]])
    assert (pearson_delta(pred, truth) < 0.9).all()
    np.testing.assert_allclose(pearson_delta(pred, truth, genes=top_genes(truth, 3)), 1)


def test_direction_worked_by_hand():
    truth = np.array([[1.0, -1.0, 2.0, 0.0], [1.0, -1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0]])
    pred = np.array([[5.0, 1.0, 0.0, 1.0], [0.1, -9.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
    np.testing.assert_allclose(direction_accuracy(pred, truth), [1 / 3, 3 / 4, np.nan])
    mask = np.array([[True, True, False, True], [True, True, False, False], [True] * 4])
    np.testing.assert_allclose(direction_accuracy(pred, truth, genes=mask), [0.5, 1, np.nan])


@pytest.mark.parametrize("metric", DE_METRICS)
@pytest.mark.parametrize("digits", [0, 1, 8])
def test_agrees_with_sklearn_with_and_without_ties(random_deltas, metric, digits):
    pred = np.round(random_deltas(n=25)[0], digits)
    de = np.random.default_rng(1).random(pred.shape) < np.linspace(0.1, 0.9, 25)[:, None]
    expected = [DE_METRICS[metric](d, np.abs(p)) for p, d in zip(pred, de, strict=True)]
    np.testing.assert_allclose(metric(pred, de), expected)
    np.testing.assert_allclose(metric(-pred, de), expected)


@pytest.mark.parametrize("metric", DE_METRICS)
def test_no_or_only_de_genes_and_nan_are_undefined(random_deltas, metric):
    pred = random_deltas(n=4)[0]
    de = np.abs(pred) > 1
    de[1], de[2], pred[3, 4] = False, True, np.nan
    assert np.isnan(metric(pred, de)).tolist() == [False, True, True, True]
    assert metric(pred, de)[0] == 1


@pytest.mark.parametrize("metric", DE_METRICS)
def test_a_prediction_of_no_change_is_chance(metric):
    de = np.arange(10) < 3
    chance = metric(np.zeros((1, 10)), de[None])
    assert chance == pytest.approx(0.5 if metric is de_auroc else 0.3)


@pytest.mark.parametrize("metric", DE_METRICS)
@pytest.mark.parametrize("de", [np.ones((2, 5)), np.ones((2, 4), bool), None])
def test_de_genes_must_be_a_mask(metric, de):
    with pytest.raises(ValueError, match=r"boolean and have the shape \(2, 5\)"):
        metric(np.zeros((2, 5)), de)
