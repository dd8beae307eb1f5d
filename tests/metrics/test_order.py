"""Scores of any values: bounds, and no influence of the order of conditions and genes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import txpert as tx

DELTAS = arrays(np.float64, (2, 4, 6), elements=st.floats(-8, 8, width=32))
BOUNDS = {
    "pearson_delta": (-1, 1),
    "spearman_delta": (-1, 1),
    "cosine_delta": (-1, 1),
    "direction_accuracy": (0, 1),
    "retrieval": (0, 1),
    "centroid_accuracy": (0, 1),
    "mse": (0, 256),
    "rmse": (0, 16),
    "mae": (0, 16),
}


@pytest.mark.parametrize("name", BOUNDS)
@given(deltas=DELTAS)
@settings(max_examples=20)
def test_scores_lie_within_their_bounds(name, deltas):
    low, high = BOUNDS[name]
    scores = getattr(tx.metrics, name)(*deltas)
    assert scores.shape == (4,)
    known = scores[~np.isnan(scores)]
    assert ((known >= low - 1e-9) & (known <= high + 1e-9)).all()


# Ranks and comparisons follow rounding where values nearly tie.
@pytest.mark.parametrize("name", ["pearson_delta", "cosine_delta", "mse", "mae"])
@given(deltas=DELTAS, random=st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_the_order_of_conditions_and_genes_has_no_influence(name, deltas, random):
    score = getattr(tx.metrics, name)
    rows, genes = list(range(4)), list(range(6))
    random.shuffle(rows)
    random.shuffle(genes)
    moved = score(*deltas[:, rows][:, :, genes])
    want = score(*deltas)[rows]
    both = ~np.isnan(moved) & ~np.isnan(want)
    np.testing.assert_allclose(moved[both], want[both], rtol=1e-6, atol=1e-9)
