from importlib import resources

import pandas as pd
import pytest

from txpert.graph import go, map_genes


def test_every_kind_of_name_is_mapped_and_reported():
    names = ["JAK2", "MLL", "ENSG00000115415.20", 6772, "C1ORF43", "MLL2", "Stat1", "JAK2"]
    report = map_genes(names)
    assert report["kind"].to_dict() == {
        "JAK2": "symbol",
        "MLL": "alias",
        "ENSG00000115415.20": "ensembl",
        "6772": "entrez",
        "C1ORF43": "alias",
        "MLL2": "ambiguous",
        "Stat1": "unknown",
    }
    assert report["symbol"].dropna().tolist() == ["JAK2", "KMT2A", "STAT1", "STAT1", "C1orf43"]
    assert report.loc["MLL2", "candidates"] == "KMT2B|KMT2D"
    assert (report["candidates"] != "").sum() == 1


def test_a_current_symbol_wins_over_an_alias_of_another_gene():
    # GAS1 is a gene of its own; NAT1 is also an alias of others.
    report = map_genes(["NAT1", "GAS1"])
    assert report["symbol"].tolist() == ["NAT1", "GAS1"]
    assert set(report["kind"]) == {"symbol"}


def test_no_names_give_an_empty_report():
    assert map_genes([]).empty


def test_a_single_string_is_not_taken_for_its_letters():
    with pytest.raises(ValueError, match=r"list of gene names, \['JAK2'\]"):
        map_genes("JAK2")
    with pytest.raises(ValueError, match="list of gene names"):
        go("JAK2")


def test_packaged_files_are_small_and_their_licenses_stand_beside_them():
    data = resources.files("txpert.graph") / "data"
    assert len((data / "genes_human.tsv.gz").read_bytes()) < 1e6
    assert len((data / "go_human.npz").read_bytes()) < 2e6
    assert len((data / "go_names.tsv.gz").read_bytes()) < 3e5
    text = (data / "README.txt").read_text()
    assert "CC BY 4.0" in text
    assert "public domain" in text


def test_all_symbols_entrez_and_ensembl_ids_of_the_real_table_are_found(shared):
    table = pd.read_csv(shared("gene_info.tsv.gz"), sep="\t", dtype=str, keep_default_na=False)
    assert map_genes(table["symbol"])["symbol"].tolist() == table["symbol"].tolist()
    assert map_genes(table["entrez"])["symbol"].tolist() == table["symbol"].tolist()
    ensembl = table["ensembl"][(table["ensembl"] != "") & ~table["ensembl"].duplicated(keep=False)]
    assert (map_genes(ensembl)["kind"] == "ensembl").all()
