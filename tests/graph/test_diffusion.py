import numpy as np
import pandas as pd
import pytest
from scipy.linalg import expm

from txpert.graph import KnowledgeGraph
from txpert.graph._diffusion import diffusion_kernel

PATH = KnowledgeGraph("path", [*"ABCD", "alone"], [0, 1, 2], [1, 2, 3], [1.0, 5.0, 2.0])


@pytest.mark.parametrize("time", [0.1, 3.0, 40.0])
def test_the_kernel_is_the_exponential(time):
    weights = np.zeros((5, 5))
    for i, weight in enumerate([1.0, 5.0, 2.0]):
        weights[i, i + 1] = weights[i + 1, i] = weight
    degree = weights.sum(axis=0)
    degree[-1] = 1
    kernel = expm(-time * (np.eye(5) - weights / np.sqrt(np.outer(degree, degree))))
    rows = diffusion_kernel(PATH, PATH.nodes, [0.7, time])[time]
    expected = pd.DataFrame(kernel, PATH.nodes, PATH.nodes).loc[rows.index, rows.columns]
    np.testing.assert_allclose(rows, expected, atol=1e-6)


def test_directions_and_scale_do_not_matter_and_graphs_are_averaged():
    turned = KnowledgeGraph("turned", PATH.nodes, PATH.target, PATH.source, 10 * PATH.weight)
    one = diffusion_kernel(PATH, ["B", "D"])[3.0]
    other = diffusion_kernel([turned, PATH], ["B", "D"])[3.0]
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_genes_are_kept_in_order_and_unknown_ones_left_out(monkeypatch):
    whole = diffusion_kernel(PATH, ["D", "nowhere", "A", "D", "alone"])[3.0]
    assert whole.index.tolist() == ["D", "A", "alone"]
    assert (whole.loc["alone"] > 0).sum() == 1
    monkeypatch.setattr("txpert.graph._diffusion._BLOCK", 1)
    pd.testing.assert_frame_equal(diffusion_kernel(PATH, ["D", "A", "alone"])[3.0], whole)
    assert diffusion_kernel(PATH, ["nowhere"])[3.0].shape == (0, 5)


def test_wrong_input():
    with pytest.raises(ValueError, match="at least one graph"):
        diffusion_kernel([], ["A"])
    with pytest.raises(ValueError, match="times must be positive numbers, not -1"):
        diffusion_kernel(PATH, ["A"], [2.0, -1])
