"""Files of screens and folders for results, as commands read and write them."""

import anndata as ad
import pandas as pd
import pytest

import txpert as tx
from txpert import _screen_files as files


def test_labels_that_mean_control_are_found_in_their_own_spelling():
    labels = pd.Series(["KLF1", "ctrl", "NT", "KLF1+ctrl", "ctrl+control", "ctrl", "NT5E"])
    assert files.usual_control_labels(labels) == ["ctrl", "NT", "ctrl+control"]
    assert files.usual_control_labels(labels.astype("category")[:1]) == []
    with pytest.raises(ValueError, match="empty part"):
        files.usual_control_labels(pd.Series(["KLF1+"]))


def test_a_file_is_read_without_the_registration_of_another_session(adata, tmp_path):
    tx.TxPertModel.setup_anndata(adata)
    adata.write_h5ad(tmp_path / "screen.h5ad")
    assert "_scvi_uuid" in ad.read_h5ad(tmp_path / "screen.h5ad").uns
    read = files.read_h5ad(tmp_path / "screen.h5ad")
    assert not [name for name in read.uns if name.startswith("_scvi")]
    assert not files.has_counts(read)
    read.X = read.layers["counts"]
    assert files.has_counts(read)


def test_a_folder_that_stays_empty_is_removed(tmp_path):
    out = tmp_path / "a" / "b"
    with pytest.raises(RuntimeError), files.folder_for_results(out):
        raise RuntimeError
    assert not out.parent.exists()
    with files.folder_for_results(out):
        (out / "result").write_text("kept")
    with pytest.raises(RuntimeError), files.folder_for_results(out):
        raise RuntimeError
    assert (out / "result").exists()
