"""Several files as one screen: the same as their concatenation in memory."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import txpert as tx

pytest.importorskip("dask.array")
pytest.importorskip("xarray")

DROPPED = 5


@pytest.fixture
def lines(adata):
    """The same screen in two cell lines, the second one without the first genes."""
    other = adata.copy()
    other.X = sparse.csr_matrix(other.X * np.float32(1.1))
    adata.obs["cell_line"], other.obs["cell_line"] = "K562", "RPE1"
    return {"first": adata, "second": other[:, DROPPED:].copy()}


def written(screens, folder, endings=("h5ad", "zarr")):
    paths = []
    for (name, screen), ending in zip(screens.items(), endings, strict=True):
        paths.append(folder / f"{name}.{ending}")
        getattr(screen, f"write_{ending}")(paths[-1])
    return paths


def in_memory(screens):
    whole = ad.concat(screens, join="outer", label="file", index_unique="-", fill_value=0)
    tx.pp.mark_unmeasured(whole, {"RPE1": screens["first"].var_names[:DROPPED]})
    return whole


def test_pseudobulk_is_that_of_the_concatenation(lines, tmp_path):
    opened = tx.pp.open_screen(written(lines, tmp_path))
    assert hasattr(opened.X, "__dask_graph__")
    expected = in_memory(lines)
    assert opened.obs["file"].tolist() == expected.obs["file"].tolist()
    assert opened.obs_names.is_unique
    assert opened.obs_names.tolist() == expected.obs_names.tolist()
    found = tx.pp.pseudobulk(opened)[:, expected.var_names]
    wanted = tx.pp.pseudobulk(expected)
    pd.testing.assert_frame_equal(found.obs, wanted.obs)
    np.testing.assert_allclose(found.X, wanted.X, atol=1e-5)
    lacking = found[found.obs["cell_line"] == "RPE1"].X[:, :DROPPED]
    assert np.isnan(lacking).all()


def test_predictions_are_those_of_the_concatenation(lines, tmp_path, make_model):
    opened = tx.pp.open_screen(written(lines, tmp_path))
    expected = in_memory(lines)[:, opened.var_names].copy()
    predicted = [
        make_model(screen, components=["gaussian_process"], epochs=1).predict("GENE3").X
        for screen in (opened, expected)
    ]
    np.testing.assert_allclose(*predicted, atol=1e-5)


def test_genes_that_all_files_have(lines, tmp_path):
    opened = tx.pp.open_screen(written(lines, tmp_path), genes="shared")
    assert opened.var_names.tolist() == lines["second"].var_names.tolist()
    assert "txpert_measured" not in opened.varm


def test_one_line_with_two_panels(lines, tmp_path):
    lines["second"].obs["cell_line"] = "K562"
    paths = written(lines, tmp_path)
    with pytest.warns(UserWarning, match=r"'K562', 5 are not in all of them.*cell_line"):
        opened = tx.pp.open_screen(paths)
    assert opened.var_names.tolist() == lines["second"].var_names.tolist()


def test_blocks_of_rows_are_large_and_bounded(lines, tmp_path, monkeypatch):
    monkeypatch.setattr("txpert.data._lazy._FEWEST_ROWS", 10)
    monkeypatch.setattr("txpert.data._lazy._BLOCK", 100 * 60)
    opened = tx.pp.open_screen(written(lines, tmp_path))
    largest = 100 * 60 // (60 - DROPPED)
    for matrix in (opened.X, opened.layers["counts"]):
        assert max(matrix.chunks[0]) == largest
        assert sparse.issparse(matrix.blocks[0].compute())


def test_a_mark_of_a_file_stays(lines, tmp_path):
    tx.pp.mark_unmeasured(lines["first"], {"K562": ["GENE20"]})
    measured = tx.pp.open_screen(written(lines, tmp_path)).varm["txpert_measured"]
    assert not measured.loc["GENE20", "K562"]
    assert measured.loc["GENE20", "RPE1"]
    assert measured["K562"].sum() == len(measured) - 1


def test_names_of_files(lines, tmp_path):
    paths = written(lines, tmp_path, ("h5ad", "h5ad"))
    named = tx.pp.open_screen({"a": paths[0], "b": paths[1]}, file_key="study")
    assert named.obs["study"].unique().tolist() == ["a", "b"]
    (tmp_path / "other").mkdir()
    lines["second"].write_h5ad(tmp_path / "other" / "first.h5ad")
    with pytest.raises(ValueError, match=r"both be named 'first'.*dictionary"):
        tx.pp.open_screen([paths[0], tmp_path / "other" / "first.h5ad"])
    with pytest.raises(ValueError, match=r"first.h5ad is listed twice"):
        tx.pp.open_screen([paths[0], str(paths[0])])
    with pytest.raises(ValueError, match=r"first.h5ad has a column 'perturbation' already"):
        tx.pp.open_screen(paths, file_key="perturbation")


def test_what_is_wrong_names_the_file(lines, tmp_path):
    first = written(lines, tmp_path)[0]
    with pytest.raises(FileNotFoundError, match=r"no file .*third.h5ad"):
        tx.pp.open_screen([first, tmp_path / "third.h5ad"])
    with pytest.raises(ValueError, match="files is empty"):
        tx.pp.open_screen([])
    with pytest.raises(TypeError, match="not AnnData"):
        tx.pp.open_screen([lines["first"]])
    (tmp_path / "text.h5ad").write_text("no file of that kind")
    with pytest.raises(ValueError, match=r"text.h5ad is no h5ad or zarr file"):
        tx.pp.open_screen([first, tmp_path / "text.h5ad"])

    def changed(change):
        screen = lines["second"].copy()
        change(screen)
        path = tmp_path / "changed.h5ad"
        screen.write_h5ad(path)
        return [first, path]

    with pytest.raises(KeyError, match=r"changed.h5ad has no column 'perturbation'"):
        tx.pp.open_screen(changed(lambda s: s.obs.pop("perturbation")))
    with pytest.raises(KeyError, match=r"changed.h5ad has no column 'batch'.*first.h5ad"):
        tx.pp.open_screen(changed(lambda s: s.obs.pop("batch")))
    with pytest.raises(ValueError, match=r"changed.h5ad holds raw counts.*first.h5ad log"):
        tx.pp.open_screen(changed(lambda s: setattr(s, "X", s.layers["counts"])))
    with pytest.raises(KeyError, match=r"changed.h5ad: There is no layer 'counts'"):
        tx.pp.open_screen(changed(lambda s: s.layers.pop("counts")), layer="counts")


def test_files_normalized_to_other_sums(raw_counts, tmp_path):
    screens = {}
    for name, total in (("first", 4_000), ("second", 10_000)):
        screens[name] = raw_counts.copy()
        tx.pp.normalize(screens[name], target_sum=total)
    with pytest.raises(ValueError, match=r"second.zarr are normalized to 10,000.*to 4,000"):
        tx.pp.open_screen(written(screens, tmp_path))


def test_objects_in_place_of_an_anndata_are_refused_with_what_to_do(adata):
    collection = ad.experimental.AnnCollection([adata, adata], index_unique="-")
    for data in (collection, [adata, adata]):
        with pytest.raises(TypeError, match=r"tx\.pp\.open_screen"):
            tx.TxPertModel.setup_anndata(data)
