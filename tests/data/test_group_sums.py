"""Means of rows, and rows that are filled by them."""

import numpy as np
import pytest

from txpert.data._group_sums import filled_by_mean

VALUES = np.array([[1.0, np.nan, np.nan], [4.0, 2.0, np.nan], [np.nan, 6.0, np.nan]])


@pytest.mark.parametrize(
    ("weight", "otherwise", "expected"),
    [
        (None, 0.0, [[1, 4, 0], [4, 2, 0], [2.5, 6, 0]]),
        (np.array([2, 1, 3]), 0.0, [[1, 5, 0], [4, 2, 0], [2, 6, 0]]),
        (None, np.array([7.0, 8.0, 9.0]), [[1, 4, 9], [4, 2, 9], [2.5, 6, 9]]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_was_not_measured_has_the_mean_over_rows(weight, otherwise, expected, dtype):
    otherwise = otherwise if np.isscalar(otherwise) else otherwise.astype(dtype)
    found = filled_by_mean(VALUES.astype(dtype), weight, otherwise)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_complete_rows_come_back_as_they_are():
    values = np.ones((2, 3), dtype=np.float32)
    assert filled_by_mean(values) is values
