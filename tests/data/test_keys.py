import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.data import ObsKeys, _registrations

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


@pytest.fixture
def written(renamed, tmp_path, monkeypatch):
    """A screen that was set up with other columns, read again by a session that does not know."""
    genes = renamed.obs["gene"].astype(str)
    first, last = genes.min(), genes[genes != "control"].max()
    renamed.obs["perturbation"] = genes.replace(first, last)  # another column, of the default name
    register(renamed)
    renamed.write_h5ad(tmp_path / "written.h5ad")
    monkeypatch.setattr(_registrations, "_registered", {})
    return ad.read_h5ad(tmp_path / "written.h5ad")


def test_a_file_set_up_in_another_session_is_not_read_in_silence(written):
    with pytest.warns(UserWarning, match=r"another session.*\(perturbation,.*setup_anndata"):
        found = tx.pp.pseudobulk(written, control_key="is_nt", batch_key=None, cell_line_key=None)
    assert found.obs["perturbation"].nunique() == 12
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="These data were set up")
        tx.pp.pseudobulk(written, control_key="is_nt", batch_key=None, cell_line_key=None)
        register(written)
        found = tx.pp.pseudobulk(written)
    assert found.obs["perturbation"].nunique() == 13


def test_columns_that_are_named_or_default_need_no_warning(written, adata, tmp_path, monkeypatch):
    named = {f"{name}_key": key for name, key in COLUMNS.items()}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="These data were set up")
        found = tx.pp.pseudobulk(written, **named, split_key=None, modality_key=None)
        assert found.obs["perturbation"].nunique() == 13
        tx.TxPertModel.setup_anndata(adata)
        adata.write_h5ad(tmp_path / "default.h5ad")
        monkeypatch.setattr(_registrations, "_registered", {})
        tx.pp.pseudobulk(ad.read_h5ad(tmp_path / "default.h5ad"))


@pytest.mark.parametrize("named", [{"batch_key": None}, {"control_label": "control"}])
def test_what_is_left_out_is_named_too(adata, tmp_path, monkeypatch, named):
    tx.TxPertModel.setup_anndata(adata, **named)
    adata.write_h5ad(tmp_path / "named.h5ad")
    monkeypatch.setattr(_registrations, "_registered", {})
    with pytest.warns(UserWarning, match="another session"):
        tx.pp.pseudobulk(ad.read_h5ad(tmp_path / "named.h5ad"))


def test_a_copy_with_other_columns_does_not_change_those_of_the_original(renamed):
    register(renamed)
    copy = renamed.copy()
    copy.obs["perturbation"] = copy.obs.pop("gene")
    tx.TxPertModel.setup_anndata(copy, control_key="is_nt", batch_key=None, cell_line_key=None)
    assert set(tx.pp.pseudobulk(renamed).obs["cell_line"]) == {"K562", "RPE1"}
    assert set(tx.pp.pseudobulk(copy).obs["cell_line"]) == {"all"}


def test_only_the_latest_registrations_are_remembered(adata, monkeypatch):
    monkeypatch.setattr(_registrations, "_registered", {})
    monkeypatch.setattr(_registrations, "_MOST_REGISTERED", 6)
    copies = [adata.copy() for _ in range(5)]
    for copy in copies:
        tx.TxPertModel.setup_anndata(copy, batch_key=None)
    assert len(_registrations._registered) == 6
    known = [_registrations.registered_keys(copy) is not None for copy in copies]
    assert known == [False, False, True, True, True]


def test_another_label_of_controls_is_refused_with_a_remedy_that_works(adata):
    labels = adata.obs["perturbation"].astype(str)
    half = (labels == "control") & (np.arange(adata.n_obs) % 2 == 0)
    adata.obs["perturbation"] = labels.mask(half, "NT")
    flags = adata.obs.pop("control")
    remedy = r"control_label='NT' leaves it out.*control_label=\['NT', 'control'\]"
    with pytest.raises(ValueError, match=remedy):
        tx.pp.pseudobulk(adata, control_label="NT")
    with pytest.raises(ValueError, match=remedy.replace("'NT' leaves", r"\['NT'\] leaves")):
        tx.TxPertModel.setup_anndata(adata, control_label="NT")
    tx.TxPertModel.setup_anndata(adata, control_label=["NT", "control"])
    table = tx.pp.pseudobulk(adata)
    assert table.obs.loc[table.obs["control"], "n_cells"].sum() == flags.sum()
