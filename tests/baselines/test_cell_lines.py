import anndata as ad
import numpy as np
import pandas as pd
import pytest

from txpert.baselines import NearestCellLineBaseline, WeightedCellLineBaseline

BASELINES = [NearestCellLineBaseline, WeightedCellLineBaseline]
CONTROLS = {"K": [1, 2, 3], "R": [3, 2, 1], "T": [1.1, 2, 2.9]}


@pytest.fixture
def left_out(make_table):
    """Line T is left out: by its controls it is like K, not like R."""
    rows = [
        ("A", "K", 2, "train", [1, 0, 0]),
        ("B", "K", 2, "train", [0, 1, 0]),
        ("A", "R", 2, "train", [0, 0, 5]),
        ("C", "R", 2, "train", [0, 3, 3]),
        ("A+B", "R", 2, "train", [9, 9, 9]),
        ("A", "T", 2, "test", [50, 60, 70]),
    ]
    return make_table(rows, CONTROLS)


@pytest.fixture
def few_shot(make_table):
    """Line T has A in training: its Δ is like that in R, though its controls are like K's."""
    rows = [
        ("A", "K", 2, "train", [1, 0, 0]),
        ("B", "K", 2, "train", [0, 1, 0]),
        ("A", "R", 2, "train", [0, 0, 5]),
        ("B", "R", 2, "train", [0, 3, 3]),
        ("A", "T", 2, "train", [0, 0.1, 2]),
        ("B", "T", 2, "test", [50, 60, 70]),
    ]
    return make_table(rows, CONTROLS)


@pytest.mark.parametrize(
    ("label", "line", "effect"),
    [
        ("A", "T", [1, 0, 0]),  # K is nearest
        ("C", "T", [0, 3, 3]),  # only R has it
        ("B+A", "T", [9, 9, 9]),  # as a combination only R has it
        ("B+C", "T", [0, 4, 3]),  # the sum of its parts, from K and R
        ("X", "T", [0.5, 0.5, 0]),  # the mean of single genes in K
        ("A+X", "T", [1.5, 0.5, 0]),
        ("A", "R", [0, 0, 5]),  # R is nearest to itself
        ("B", "R", [0, 1, 0]),
        ("X", "R", [0, 1.5, 4]),
    ],
)
def test_nearest_line_by_controls(left_out, delta_of, label, line, effect):
    baseline = NearestCellLineBaseline(left_out)
    np.testing.assert_allclose(delta_of(baseline, label, line), effect, atol=1e-6)


def test_similarity_of_controls(left_out):
    similarity = NearestCellLineBaseline(left_out).similarity("T")
    assert similarity.name == "control"
    expected = {line: np.corrcoef(CONTROLS["T"], CONTROLS[line])[0, 1] for line in ("K", "R")}
    assert similarity.to_dict() == pytest.approx(expected)


def test_batches_count_by_their_control_cells(left_out):
    control = left_out[left_out.obs["control"].to_numpy()]
    second = control[control.obs["cell_line"] == "T"].copy()
    second.X[:] = [[3, 0, 0]]
    second.obs["batch"], second.obs["n_cells"] = "b2", 1
    second.obs_names = ["second"]
    similarity = NearestCellLineBaseline(ad.concat([left_out, second])).similarity("T")
    profile = np.average([CONTROLS["T"], [3, 0, 0]], axis=0, weights=[9, 1])
    assert similarity["K"] == pytest.approx(np.corrcoef(profile, CONTROLS["K"])[0, 1])


def test_nearest_line_by_shared_effects(few_shot, delta_of):
    baseline = NearestCellLineBaseline(few_shot)
    similarity = baseline.similarity("T")
    assert similarity.name == "delta"
    own = [0, 0.1, 2]
    expected = {"K": np.corrcoef(own, [1, 0, 0])[0, 1], "R": np.corrcoef(own, [0, 0, 5])[0, 1]}
    assert similarity.to_dict() == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(delta_of(baseline, "A", "T"), own, atol=1e-6)
    np.testing.assert_allclose(delta_of(baseline, "B", "T"), [0, 3, 3], atol=1e-6)
    np.testing.assert_allclose(delta_of(baseline, "X", "T"), own, atol=1e-6)


def test_weights_are_a_softmax(left_out, few_shot, delta_of):
    for table, label, effects in (
        (left_out, "A", {"K": [1, 0, 0], "R": [0, 0, 5]}),
        (few_shot, "B", {"K": [0, 1, 0], "R": [0, 3, 3]}),
    ):
        baseline = WeightedCellLineBaseline(table, temperature=0.7)
        weights = np.exp(baseline.similarity("T") / 0.7)
        expected = (
            sum(weights[line] * np.array(effect) for line, effect in effects.items())
            / weights.sum()
        )
        np.testing.assert_allclose(delta_of(baseline, label, "T"), expected, atol=1e-6)


@pytest.mark.parametrize(("temperature", "effect"), [(1e-3, [1, 0, 0]), (1e6, [0.5, 0, 2.5])])
def test_the_ends_of_the_temperature(left_out, delta_of, temperature, effect):
    baseline = WeightedCellLineBaseline(left_out, temperature=temperature)
    np.testing.assert_allclose(delta_of(baseline, "A", "T"), effect, atol=1e-5)


@pytest.mark.parametrize("baseline", BASELINES)
def test_a_line_known_by_its_controls_alone(left_out, baseline):
    cells = ad.AnnData(
        np.array([CONTROLS["T"]], dtype=np.float32),
        obs=pd.DataFrame({"cell_line": ["new"], "batch": ["b"]}, index=["c"]),
        var=pd.DataFrame(index=["G0", "G1", "G2"]),
    )
    fitted = baseline(left_out[left_out.obs["cell_line"] != "T"].copy())
    new = fitted.predict(["A", "X"], controls=cells).layers["delta"]
    old = baseline(left_out).predict(["A", "X"], cell_line="T").layers["delta"]
    np.testing.assert_allclose(new, old, atol=1e-6)


@pytest.mark.parametrize("baseline", BASELINES)
def test_one_line_alone(make_table, delta_of, baseline):
    rows = [("A", "K", 2, "train", [1, 0]), ("B", "K", 2, "train", [0, 3])]
    fitted = baseline(make_table(rows))
    np.testing.assert_allclose(delta_of(fitted, "A+B"), [1, 3], atol=1e-6)
    np.testing.assert_allclose(delta_of(fitted, "X"), [0.5, 1.5], atol=1e-6)


PARTLY = {"K": [np.nan, 2, 3], "R": [3, 2, 1], "T": [1.1, 2, 2.9]}
"""Controls of lines of which K did not measure the first gene."""


@pytest.fixture
def unmeasured(make_table):
    """Line T is left out: by the genes that K measured, it is like K."""
    rows = [
        ("A", "K", 2, "train", [np.nan, 0, 0]),
        ("B", "K", 2, "train", [np.nan, 1, 0]),
        ("A", "R", 2, "train", [4, 0, 5]),
        ("C", "R", 2, "train", [2, 3, 3]),
        ("A", "T", 2, "test", [50, 60, 70]),
    ]
    return make_table(rows, PARTLY)


@pytest.mark.parametrize(
    ("label", "line", "effect"),
    [
        ("A", "K", [3, 0, 0]),  # the first gene as in the line that measured it
        ("X", "K", [3, 0.5, 0]),
        ("A", "T", [3, 0, 0]),
        ("X", "T", [3, 0.5, 0]),
        ("C", "T", [2, 3, 3]),
    ],
)
def test_genes_that_a_line_did_not_measure(unmeasured, delta_of, label, line, effect):
    baseline = NearestCellLineBaseline(unmeasured)
    np.testing.assert_allclose(delta_of(baseline, label, line), effect, atol=1e-6)


def test_weights_of_genes_that_a_line_did_not_measure(unmeasured, delta_of):
    baseline = WeightedCellLineBaseline(unmeasured, temperature=1)
    weights = np.exp(baseline.similarity("T"))
    expected = (weights["K"] * 3 + weights["R"] * 4) / weights.sum()
    assert delta_of(baseline, "A", "T")[0] == pytest.approx(expected)


def test_similarity_is_of_the_genes_that_both_measured(unmeasured, make_table):
    similarity = NearestCellLineBaseline(unmeasured).similarity("T")
    assert similarity.to_dict() == pytest.approx({"K": 1, "R": -1})
    rows = [
        ("A", "K", 2, "train", [np.nan, 1, 2, 4]),
        ("A", "R", 2, "train", [9, 1, 2, 4]),
    ]
    controls = {"K": [np.nan, 2, 3, 1], "R": [3, 2, 1, 1]}
    similarity = NearestCellLineBaseline(make_table(rows, controls)).similarity("R")
    assert similarity.name == "delta"
    assert similarity["K"] == pytest.approx(1)


def test_a_batch_that_lacks_genes_leaves_them_to_others(left_out):
    control = left_out[left_out.obs["control"].to_numpy()]
    second = control[control.obs["cell_line"] == "T"].copy()
    second.X[:] = [[np.nan, 2, 2.9]]
    second.obs["batch"], second.obs_names = "b2", ["second"]
    similarity = NearestCellLineBaseline(ad.concat([left_out, second])).similarity("T")
    expected = NearestCellLineBaseline(left_out).similarity("T")
    assert similarity.to_dict() == pytest.approx(expected.to_dict(), abs=1e-6)


def test_wrong_input(left_out):
    with pytest.raises(ValueError, match="temperature must be a finite number above 0"):
        WeightedCellLineBaseline(left_out, temperature=0)
    with pytest.raises(KeyError, match="no controls of cell line 'U'"):
        NearestCellLineBaseline(left_out).similarity("U")
