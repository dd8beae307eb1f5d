import numpy as np
import pytest
from sklearn.linear_model import Ridge

from txpert.baselines import BatchOnlyBaseline

LINES = "KRSTU"


@pytest.fixture
def table(make_table):
    """Five lines whose Δ is twice the control's deviation from 1, by two perturbations each."""
    rng = np.random.default_rng(0)
    controls = {line: 1 + rng.normal(size=4) for line in LINES}
    rows = []
    for n_cells, line in enumerate(LINES, start=1):
        for label, sign in (("A", 1), ("B", -1)):
            delta = 2 * (controls[line] - 1) + sign
            rows.append((label, line, 10 * n_cells, "train", delta))
    return make_table(rows, controls)


def test_ridge_of_scikit_learn(table):
    baseline = BatchOnlyBaseline(table, penalty=0.3)
    controls = table[table.obs["control"].to_numpy()].X
    perturbed = table[~table.obs["control"].to_numpy()]
    cells = perturbed.obs["n_cells"].to_numpy()
    x = np.repeat(controls, 2, axis=0)
    # λ is in units of the mean number of cells of a context; sklearn centers with weights.
    ridge = Ridge(alpha=0.3 * cells.sum() / 5).fit(x, perturbed.X - x, sample_weight=cells)
    prediction = baseline.predict("anything")
    np.testing.assert_allclose(prediction.layers["delta"], ridge.predict(controls), atol=1e-4)


def test_it_learns_from_the_control(table):
    baseline = BatchOnlyBaseline(table)
    delta = baseline.predict(["A", "Z"], cell_line="S").layers["delta"]
    control = table["c2"].X[0]
    np.testing.assert_allclose(delta, [2 * (control - 1)] * 2, atol=0.05)


def test_few_contexts_give_the_mean_over_cells(make_table, delta_of):
    rows = [("A", "K", 1, "train", [1.0]), ("B", "K", 3, "train", [3.0])]
    rows += [("A", "R", 4, "train", [8.0])]
    baseline = BatchOnlyBaseline(make_table(rows))
    expected = (1 + 9 + 32) / 8
    for line in "KR":
        assert delta_of(baseline, "A", line) == pytest.approx(expected, abs=1e-2)


def test_wrong_penalty(table):
    with pytest.raises(ValueError, match="penalty must be a finite number above 0, not -1"):
        BatchOnlyBaseline(table, penalty=-1)
