import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from txpert.baselines import RidgeBaseline

RNG = np.random.default_rng(0)
FEATURES = pd.DataFrame(RNG.normal(size=(40, 6)), index=[f"P{i}" for i in range(40)])


def deltas(table):
    perturbed = table[~table.obs["control"].to_numpy()]
    control = table[table.obs["control"].to_numpy()].X
    return np.asarray(perturbed.X - control, dtype=float)


@pytest.mark.parametrize("penalty", [0.5, 50.0])
def test_ridge_of_scikit_learn(random_table, delta_of, penalty):
    table = random_table()
    baseline = RidgeBaseline(table, FEATURES, penalty=penalty)
    ridge = Ridge(alpha=penalty).fit(FEATURES.iloc[:30], deltas(table))
    for gene in ("P3", "P35"):
        expected = ridge.predict(FEATURES.loc[[gene]])[0]
        np.testing.assert_allclose(delta_of(baseline, gene), expected, atol=1e-5)


def test_the_penalty_has_the_least_leave_one_out_error(random_table):
    truth = RNG.normal(size=(6, 8))
    table = random_table()
    table.X[1:] += (FEATURES.to_numpy()[:30] @ truth).astype(np.float32)
    baseline = RidgeBaseline(table, FEATURES)
    x, y = FEATURES.to_numpy()[:30], deltas(table)

    def error(penalty):
        total = 0.0
        for i in range(30):
            rest = np.arange(30) != i
            ridge = Ridge(alpha=penalty).fit(x[rest], y[rest])
            total += ((ridge.predict(x[[i]])[0] - y[i]) ** 2).sum()
        return total

    best = baseline.penalty_
    assert error(best) < min(error(best * 3), error(best / 3), error(1e6), error(1e-6))


def test_combinations_add_up_and_unknown_genes_get_the_mean(random_table, delta_of):
    baseline = RidgeBaseline(random_table(), FEATURES, penalty=2.0)
    one, other = delta_of(baseline, "P35"), delta_of(baseline, "P2")
    np.testing.assert_allclose(delta_of(baseline, "P2+P35"), one + other, atol=1e-5)
    mean = deltas(random_table()).mean(axis=0)
    np.testing.assert_allclose(delta_of(baseline, "unknown"), mean, atol=1e-5)
    np.testing.assert_allclose(delta_of(baseline, "unknown+P2"), mean + other, atol=1e-5)


def test_combinations_in_training_by_hand(make_table, delta_of):
    features = pd.DataFrame({"x": [1.0, -1.0, 3.0]}, index=list("ABC"))
    # Δ = 2 + 5x, and so 4 + 5(1 − 1) for both.
    rows = [("A", "K", 1, "train", [7]), ("B", "K", 1, "train", [-3])]
    rows += [("A+B", "K", 1, "train", [4])]
    baseline = RidgeBaseline(make_table(rows), features, penalty=1e-6)
    assert delta_of(baseline, "C") == pytest.approx(17, abs=1e-3)
    assert delta_of(baseline, "A+C") == pytest.approx(24, abs=1e-3)


def test_low_rank(random_table):
    table = random_table()
    y = deltas(table)
    labels = list(FEATURES.index)
    full, low, whole = (
        RidgeBaseline(table, FEATURES, penalty=1.0, n_components=n).predict(labels).layers["delta"]
        for n in (None, 2, 8)
    )
    components = np.linalg.svd(y - y.mean(axis=0))[2][:2]
    np.testing.assert_allclose(whole, full, atol=1e-5)
    mean = y.mean(axis=0)
    np.testing.assert_allclose(low - mean, (full - mean) @ components.T @ components, atol=1e-5)
    assert np.isfinite(RidgeBaseline(table, FEATURES, n_components=2).penalty_)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: pd.concat([f, f]), {}, "'P0' more than once"),
        (lambda f: f.mask(f == f.iloc[2, 1]), {}, "Feature 1 of gene 'P2' is nan"),
        (lambda f: f, {"penalty": 0}, "penalty must be a finite number above 0"),
        (lambda f: f, {"n_components": 9}, "between 1 and 8"),
    ],
)
def test_wrong_input(random_table, change, options, message):
    with pytest.raises(ValueError, match=message):
        RidgeBaseline(random_table(), change(FEATURES), **options)
