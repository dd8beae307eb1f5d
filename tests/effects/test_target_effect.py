import numpy as np
import pandas as pd
import pytest

from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import measured_targets
from txpert.effects._target_effect import TargetEffect

GENES = [f"G{i}" for i in range(6)]


def screen(make_table, size, control, noise=0.0, seed=0):
    """Each gene knocked down: its own expression falls by a share, all genes change a little."""
    rng = np.random.default_rng(seed)
    rows = []
    for i, gene in enumerate(GENES):
        delta = noise * rng.normal(size=len(GENES))
        delta[i] += size * control[i]
        rows.append((gene, "K", 10, "train", delta))
    table = ConditionTable.from_anndata(make_table(rows, {"K": control}))
    return table.subset(~table.obs["control"].to_numpy(dtype=bool))


@pytest.mark.parametrize("size", [-0.7, 0.5])
def test_the_share_is_found_and_taken_away(make_table, size):
    control = np.array([0.0, 0.1, 0.5, 1.0, 2.0, 3.0])
    rows = screen(make_table, size, control)
    effect = TargetEffect.fit(rows)
    assert effect.size == pytest.approx(size, rel=1e-5)
    np.testing.assert_allclose(effect.removed_from(rows).delta, 0, atol=1e-6)
    assert rows.delta[5, 5] == pytest.approx(3 * size, rel=1e-5)


def test_one_guide_that_fails_does_not_matter(make_table):
    rows = screen(make_table, -0.7, np.full(6, 2.0), noise=0.01)
    rows.mean[3, 3] += 5.0
    assert TargetEffect.fit(rows).size == pytest.approx(-0.7, abs=0.02)


def test_it_is_relative_to_what_other_perturbations_do_to_the_gene(make_table):
    control = np.full(6, 2.0)
    rows = screen(make_table, -0.5, control)
    rows.mean[:] += 0.3
    assert TargetEffect.fit(rows).size == pytest.approx(-0.5, rel=1e-4)


def test_targets_that_are_not_measured_say_nothing(make_table):
    named = [(f"other{i}", "K", 10, "train", np.ones(6)) for i in range(4)]
    table = ConditionTable.from_anndata(make_table(named))
    rows = table.subset(~table.obs["control"].to_numpy(dtype=bool))
    assert TargetEffect.fit(rows).size == 0
    alone = ConditionTable.from_anndata(make_table([("G1", "K", 10, "train", -np.ones(6))]))
    assert TargetEffect.fit(alone.subset(np.array([1]))).size == 0


def test_entries_follow_the_expression_of_the_context():
    contexts = pd.DataFrame({"cell_line": ["A", "B"], "batch": "b", "n_cells": 5})
    mean = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    controls = ControlProfiles(contexts, mean, pd.Index(["x", "y", "z"]))
    labels = ["control", "y", "y+elsewhere", "z+x"]
    row, column, change = TargetEffect(-0.5).entries(labels, controls, np.array([0, 0, 1, 1]))
    assert list(zip(row.tolist(), column.tolist(), change.tolist(), strict=True)) == [
        (1, 1, -1.0),
        (2, 1, -2.5),
        (3, 0, -2.0),
        (3, 2, -3.0),
    ]


def test_measured_targets_of_nothing():
    row, column = measured_targets(["control", "elsewhere"], pd.Index(["x"]))
    assert row.size == column.size == 0
    assert row.dtype == column.dtype == np.int64
