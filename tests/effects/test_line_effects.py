"""Mean effects by cell line."""

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.effects._contexts import Context
from txpert.effects._line_effects import LineEffects, check_modalities


def test_a_gene_that_a_line_did_not_measure_has_the_mean_over_others(make_table):
    rows = [
        ("A", "K", 2, "train", [np.nan, 0]),
        ("A", "R", 2, "train", [4, 5]),
        ("B", "R", 2, "train", [2, 3]),
    ]
    table = make_table(rows, {"K": [np.nan, 2], "R": [3, 2]})
    effects = LineEffects.of(tx.data.ConditionTable.of(table).training())
    found = effects.general(["A", "B"], Context("K", "all"))
    np.testing.assert_allclose(found, [[3, 0], [2, -1]], atol=1e-6)


def test_a_combination_has_the_mean_once_per_target(make_table):
    rows = [
        ("A", "K", 2, "train", [1]),
        ("A+B", "K", 2, "train", [5]),
        ("A", "R", 2, "train", [3]),
    ]
    effects = LineEffects.of(tx.data.ConditionTable.of(make_table(rows)).training())
    assert effects.general(["A+B"], Context("R", "all")).item() == pytest.approx(9)


def test_modalities_of_the_data_are_known():
    obs = pd.DataFrame({"perturbation": ["A", "control"], "modality": ["CRISPRi", "KO"]})
    check_modalities(obs, ["CRISPRi", "all"])
    check_modalities(obs.drop(columns="modality"), [])
    with pytest.raises(KeyError, match="of modality 'CRISPRi'; there are CRISPRa"):
        check_modalities(obs, ["all", "CRISPRa"])
    with pytest.raises(KeyError, match="of modality 'CRISPRi'; the data name none"):
        check_modalities(obs, [])
