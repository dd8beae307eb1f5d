"""Contexts whose controls are a few cells."""

import warnings

import numpy as np
import pandas as pd
import pytest

import txpert as tx


def with_controls(adata, n, batch="batch_2"):
    """Leave so many controls in a batch."""
    control = np.flatnonzero(adata.obs["control"] & (adata.obs["batch"] == batch))
    return adata[np.setdiff1d(np.arange(adata.n_obs), control[n:])].copy()


def test_few_controls_of_a_batch_are_named_with_the_remedy(adata):
    match = r"1 of 2 contexts.*simulated / batch_2 \(1\)\..*batch_key=None.*matching=\"cell_line\""
    for function in (tx.TxPertModel.setup_anndata, tx.tl.screen_report):
        with pytest.warns(UserWarning, match=match):
            function(with_controls(adata, 1))


def test_without_batches_there_is_nothing_to_pool(adata):
    adata.obs["batch"] = "batch_2"
    with pytest.warns(
        UserWarning, match=r"fewer than 10 control cells: simulated / batch_2 \(9\)"
    ) as w:
        tx.TxPertModel.setup_anndata(with_controls(adata, 9))
    assert "batch_key" not in str(w[0].message)


def test_enough_controls_pseudobulk_and_effects_are_not_warned_of(adata):
    few = with_controls(adata, 1)
    with pytest.warns(UserWarning, match="fewer than 10"):
        table = tx.pp.pseudobulk(few)
    effects = tx.pp.from_effects(pd.DataFrame(np.eye(3), index=list("ABC"), columns=list("ABC")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data in (with_controls(adata, 10), table, effects, tx.datasets.toy()):
            tx.TxPertModel.setup_anndata(data)
