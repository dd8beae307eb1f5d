"""Public screens, from files of a few cells in the layouts published, on a local server."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import txpert as tx
from txpert.datasets import _public as public
from txpert.datasets._layout import Layout


def test_norman_has_pairs_and_counts(publish, record):
    labels = ["control", "KLF1_AHR", "KLF1", "AHR"]
    _, counts = publish(
        "norman_2019", labels, matrix=sparse.csc_matrix, gemgroup=[1, 2, 1, 2], nperts=[0, 2, 1, 1]
    )
    adata = tx.datasets.norman_2019()
    assert list(adata.obs["perturbation"]) == ["control", "AHR+KLF1", "KLF1", "AHR"]
    assert list(adata.obs["control"]) == [True, False, False, False]
    assert list(adata.obs["batch"]) == ["1", "2", "1", "2"]
    assert set(adata.obs["cell_line"]) == {"K562"}
    assert set(adata.obs["modality"]) == {"CRISPRa"}
    assert list(adata.obs["published_label"]) == labels
    assert np.array_equal(adata.X.toarray(), counts)
    assert np.array_equal(adata.layers["counts"].toarray(), counts)
    assert np.shares_memory(adata.layers["counts"].data, adata.X.data), "counts are held twice"
    assert adata.uns["screen"]["reference"] == "10.1126/science.aax4438"
    tx.pp.normalize(adata)
    assert np.array_equal(adata.layers["counts"].toarray(), counts)


CALLS = {
    "replogle_2022_k562_essential": (tx.datasets.replogle_2022, (), "K562"),
    "replogle_2022_k562_genome_wide": (
        tx.datasets.replogle_2022,
        ("K562", "genome_wide"),
        "K562",
    ),
    "replogle_2022_rpe1_essential": (tx.datasets.replogle_2022, ("RPE1",), "RPE1"),
    "nadig_2025_hepg2": (tx.datasets.nadig_2025, (), "HepG2"),
    "nadig_2025_jurkat": (tx.datasets.nadig_2025, ("Jurkat",), "Jurkat"),
}


@pytest.mark.parametrize("name", CALLS)
def test_screens_of_essential_genes(publish, name):
    load, arguments, line = CALLS[name]
    # A label with "_" is one gene here: the screens have no combinations.
    labels = ["control", "STAT1", "KLF1_ENSG1", "STAT1"]
    _, counts = publish(name, labels, batch=[1, 1, 2, 2], gene=labels, nperts=[0, 1, 1, 1])
    adata = load(*arguments)
    assert list(adata.obs["perturbation"]) == labels
    assert set(adata.obs["cell_line"]) == {line}
    assert set(adata.obs["modality"]) == {"CRISPRi"}
    assert list(adata.obs["batch"]) == ["1", "1", "2", "2"]
    assert np.array_equal(adata.X.toarray(), counts)


def test_adamson_has_two_controls_plasmids_and_unusable_cells(publish):
    labels = ["62(mod)_pBA581", "63(mod)_pBA580", "KLF1_pDS269", "*", None, "AHR_pDS1-2"]
    labels.append("Gal4-4(mod)_pBA582")
    _, counts = publish("adamson_2016", labels)
    adata = tx.datasets.adamson_2016()
    assert list(adata.obs["perturbation"]) == ["control", "control", "KLF1", "AHR"]
    assert np.array_equal(adata.X.toarray(), counts[[0, 1, 2, 5]])
    assert adata.uns["screen"]["n_cells_left_out"] == 3
    assert "batch" not in adata.obs


def test_guides_of_papalexi_are_pooled_and_replicates_are_batches(publish):
    labels = ["control", "STAT1g1", "STAT1g2", "KLF1g10"]
    publish("papalexi_2021", labels, hto=["rep1-tx", "rep1-tx", "rep2-tx", "rep2-tx"])
    adata = tx.datasets.papalexi_2021()
    assert list(adata.obs["perturbation"]) == ["control", "STAT1", "STAT1", "KLF1"]
    assert list(adata.obs["batch"]) == ["rep1-tx", "rep1-tx", "rep2-tx", "rep2-tx"]
    assert set(adata.obs["modality"]) == {"knockout"}


def test_any_screen_of_the_collection(publish):
    publish(
        "",
        ["control", "A_B", "A_1", "B"],
        file="SomeoneElse2020.h5ad",
        nperts=[0, 2, 1, 1],
        celltype="iPSC",
        perturbation_type="CRISPR-cas9",
    )
    adata = tx.datasets.scperturb("SomeoneElse2020")
    assert list(adata.obs["perturbation"]) == ["control", "A+B", "A_1", "B"]
    assert set(adata.obs["cell_line"]) == {"iPSC"}
    assert set(adata.obs["modality"]) == {"knockout"}
    with pytest.raises(ValueError, match=r"'\.\./x' is no name of a file"):
        tx.datasets.scperturb("../x")


def test_a_listed_screen_by_its_file_is_the_same(publish, record):
    publish("papalexi_2021", ["control", "STAT1g1"])
    by_file = tx.datasets.scperturb("PapalexiSatija2021_eccite_RNA.h5ad")
    assert list(by_file.obs["perturbation"]) == ["control", "STAT1"]
    tx.datasets.papalexi_2021()
    assert record[1] == ["PapalexiSatija2021_eccite_RNA.h5ad"]


def test_it_is_downloaded_and_converted_once_and_may_stay_on_disk(publish, record, tmp_path):
    publish("norman_2019", ["control", "AHR"], gemgroup=[1, 1])
    tx.datasets.norman_2019()
    (tmp_path / "cache" / "NormanWeissman2019_filtered.h5ad").unlink()
    on_disk = tx.datasets.norman_2019(backed=True)
    assert len(record[1]) == 1
    assert on_disk.isbacked
    assert tx.pp.pseudobulk(on_disk, target_sum=100).n_obs == 2
    on_disk.file.close()


@pytest.mark.parametrize("matrix", [np.asarray, sparse.csr_matrix])
def test_more_cells_than_are_read_at_once(publish, matrix):
    labels = ["AHR", *["control"] * 4_999]
    labels[4_500] = "nan"
    _, counts = publish("norman_2019", labels, matrix=matrix)
    adata = tx.datasets.norman_2019()
    assert np.array_equal(adata.X.toarray(), np.delete(counts, 4_500, axis=0))
    assert adata.obs["control"].sum() == 4_998


def test_another_file_than_the_one_listed_is_refused(publish, record, tmp_path):
    publish("norman_2019", ["control", "AHR"])
    record[0]["NormanWeissman2019_filtered.h5ad"] += b"\0"
    with pytest.raises(ValueError, match=r"has the MD5 .* damaged or of another release"):
        tx.datasets.norman_2019()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_web_page_is_refused(record, tmp_path):
    record[0]["NormanWeissman2019_filtered.h5ad"] = b"<html>Too many requests</html>"
    with pytest.raises(ValueError, match="no h5ad file; it starts with '<html>Too many"):
        tx.datasets.norman_2019()
    assert list((tmp_path / "cache").iterdir()) == []


def test_offline_the_error_names_address_and_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(public, "RECORD", "http://127.0.0.1:9/files")
    with pytest.raises(ConnectionError) as error:
        tx.datasets.replogle_2022("RPE1", cache_dir=tmp_path)
    message = str(error.value)
    assert "http://127.0.0.1:9/files/ReplogleWeissman2022_rpe1.h5ad?download=1" in message
    assert f"put it at {tmp_path}/ReplogleWeissman2022_rpe1.h5ad" in message
    assert 'tx.datasets.replogle_2022("RPE1", path=\'.../ReplogleWeissman2022_rpe1' in message


def test_a_copy_of_ones_own_needs_no_network(publish, record):
    path, _ = publish("norman_2019", ["control", "AHR_KLF1"])
    adata = tx.datasets.norman_2019(path=path)
    assert list(adata.obs["perturbation"]) == ["control", "AHR+KLF1"]
    publish("norman_2019", ["AHR", "control", "KLF1"])
    assert tx.datasets.norman_2019(path=path).n_obs == 3, "the file has changed"
    assert record[1] == []
    with pytest.raises(FileNotFoundError, match="nowhere"):
        tx.datasets.norman_2019(path=path.with_name("nowhere.h5ad"))


def test_what_is_not_as_published_is_refused_and_leaves_nothing(publish, tmp_path):
    path, _ = publish("norman_2019", ["AHR", "KLF1"])
    with pytest.raises(ValueError, match="no control cells: 'perturbation' is nowhere 'control'"):
        tx.datasets.norman_2019(path=path)
    path, _ = publish("norman_2019", ["control", "KLF1"], matrix=lambda counts: counts / 2)
    with pytest.raises(ValueError, match="does not hold raw counts"):
        tx.datasets.norman_2019(path=path)
    assert list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(KeyError, match=r"no obs column 'target'.* It has: perturbation"):
        Layout(perturbation="target").obs(pd.DataFrame({"perturbation": ["A"]}), "a.h5ad")


def test_screens_that_do_not_exist_are_named():
    with pytest.raises(ValueError, match=r"no screen 'RPE1_genome_wide'; there are .*RPE1"):
        tx.datasets.replogle_2022("RPE1", "genome_wide")
    with pytest.raises(ValueError, match="nadig_2025 has no screen 'K562'"):
        tx.datasets.nadig_2025("K562")


def test_they_are_listed_with_license_and_reference():
    table = tx.datasets.show()
    assert table["address"].str.startswith("https://zenodo.org/records/").all()
    assert table["reference"].str.startswith("10.").all()
    assert table["md5"].str.fullmatch("[0-9a-f]{32}").all()
    assert (table[["license", "call", "cell_line", "modality"]] != "").all(axis=None)
    assert table["md5"].is_unique
