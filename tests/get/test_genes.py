"""The genes of a screen, measured or perturbed."""

import pandas as pd
import pytest

import txpert as tx


@pytest.fixture
def panel(adata):
    return adata[:, ["GENE7", "GENE1", "GENE3"]].copy()


def test_targets_that_were_not_measured_come_after_the_var_names(panel):
    labels = panel.obs.loc[~panel.obs["control"], "perturbation"].astype(str).unique()
    targets = {target for label in labels for target in label.split("+")}
    found = tx.get.genes(panel)
    assert found[:3].to_list() == ["GENE7", "GENE1", "GENE3"]
    assert found[3:].to_list() == sorted(targets - set(panel.var_names))
    assert found.is_unique
    assert found.name is None


def test_held_out_targets_are_among_them(panel):
    tx.pp.split(panel)
    held_out = panel.obs.loc[panel.obs["split"] == "test", "perturbation"].astype(str)
    assert {t for label in held_out for t in label.split("+")} <= set(tx.get.genes(panel))


@pytest.mark.parametrize("registered", [False, True])
def test_columns_are_those_named_or_registered(panel, registered):
    expected = tx.get.genes(panel)
    panel.obs["gene"] = panel.obs.pop("perturbation").astype(str).replace("control", "NT")
    del panel.obs["control"]
    named = {"perturbation_key": "gene", "control_label": "NT"}
    if registered:
        tx.TxPertModel.setup_anndata(panel, **named)
        named = {}
    pd.testing.assert_index_equal(tx.get.genes(panel, **named), expected)


def test_what_is_missing_is_named(panel):
    with pytest.raises(KeyError, match="'gene'"):
        tx.get.genes(panel, perturbation_key="gene")
    with pytest.raises(TypeError, match="AnnData"):
        tx.get.genes("screen.h5ad")
