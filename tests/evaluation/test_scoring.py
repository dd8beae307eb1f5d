"""Predictions are aligned by the names of their conditions and genes."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from txpert.data._controls import ControlProfiles
from txpert.evaluation._scoring import predicted_delta

GENES = ["G1", "G2"]
ASKED = pd.DataFrame(
    [("A", "K", "1", 10), ("A", "K", "2", 30), ("B+C", "K", "1", 5)],
    columns=["perturbation", "cell_line", "batch", "n_cells"],
)


@pytest.fixture
def controls():
    obs = pd.DataFrame({"cell_line": ["K", "K"], "batch": ["1", "2"], "n_cells": 5})
    return ControlProfiles(obs, np.ones((2, 2), dtype=np.float32), pd.Index(GENES))


class Fixed:
    def __init__(self, rows, delta, columns=("perturbation", "cell_line", "batch"), genes=GENES):
        obs = pd.DataFrame(rows, columns=list(columns), index=list(map(str, range(len(delta)))))
        self.table = ad.AnnData(
            obs=obs, var=pd.DataFrame(index=genes), layers={"delta": np.array(delta, float)}
        )

    def predict(self, perturbations, *, controls):
        return self.table


EXPECTED = [[(10 * 1 + 30 * 3) / 40, 2], [7, 8]]


@pytest.mark.parametrize(
    "predictor",
    [
        Fixed([("A", "K", "1"), ("A", "K", "2"), ("B+C", "K", "1")], [[1, 2], [3, 2], [7, 8]]),
        Fixed([("C+B", "K", "1"), ("A", "K", "2"), ("A", "K", "1")], [[7, 8], [3, 2], [1, 2]]),
        Fixed(
            [("A", "K", "1"), ("A", "K", "2"), ("B+C", "K", "1")],
            [[2, 1], [2, 3], [8, 7]],
            genes=["G2", "G1"],
        ),
        Fixed([(), (), ()], [[1, 2], [3, 2], [7, 8]], columns=()),
    ],
    ids=["in order", "rows turned", "genes turned", "without names"],
)
def test_rows_and_genes_find_their_place(controls, predictor):
    np.testing.assert_allclose(predicted_delta(predictor, ASKED, controls), EXPECTED)


def test_a_prediction_without_batches_holds_for_all(controls):
    both = Fixed([("B+C",), ("A",)], [[7, 8], [2.5, 2]], columns=["perturbation"])
    np.testing.assert_allclose(predicted_delta(both, ASKED, controls), EXPECTED)


@pytest.mark.parametrize(
    ("predictor", "message"),
    [
        (Fixed([("A", "K", "1"), ("A", "K", "2")], np.ones((2, 2))), r"lacks 1 .* B\+C, K, 1"),
        (Fixed([()] * 2, np.ones((2, 2)), columns=()), "obs does not name them"),
        (Fixed([()] * 4, np.ones((4, 2)), columns=()), "obs does not name them"),
        (Fixed([("A", "K", "1")] * 3, np.ones((3, 2))), "'A, K, 1' occurs twice"),
        (Fixed([()] * 3, np.ones((3, 1)), columns=(), genes=["G1"]), r"lacks 1 gene\(s\), G2"),
        (Fixed([()] * 3, np.ones((3, 2)), columns=(), genes=["G1", "G1"]), "'G1' occurs twice"),
    ],
)
def test_what_does_not_fit_is_named(controls, predictor, message):
    with pytest.raises(ValueError, match=rf"does not fit the 3 conditions and 2 genes.*{message}"):
        predicted_delta(predictor, ASKED, controls)
