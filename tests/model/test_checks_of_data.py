"""Checks of ``data/`` that a model calls: columns nobody reads, and the scale of controls."""

import warnings

import numpy as np
import pytest

import txpert as tx


@pytest.mark.parametrize(("column", "name"), [("batch", "gem_group"), ("cell_line", "celltype")])
def test_setup_names_a_column_that_nobody_reads(adata, column, name):
    del adata.obs[column]
    adata.obs[name] = np.arange(adata.n_obs) % 2
    with pytest.warns(UserWarning, match=f"{column}_key={name!r}") as caught:
        tx.TxPertModel.setup_anndata(adata)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tx.TxPertModel.setup_anndata(adata, **{f"{column}_key": None})
        tx.TxPertModel.setup_anndata(adata, **{f"{column}_key": name})


def test_controls_on_another_scale_than_the_model_are_refused(adata, make_model):
    model = make_model(adata, components="mean", decoding="low_rank")
    controls = adata[adata.obs["control"]].copy()
    model.predict("GENE3", controls=controls)
    controls.X = controls.layers["counts"]
    tx.pp.normalize(controls, target_sum=10_000, counts_layer="raw")
    with pytest.raises(ValueError, match="control cells are normalized to 10,000 counts"):
        model.predict("GENE3", controls=controls)
