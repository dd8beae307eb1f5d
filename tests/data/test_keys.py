import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.data import ObsKeys

COLUMNS = {"perturbation": "gene", "control": "is_nt", "batch": "lane", "cell_line": "line"}


@pytest.fixture
def renamed(two_lines):
    """The same screen under other names of obs columns."""
    other = two_lines.copy()
    other.obs = other.obs.rename(columns=COLUMNS)
    return other


def register(adata):
    tx.TxPertModel.setup_anndata(
        adata, **{f"{name}_key": key for name, key in COLUMNS.items()}, split_key="split"
    )


def test_registered_columns_are_read_without_being_named(two_lines, renamed):
    with pytest.raises(KeyError, match="no column 'perturbation'"):
        tx.pp.pseudobulk(renamed)
    register(renamed)
    for adata in (two_lines, renamed):
        tx.pp.split(adata, seed=3)
    assert renamed.obs["split"].tolist() == two_lines.obs["split"].tolist()
    found = tx.pp.pseudobulk(renamed)
    expected = tx.pp.pseudobulk(two_lines)
    np.testing.assert_array_equal(found.X, expected.X)
    assert found.obs_names.equals(expected.obs_names)
    assert tx.pp.check_split(renamed).empty
    pd.testing.assert_frame_equal(
        tx.tl.ceiling(renamed, n_repeats=2), tx.tl.ceiling(two_lines, n_repeats=2)
    )
    tables = [
        tx.pp.filter_perturbations(adata, min_de_genes=None) for adata in (renamed, two_lines)
    ]
    pd.testing.assert_frame_equal(*tables)
    for adata in (renamed, two_lines):
        tx.pp.highly_variable_genes(adata, 10)
    assert renamed.var["highly_variable"].equals(two_lines.var["highly_variable"])
    results = [
        tx.benchmark(adata, {"mean": "mean"}, ceiling_repeats=0) for adata in (renamed, two_lines)
    ]
    columns = ["perturbation", "model", "pearson_delta"]
    pd.testing.assert_frame_equal(*(result.scores[columns] for result in results))


def test_a_copy_knows_the_registration_and_another_screen_does_not(renamed):
    other = renamed.copy()
    register(renamed)
    assert tx.pp.pseudobulk(renamed.copy()).n_obs == tx.pp.pseudobulk(renamed).n_obs
    with pytest.raises(KeyError, match="no column 'perturbation'"):
        tx.pp.pseudobulk(other)


def test_a_key_that_is_given_wins_even_under_its_default_name(two_lines):
    two_lines.obs["lane"] = two_lines.obs["cell_line"]
    tx.TxPertModel.setup_anndata(two_lines, batch_key="lane")
    assert set(tx.pp.pseudobulk(two_lines).obs["batch"]) == {"K562", "RPE1"}
    given = tx.pp.pseudobulk(two_lines, batch_key="batch").obs["batch"]
    assert set(given) == set(two_lines.obs["batch"])
    assert set(tx.pp.pseudobulk(two_lines, batch_key=None).obs["batch"]) == {"all"}


def test_a_column_that_setup_ignored_stays_ignored(two_lines):
    tx.TxPertModel.setup_anndata(two_lines, batch_key=None)
    assert set(tx.pp.pseudobulk(two_lines).obs["batch"]) == {"all"}


@pytest.mark.parametrize("labels", ["non-targeting", ["non-targeting", "safe"]])
def test_controls_by_label(adata, labels):
    expected = tx.pp.pseudobulk(adata)
    names = [labels] if isinstance(labels, str) else labels
    controls = np.flatnonzero(adata.obs["control"])
    column = adata.obs["perturbation"].astype(object)
    column.iloc[controls] = np.resize(names, len(controls))
    adata.obs["perturbation"] = column
    del adata.obs["control"]
    with pytest.raises(KeyError, match=r"no column 'control'.*by control_label="):
        tx.pp.pseudobulk(adata)
    found = tx.pp.pseudobulk(adata, control_label=labels)
    np.testing.assert_array_equal(found.X, expected.X)
    assert found.obs["control"].tolist() == expected.obs["control"].tolist()
    tx.pp.split(adata, control_label=labels, seed=4)
    tx.pp.split_fold(adata, 0, control_label=labels, key_added="fold")
    assert tx.pp.check_split(adata, control_label=labels).empty
    assert "control" not in adata.obs


def test_control_labels_are_those_of_cells(adata):
    with pytest.raises(ValueError, match=r"control_label='NT' is no label .*'perturbation'"):
        tx.pp.pseudobulk(adata, control_label="NT")
    with pytest.raises(ValueError, match="Give one of them"):
        tx.pp.split(adata, control_key="control", control_label="control")
    with pytest.raises(ValueError, match=r"control_label=\[\] is no label"):
        tx.pp.split(adata, control_label=[])


def test_keys_are_resolved_once(adata):
    del adata.obs["batch"]
    keys = ObsKeys().resolve(adata.obs)
    assert (keys.batch, keys.cell_line) == (None, "cell_line")
    assert set(keys.columns(adata.obs)) == {"perturbation", "control", "cell_line", "split"}
    with pytest.raises(KeyError, match=r"mdata\.obs has no column 'lane' \(batch_key\)"):
        ObsKeys(batch="lane").resolve(adata.obs, "mdata.obs")
    adata.obs["kind"] = "knockout"
    assert "modality" in ObsKeys(modality="kind").columns(adata.obs)
