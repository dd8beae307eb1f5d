"""The paper's record, from small files on a local server that answers as Zenodo's API does."""

import hashlib
import io
import json
import zipfile

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from local_record import name_in, serving

import txpert as tx
from txpert.datasets import _record

LABELS = ["ctrl", "KLF1+ctrl", "AHR+KLF1", "ctrl"]
COLUMNS = {"perturbation_key": "condition", "control_label": "ctrl"}
GENES = ["AHR", "KLF1", "STAT1"]


@pytest.fixture
def zenodo(monkeypatch, tmp_path):
    """Serve one record; return its files, what was asked for, and changes to the listing."""
    files, asked, changed = {}, [], {}
    path = f"/records/{_record.RECORD}"

    def listing():
        entries = [
            {
                "id": f"id-{name}",
                "key": name,
                "size": len(data),
                "checksum": f"md5:{hashlib.md5(data).hexdigest()}",
                "links": {"self": f"{_record.SITE}/api{path}/files/{name}/content"},
            }
            for name, data in files.items()
        ]
        record = {
            "id": int(_record.RECORD),
            "doi": f"10.5281/zenodo.{_record.RECORD}",
            "metadata": {"title": "Data", "license": {"id": "cc-by-4.0"}},
            "files": entries,
        }
        return json.dumps(record | changed).encode()

    def answer(asked_for):
        asked.append(asked_for)
        return listing() if asked_for == f"/api{path}" else files.get(name_in(asked_for))

    with serving(answer) as address:
        monkeypatch.setattr(_record, "SITE", address)
        monkeypatch.setenv("TXPERT_CACHE", str(tmp_path / "cache"))
        yield files, asked, changed


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """A published h5ad file of four cells, as bytes, and its counts."""
    obs = pd.DataFrame(
        {"condition": LABELS, "lane": [1, 1, 2, 2], "cell_type": "K562"},
        index=[f"cell{i}" for i in range(4)],
    )
    counts = np.arange(12, dtype=np.float32).reshape(4, 3)
    path = tmp_path_factory.mktemp("screen") / "screen.h5ad"
    ad.AnnData(counts, obs, pd.DataFrame(index=GENES)).write_h5ad(path)
    return path.read_bytes(), counts


def zipped(**members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"data/{name}.h5ad", data)
    return packed.getvalue()


def test_files_are_listed_as_zenodo_says(zenodo):
    zenodo[0]["screen.zip"] = b"12345"
    table = tx.datasets.txpert_2026_files()
    md5 = hashlib.md5(b"12345").hexdigest()
    assert table.loc["screen.zip"].to_dict() == {"size": 5, "md5": md5, "license": "cc-by-4.0"}


@pytest.mark.parametrize("kind", ["h5ad", "zip"])
def test_a_screen_by_columns_that_are_named(zenodo, screen, tmp_path, kind):
    data, counts = screen
    zenodo[0][f"screen.{kind}"] = data if kind == "h5ad" else zipped(screen=data)
    options = {**COLUMNS, "batch_key": "lane", "cell_line_key": "cell_type"}
    adata = tx.datasets.txpert_2026(f"screen.{kind}", **options)
    assert list(adata.obs["perturbation"]) == ["control", "KLF1", "AHR+KLF1", "control"]
    assert list(adata.obs["control"]) == [True, False, False, True]
    assert list(adata.obs["batch"]) == ["1", "1", "2", "2"]
    assert set(adata.obs["cell_line"]) == {"K562"}
    assert np.array_equal(adata.layers["counts"].toarray(), counts)
    assert adata.uns["screen"]["collection"] == "10.5281/zenodo.15420279"
    n_asked = len(zenodo[1])
    assert n_asked == 2
    tx.datasets.txpert_2026(f"screen.{kind}", **options)
    # Other columns are another conversion of the same download.
    without = tx.datasets.txpert_2026(f"screen.{kind}", **COLUMNS, backed=True)
    assert without.isbacked
    assert "batch" not in without.obs
    without.file.close()
    assert len(zenodo[1]) == n_asked
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()], "unpacked stays"


def test_log_normalized_values_are_taken_as_they_are(zenodo, screen, tmp_path):
    adata = ad.read_h5ad(io.BytesIO(screen[0]))
    adata.X = np.log1p(adata.X)
    adata.write_h5ad(tmp_path / "log.h5ad")
    zenodo[0]["log.h5ad"] = (tmp_path / "log.h5ad").read_bytes()
    with pytest.raises(ValueError, match="does not hold raw counts"):
        tx.datasets.txpert_2026("log.h5ad", **COLUMNS)
    loaded = tx.datasets.txpert_2026("log.h5ad", **COLUMNS, counts=False)
    assert np.allclose(loaded.X.toarray(), np.log1p(screen[1]))
    assert "counts" not in loaded.layers


def test_columns_that_are_called_otherwise_are_named(zenodo, screen):
    zenodo[0]["screen.h5ad"] = screen[0]
    with pytest.raises(KeyError, match=r"no obs column 'gene'.* It has: condition, lane"):
        tx.datasets.txpert_2026("screen.h5ad", perturbation_key="gene", control_label="ctrl")
    with pytest.raises(KeyError, match="no obs column 'batch'"):
        tx.datasets.txpert_2026("screen.h5ad", **COLUMNS, batch_key="batch")
    with pytest.raises(ValueError, match="no control cells: 'cell_type' is nowhere 'NT' or 'x'"):
        tx.datasets.txpert_2026(
            "screen.h5ad", perturbation_key="cell_type", control_label=["NT", "x"]
        )


def test_controls_are_those_that_are_named_and_no_others(zenodo, screen):
    zenodo[0]["screen.h5ad"] = screen[0]
    with pytest.raises(ValueError, match="no control cells: 'condition' is nowhere 'q'"):
        tx.datasets.txpert_2026("screen.h5ad", perturbation_key="condition", control_label="q")


def test_an_h5ad_file_has_no_members(zenodo, screen):
    zenodo[0]["screen.h5ad"] = screen[0]
    with pytest.raises(ValueError, match=r"is an h5ad file, and member='data/a.h5ad' names"):
        tx.datasets.txpert_2026("screen.h5ad", **COLUMNS, member="data/a.h5ad")


def test_several_members_are_told_apart(zenodo, screen):
    zenodo[0]["two.zip"] = zipped(a=screen[0], b=screen[0])
    with pytest.raises(ValueError, match=r"'data/a.h5ad', 'data/b.h5ad'; name one by member="):
        tx.datasets.txpert_2026("two.zip", **COLUMNS)
    with pytest.raises(ValueError, match="not 'c'"):
        tx.datasets.txpert_2026("two.zip", **COLUMNS, member="c")
    assert tx.datasets.txpert_2026("two.zip", **COLUMNS, member="data/b.h5ad").n_obs == 4


def test_what_is_damaged_or_missing_is_refused_and_leaves_nothing(zenodo, screen, tmp_path):
    files, _, changed = zenodo
    files["screen.h5ad"] = screen[0]
    with pytest.raises(ValueError, match=r"has no file 'other.zip'; it has screen.h5ad"):
        tx.datasets.txpert_2026("other.zip", **COLUMNS)
    checksum = f"md5:{hashlib.md5(b'another').hexdigest()}"
    changed["files"] = [{"key": "screen.h5ad", "size": 1, "checksum": checksum}]
    with pytest.raises(ValueError, match=r"has the MD5 .* damaged or of another release"):
        tx.datasets.txpert_2026("screen.h5ad", **COLUMNS)
    for entries in ([{"key": "screen.h5ad"}], [{"key": "a", "size": 1, "checksum": "x"}], None):
        changed["files"] = entries
        with pytest.raises(ValueError, match="does not list files with key, size and checksum"):
            tx.datasets.txpert_2026("screen.h5ad", **COLUMNS)
    assert list((tmp_path / "cache").iterdir()) == []


def test_offline_the_error_names_the_address_and_a_copy_serves(monkeypatch, screen, tmp_path):
    monkeypatch.setattr(_record, "SITE", "http://127.0.0.1:9")
    monkeypatch.setenv("TXPERT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ConnectionError, match=r"127.0.0.1:9/records/15420279 and give path="):
        tx.datasets.txpert_2026("screen.zip", **COLUMNS)
    copy = tmp_path / "copy.zip"
    copy.write_bytes(zipped(screen=screen[0]))
    assert tx.datasets.txpert_2026("screen.zip", **COLUMNS, path=copy).n_obs == 4
    copy.write_bytes(b"<html>Too many requests</html>")
    with pytest.raises(ValueError, match="is no h5ad file; it starts with '<html>Too many"):
        tx.datasets.txpert_2026("screen.zip", **COLUMNS, path=copy)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        tx.datasets.txpert_2026("screen.zip", **COLUMNS, path=tmp_path / "nowhere.zip")
