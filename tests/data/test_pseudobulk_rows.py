"""A model of a pseudobulk table weighs its rows as baselines do, and as a model of the cells."""

import numpy as np
import pandas as pd

import txpert as tx
from txpert.data import ConditionTable


def model_of(adata):
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
    model.train(enable_progress_bar=False)
    return model


def test_the_table_is_that_of_the_cells(two_lines):
    uneven = two_lines[np.random.default_rng(0).random(two_lines.n_obs) < 0.7].copy()
    bulk = tx.pp.pseudobulk(uneven)
    of_cells, of_rows = model_of(uneven), model_of(bulk)
    pd.testing.assert_frame_equal(
        of_rows.conditions.obs, of_cells.conditions.obs, check_dtype=False, check_categorical=False
    )
    assert (
        of_rows.conditions.obs["n_cells"].tolist()
        == ConditionTable.of(bulk).obs["n_cells"].tolist()
    )
    for one, other in ((of_rows.conditions, of_cells.conditions),):
        np.testing.assert_allclose(one.mean, other.mean, atol=1e-6)
        pooled, expected = one.over_batches(), other.over_batches()
        np.testing.assert_allclose(pooled.delta, expected.delta, atol=1e-6)
    names = ["GENE3", "GENE5"]
    np.testing.assert_allclose(of_rows.predict(names).X, of_cells.predict(names).X, atol=1e-5)


def test_cells_count_one_each_whatever_a_column_says(adata):
    adata.obs["n_cells"] = 7
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
    assert model.conditions.obs["n_cells"].sum() == adata.n_obs
