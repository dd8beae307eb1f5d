"""A line's mean, a line alone, a line plus what others share; and the linear model of PCs."""

import numpy as np
import pandas as pd
import pytest

from txpert.baselines import (
    AdditiveBaseline,
    GeneralBaseline,
    KernelBaseline,
    LineAloneBaseline,
    LinearPCABaseline,
    LineMeanBaseline,
    RidgeBaseline,
)

ROWS = [
    ("A", "K", 2, "train", [1.0, 0, 0]),
    ("B", "K", 9, "train", [0, 3, 0]),
    ("C", "K", 2, "train", [2, 0, 3]),
    ("A", "R", 2, "train", [0, 0, 5]),
    ("C", "R", 2, "train", [0, 4, 3]),
    ("B", "R", 2, "test", [50, 60, 70]),
]
CONTROLS = {"K": [1, 2, 3], "R": [3, 2, 1], "T": [1.1, 2, 2.9]}
K_MEAN, R_MEAN = np.array([1, 1, 1]), np.array([0, 2, 4])
DEVIATION = np.array([-1, 2, -1])
"""Of B in K."""


@pytest.fixture
def table(make_table):
    return make_table(ROWS, CONTROLS)


@pytest.mark.parametrize("label", ["A", "B", "A+B", "new"])
def test_the_mean_of_a_line(table, delta_of, label):
    baseline = LineMeanBaseline().fit(table)
    np.testing.assert_allclose(delta_of(baseline, label, "K"), K_MEAN, atol=1e-6)
    np.testing.assert_allclose(delta_of(baseline, label, "R"), R_MEAN, atol=1e-6)
    np.testing.assert_allclose(delta_of(baseline, label, "T"), (K_MEAN + R_MEAN) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("label", "line", "effect"),
    [
        ("A", "R", [0, 0, 5]),  # its own
        ("B", "R", R_MEAN + DEVIATION),  # K's deviation
        ("new", "R", R_MEAN),
        ("A+B", "R", np.array([0, 0, 5]) + R_MEAN + DEVIATION),
        ("B", "T", (K_MEAN + R_MEAN) / 2 + DEVIATION),
        ("A", "T", (K_MEAN + R_MEAN) / 2 + [0, -1.5, 0]),  # of both lines
    ],
)
def test_line_mean_plus_shared_deviation(table, delta_of, label, line, effect):
    found = delta_of(AdditiveBaseline().fit(table), label, line)
    np.testing.assert_allclose(found, effect, atol=1e-6)


def test_a_line_alone_does_not_look_at_others(make_table, random_graph, random_table, delta_of):
    one = random_table(30)
    graph = random_graph()
    alone = LineAloneBaseline(graphs=graph).fit(one)
    expected = delta_of(KernelBaseline(one, graph), "P35")
    np.testing.assert_allclose(delta_of(alone, "P35"), expected, atol=1e-5)
    few = make_table(ROWS, CONTROLS)
    fitted = LineAloneBaseline(graphs=graph).fit(few)
    own = GeneralBaseline().fit(few[(few.obs["cell_line"] == "R").to_numpy()].copy())
    np.testing.assert_allclose(delta_of(fitted, "B", "R"), delta_of(own, "B", "R"), atol=1e-6)
    np.testing.assert_allclose(
        delta_of(fitted, "A", "T"), delta_of(GeneralBaseline().fit(few), "A", "T"), atol=1e-6
    )


def test_linear_pca_is_a_ridge_on_components(random_table, delta_of):
    table = random_table(30)
    table.obs["perturbation"] = [
        "control",
        *(f"G{i % 8}" if i < 8 else f"P{i}" for i in range(30)),
    ]
    features = pd.DataFrame(
        np.random.default_rng(1).normal(size=(8, 4)), index=[f"G{i}" for i in range(8)]
    )
    ours = LinearPCABaseline(features=features, n_components=3).fit(table)
    ridge = RidgeBaseline(features=features, penalty=0.1, n_components=3).fit(table)
    np.testing.assert_array_equal(delta_of(ours, "G5"), delta_of(ridge, "G5"))
    own = LinearPCABaseline().fit(table)
    assert np.isfinite(delta_of(own, "G5")).all()
    assert np.abs(delta_of(own, "G5") - delta_of(own, "G2")).max() > 1e-3
