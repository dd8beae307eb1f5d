import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.baselines import GeneralBaseline


@pytest.fixture
def pseudobulk():
    """Two lines with controls at 1 and 2; Δ of A is 1 (1 cell) and 3 (3 cells), of B −2."""
    obs = pd.DataFrame(
        {
            "perturbation": ["control", "A", "B", "C", "B+D", "control", "A"],
            "cell_line": ["K"] * 5 + ["R"] * 2,
            "batch": "b",
            "n_cells": [9, 1, 4, 5, 2, 9, 3],
            "split": [None, "train", "train", "test", "train", None, "train"],
        },
        index=list("abcdefg"),
    )
    obs["control"] = obs["perturbation"] == "control"
    values = np.array([[1.0], [2.0], [-1.0], [99.0], [8.0], [2.0], [5.0]], dtype=np.float32)
    return ad.AnnData(values, obs=obs, var=pd.DataFrame(index=["G"]))


@pytest.mark.parametrize(
    ("perturbation", "effect"),
    [
        ("A", 2.5),  # (1 × 1 + 3 × 3) / 4
        ("B", -2.0),
        ("A+B", 0.5),  # the sum of its parts
        ("D+B", 7.0),  # seen itself
        ("C", 0.25),  # in test only: mean of the single perturbations trained on
        ("X", 0.25),
        ("A+X", 2.75),
        ("control", 0.0),
    ],
)
def test_effects_by_hand(pseudobulk, perturbation, effect):
    prediction = GeneralBaseline(pseudobulk).predict(perturbation, clip=False)
    np.testing.assert_allclose(prediction.layers["delta"].ravel(), [effect, effect], atol=1e-6)
    np.testing.assert_allclose(prediction.X.ravel(), [1 + effect, 2 + effect], atol=1e-6)


def test_only_combinations_in_training(pseudobulk):
    rows = pseudobulk.obs["perturbation"].isin(["control", "B+D"])
    prediction = GeneralBaseline(pseudobulk[rows].copy()).predict("X", cell_line="K")
    assert prediction.layers["delta"].item() == pytest.approx(7.0)


def test_without_a_split_all_perturbations_count(pseudobulk):
    del pseudobulk.obs["split"]
    prediction = GeneralBaseline(pseudobulk).predict("C", cell_line="K")
    assert prediction.layers["delta"].item() == pytest.approx(98.0)


def test_the_same_form_as_the_model(adata, make_model):
    model = make_model(adata)
    baseline = GeneralBaseline(tx.pp.pseudobulk(adata))
    ours, theirs = (p.predict(["GENE3+GENE5", "GENE9"]) for p in (model, baseline))
    assert ours.obs.equals(theirs.obs)
    assert list(ours.var_names) == list(theirs.var_names)


def test_nothing_to_learn_from(pseudobulk):
    pseudobulk.obs["split"] = "test"
    with pytest.raises(ValueError, match="No perturbation is in training"):
        GeneralBaseline(pseudobulk)
