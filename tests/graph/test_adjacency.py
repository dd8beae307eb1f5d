"""The normalized adjacency, which spectral embeddings and heat kernels share."""

import numpy as np

from txpert.effects._heat import HeatKernel
from txpert.graph import KnowledgeGraph, to_scipy
from txpert.graph._adjacency import normalized, symmetrized
from txpert.graph._spectral import _normalized

PATH = KnowledgeGraph("path", [*"ABCD", "alone"], [0, 1, 1, 2], [1, 0, 2, 3], [1.0, 4.0, 5.0, 2.0])


def test_the_heavier_direction_counts():
    matrix, degree = symmetrized(PATH)
    given = to_scipy(PATH).toarray()
    np.testing.assert_array_equal(matrix.toarray(), np.maximum(given, given.T))
    assert degree.tolist() == [4, 9, 7, 2, 0]
    scaled = normalized(matrix, np.array([1.0, 2, 3, 4, 5])).toarray()
    np.testing.assert_array_equal(
        scaled, np.maximum(given, given.T) * np.outer(*[range(1, 6)] * 2)
    )


def test_the_leading_eigenvalue_is_1_with_isolated_nodes_or_without():
    whole = _normalized(PATH).toarray()
    assert (whole[-1] == 0).all()
    np.testing.assert_allclose(np.linalg.eigvalsh(whole)[-1], 1)
    among = HeatKernel(PATH, [1.0])._adjacency.toarray()
    np.testing.assert_allclose(among, whole[:-1, :-1], rtol=1e-15)
