"""A line's mean, a line alone, a line plus what others share; and the linear model of PCs."""

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.baselines import (
    AdditiveBaseline,
    GeneralBaseline,
    KernelBaseline,
    LineAloneBaseline,
    LinearPCABaseline,
    LineMeanBaseline,
    RidgeBaseline,
)
from txpert.effects._contexts import Context

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


def test_parts_of_a_combination_have_the_mean_each(make_table, delta_of):
    rows = [
        ("A", "K", 2, "train", [1.0]),
        ("A+B", "K", 2, "train", [5.0]),
        ("A", "R", 2, "train", [3.0]),
    ]
    fitted = AdditiveBaseline().fit(make_table(rows))
    assert delta_of(fitted, "B+A", "K") == pytest.approx(5)
    assert delta_of(fitted, "A+B", "R") == pytest.approx(2 * 3 + 5 - 2 * 1)


@pytest.fixture
def modalities(make_table):
    """One line in two modalities, of which one perturbation is tested in a third."""
    rows = [
        ("A", "K", 2, "train", [1.0]),
        ("B", "K", 2, "train", [3.0]),
        ("A", "K", 2, "train", [-4.0]),
        ("A", "K", 2, "test", [9.0]),
    ]
    table = make_table(rows)
    table.obs["modality"] = ["all", "CRISPRi", "CRISPRi", "CRISPRa", "KO"]
    return table


def asked_in(modality):
    of_line = {"perturbation": ["A", "B"], "cell_line": "K", "batch": "b", "modality": modality}
    return pd.DataFrame(of_line)


@pytest.mark.parametrize(
    ("modality", "effects"),
    [("CRISPRi", [1, 3]), ("CRISPRa", [-4, -4]), ("KO", [-1, -1])],
)
def test_modalities_stay_apart(modalities, modality, effects):
    fitted = AdditiveBaseline().fit(modalities)
    found = fitted.predict(asked_in(modality)).layers["delta"]
    np.testing.assert_allclose(found.ravel(), effects, atol=1e-6)
    effects = tx.effects.LineEffects.of(tx.data.ConditionTable.of(modalities).training())
    own = effects.general(["A", "B"], Context("K", modality))
    np.testing.assert_array_equal(found, own)


def test_a_modality_that_the_data_lack(modalities):
    fitted = AdditiveBaseline().fit(modalities)
    match = r"No training perturbation is of modality 'base editing'; there are CRISPRa, CRISPRi"
    with pytest.raises(KeyError, match=match):
        fitted.predict(asked_in("base editing"))
    controls = asked_in("base editing").assign(perturbation="control")
    assert not fitted.predict(controls).layers["delta"].any()
    del modalities.obs["modality"]
    known = modalities[~modalities.obs.duplicated(["perturbation"])].copy()
    plain = AdditiveBaseline().fit(known)  # which then does not read the column
    expected = plain.predict(asked_in("CRISPRi").drop(columns="modality"))
    found = plain.predict(asked_in("CRISPRi"))
    np.testing.assert_array_equal(found.layers["delta"], expected.layers["delta"])


def test_genes_that_a_line_did_not_measure(make_table, delta_of):
    rows = [
        ("A", "K", 2, "train", [np.nan, 0, 0]),
        ("B", "K", 2, "train", [np.nan, 1, 0]),
        ("A", "R", 2, "train", [4, 0, 5]),
        ("C", "R", 2, "train", [2, 3, 3]),
    ]
    table = make_table(rows, {"K": [np.nan, 2, 3], "R": [3, 2, 1]})
    for baseline, label, effect in (
        (LineMeanBaseline(), "A", [3, 0.5, 0]),
        (AdditiveBaseline(), "A", [3, 0, 0]),
        (AdditiveBaseline(), "C", [2, 2, -1]),
        (LineAloneBaseline(), "A", [4, 0, 0]),
        (LineAloneBaseline(), "X", [3, 0.5, 0]),
    ):
        fitted = baseline.fit(table)
        np.testing.assert_allclose(delta_of(fitted, label, "K"), effect, atol=1e-6)


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
