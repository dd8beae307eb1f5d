import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import txpert as tx
from txpert.baselines import StoredPrediction
from txpert.data._controls import ControlProfiles

GENES = pd.Index(["G1", "G2"])


@pytest.fixture
def controls():
    obs = pd.DataFrame({"cell_line": ["K", "K", "R"], "batch": ["1", "2", "1"], "n_cells": 5})
    return ControlProfiles(obs, np.array([[1, 1], [2, 2], [3, 3]], dtype=np.float32), GENES)


def stored(rows, columns, genes=("G2", "G1"), matrix=np.asarray):
    """Δ of the i-th row is i + 0.25 for G2, i + 0.5 for G1."""
    delta = np.arange(len(rows))[:, None] + np.array([[0.25, 0.5]])
    obs = pd.DataFrame(rows, columns=columns, index=[f"row_{i}" for i in range(len(rows))])
    var = pd.DataFrame(index=list(genes))
    return ad.AnnData(obs=obs, var=var, layers={"delta": matrix(delta)})


def ask(*rows):
    return pd.DataFrame(rows, columns=["perturbation", "cell_line", "batch"])


@pytest.mark.parametrize("matrix", [np.asarray, sparse.csr_matrix])
def test_rows_and_genes_are_looked_up_by_name(controls, matrix):
    rows = [("A", "K", "1"), ("B+A", "R", "1"), ("A", "K", "2")]
    other = StoredPrediction(stored(rows, ["perturbation", "cell_line", "batch"], matrix=matrix))
    asked = ask(("A", "K", "2"), ("A+B", "R", "1"), ("A", "R", "1"))
    prediction = other.predict(asked, controls=controls)
    np.testing.assert_allclose(
        prediction.layers["delta"], [[2.5, 2.25], [1.5, 1.25], [np.nan, np.nan]]
    )
    np.testing.assert_allclose(prediction.X[:2], [[4.5, 4.25], [4.5, 4.25]])
    assert prediction.obs["batch"].to_list() == ["2", "1", "1"]


def test_without_a_batch_column_a_prediction_holds_for_all(controls):
    other = StoredPrediction(stored([("A+ctrl", "K"), ("A", "R")], ["perturbation", "cell_line"]))
    asked = ask(("A", "K", "1"), ("A", "K", "2"), ("A", "R", "1"))
    delta = other.predict(asked, controls=controls).layers["delta"]
    np.testing.assert_allclose(delta[:, 0], [0.5, 0.5, 1.5])


def test_the_model_scores_the_same_when_stored(two_lines, make_model, tmp_path):
    model = make_model(two_lines)
    test = two_lines.obs.loc[two_lines.obs["split"] == "test", "perturbation"].unique()
    model.predict(list(test), by_batch=True).write_h5ad(tmp_path / "other.h5ad")
    other = StoredPrediction(ad.read_h5ad(tmp_path / "other.h5ad"))
    summary = tx.tl.evaluate(two_lines, model, baselines={"other": other})
    np.testing.assert_allclose(summary.loc["other"], summary.loc["TxPert"], rtol=1e-4)


def test_missing_conditions_are_counted_not_guessed(adata, make_model):
    model = make_model(adata)
    test = sorted(adata.obs.loc[adata.obs["split"] == "test", "perturbation"].unique())
    other = StoredPrediction(model.predict(test[1:]))
    summary = tx.tl.evaluate(adata, model, baselines={"other": other})
    assert summary.loc["other", "n_undefined"] == 1
    metrics = adata.uns["txpert"]["metrics"]
    row = metrics[(metrics["model"] == "other") & (metrics["perturbation"] == test[0])]
    assert row[["pearson_delta", "mse", "retrieval"]].isna().all(axis=None)
    assert summary.loc["other", ["pearson_delta", "mse"]].notna().all()


def test_unusable_predictions_are_refused(controls):
    columns = ["perturbation", "cell_line"]
    with pytest.raises(KeyError, match="no column 'perturbation'"):
        StoredPrediction(stored([("K",)], ["cell_line"]))
    without = stored([("A", "K")], columns)
    del without.layers["delta"]
    with pytest.raises(KeyError, match=r"no layers\['delta'\]"):
        StoredPrediction(without)
    with pytest.raises(ValueError, match=r"more than one row for A\+B in K"):
        StoredPrediction(stored([("B+A", "K"), ("A+B", "K")], columns))
    other = StoredPrediction(stored([("A", "K")], columns, genes=("G2", "G3")))
    with pytest.raises(ValueError, match="lacks 1 of 2 genes, 'G1'"):
        other.predict(ask(("A", "K", "1")), controls=controls)


def test_modalities_are_told_apart_where_both_name_them(controls):
    columns = ["perturbation", "cell_line", "modality"]
    other = StoredPrediction(stored([("A", "K", "CRISPRi"), ("A", "K", "CRISPRa")], columns))
    asked = ask(("A", "K", "1"), ("A", "K", "2"), ("A", "K", "1"))
    asked["modality"] = ["CRISPRa", "CRISPRi", "knockout"]
    delta = other.predict(asked, controls=controls).layers["delta"]
    np.testing.assert_allclose(delta[:, 0], [1.5, 0.5, np.nan])
    with pytest.raises(ValueError, match="more than one row for A in K"):
        other.predict(ask(("A", "K", "1")), controls=controls)
    one = StoredPrediction(stored([("A", "K", "CRISPRi")], columns))
    assert one.predict(ask(("A", "K", "1")), controls=controls).layers["delta"][0, 0] == 0.5
