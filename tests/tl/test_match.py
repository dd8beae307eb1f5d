"""Which perturbation explains an observed Δ."""

import numpy as np
import pandas as pd
import pytest

import txpert as tx


@pytest.fixture
def groups(model):
    """Controls, and the cells of a perturbation that was measured alone."""
    label = next(label for label, _ in model.trained_on_ if "+" not in label)
    cells = model.adata.obs["perturbation"].astype(str).to_numpy()
    control = model.adata.obs["control"].to_numpy()
    return label, (model.adata[control], model.adata[cells == label])


@pytest.mark.parametrize("score", ["pearson", "cosine"])
def test_a_measured_perturbation_is_found(model, groups, score):
    label, pair = groups
    found = tx.tl.match(pair, model, score=score, of="measured")
    assert found["perturbation"][0] == label
    assert (found["source"] == "measured").all()
    assert found["score"].is_monotonic_decreasing
    assert tx.tl.match(pair, model.adata, of="measured", score=score)["perturbation"][0] == label


def test_a_predicted_perturbation_is_found(model):
    why = model.predict("GENE10").layers["delta"].mean(axis=0)
    found = tx.tl.match(pd.Series(why, model.genes), model, min_specific=0, top=5)
    assert "GENE10" in set(found["perturbation"])
    row = found.set_index("perturbation").loc["GENE10"]
    assert row["source"] == "predicted"
    assert row["score"] > 0.99


def test_both_compares_each_perturbation_once(model, groups):
    _, pair = groups
    found = tx.tl.match(pair, model, min_specific=0, top=1_000)
    assert found["perturbation"].is_unique
    assert set(found["source"]) == {"measured", "predicted"}


def test_scores_are_those_of_the_metrics(model):
    rng = np.random.default_rng(0)
    profile = pd.Series(rng.normal(size=len(model.genes)), model.genes)
    found = tx.tl.match(profile, model, of="measured", top=3)
    table = model.conditions.over_batches()
    labels = table.obs["perturbation"].astype(str).map(lambda s: "+".join(sorted(s.split("+"))))
    for row in found.itertuples():
        delta = table.delta[(labels == row.perturbation).to_numpy()]
        assert row.score == pytest.approx(
            tx.metrics.pearson_delta(delta, profile.to_numpy()[None])[0], abs=1e-4
        )


def test_what_makes_no_sense_is_refused(model, groups):
    _, pair = groups
    with pytest.raises(ValueError, match="of must be"):
        tx.tl.match(pair, model, of="all")
    with pytest.raises(ValueError, match="A screen predicts nothing"):
        tx.tl.match(pair, model.adata, of="predicted")
    with pytest.raises(KeyError, match="HeLa"):
        tx.tl.match(pair, model, cell_line="HeLa")
    with pytest.raises(ValueError, match="Only 0 of the 1"):
        tx.tl.match({"X": 1.0}, model)
    with pytest.raises(ValueError, match="is empty"):
        tx.tl.match((pair[0], pair[1][:0]), model)


def test_cells_of_a_signature_are_log_normalized():
    adata = tx.datasets.toy()
    raw = adata.copy()
    raw.X = raw.layers["counts"]
    labels = raw.obs["perturbation"].astype(str)
    gene = labels[labels != "control"].iloc[0]
    pair = tuple(raw[(labels == name).to_numpy()] for name in ("control", gene))
    with pytest.raises(ValueError, match=r"cells of a signature.*counts"):
        tx.tl.match(pair, adata)
