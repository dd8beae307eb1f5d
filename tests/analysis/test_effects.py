import numpy as np
import pandas as pd
import pytest

from txpert._analysis._effects import effect_size, effect_table, signature_score, with_tests
from txpert._analysis._layout import leaf_order, two_coordinates

GENES = pd.Index(["A", "B", "C"])


def test_size_and_signature_by_hand():
    delta = np.array([[3, 4, np.nan], [1, -1, 2]])
    np.testing.assert_allclose(effect_size(delta), [np.sqrt(12.5), np.sqrt(2)])
    np.testing.assert_allclose(signature_score(delta, GENES, {"A": 2, "B": -1}), [2 / 3, 1])
    with pytest.raises(ValueError, match="None of the 1 genes"):
        signature_score(delta, GENES, ["X"])


def test_p_values_by_hand():
    table = effect_table(GENES, np.array([1.96, 0, 60]), ["B"], std=np.ones(3))
    tested = with_tests(table)
    assert tested.loc["A", "minus_log10_p"] == pytest.approx(-np.log10(0.05), abs=1e-3)
    assert tested.loc["B", "minus_log10_p"] == pytest.approx(0)
    assert np.isfinite(tested.loc["C", "minus_log10_p"])  # P itself is 0 in double precision
    np.testing.assert_allclose(tested["fdr"], [0.075, 1, 0], atol=1e-3)
    assert tested["target"].tolist() == [False, True, False]


def test_leaves_put_similar_rows_together():
    values = np.array([[1.0, 0], [0, 1], [1, 0.1], [0.1, 1], [0, 0]])
    order = leaf_order(values).tolist()
    assert abs(order.index(0) - order.index(2)) == abs(order.index(1) - order.index(3)) == 1
    assert leaf_order(values[:1]).tolist() == [0]


def test_coordinates_are_principal_components():
    x = np.array([[-2.0, 0, 0], [2, 0, 0], [0, 1, 0], [0, -1, 0]])
    place, fraction = two_coordinates(x)
    np.testing.assert_allclose(fraction, [0.8, 0.2])
    np.testing.assert_allclose(np.abs(place[:, 0]), [2, 2, 0, 0], atol=1e-12)
    place, fraction = two_coordinates(np.ones((1, 3)))
    assert place.tolist() == [[0, 0]]
    assert fraction.tolist() == [0, 0]
