import re

import pytest

from txpert._gene_names import (
    ENSEMBL_ANY,
    ENSEMBL_ID,
    LABEL_SEPARATOR,
    MISSING_GENES,
    MISSING_LABELS,
    NODE_SEPARATOR,
    without_version,
)


@pytest.mark.parametrize("name", ["ENSG00000115415", "ENSMUSG00000026104.12"])
def test_ids_of_genes_of_any_species(name):
    assert ENSEMBL_ID.fullmatch(name)
    assert re.match(ENSEMBL_ANY, name)
    assert without_version(name) == name.partition(".")[0]


@pytest.mark.parametrize("name", ["ENST00000381652", "RP11-34P13.7", "JAK2.1", "ensure"])
def test_other_names_are_no_ids_of_genes(name):
    assert not ENSEMBL_ID.fullmatch(name)
    assert without_version(name) == name


def test_na_is_a_gene_of_databases_and_no_perturbation():
    assert "na" in MISSING_LABELS
    assert "NA" not in MISSING_GENES


@pytest.mark.parametrize("sign", ["_", "|", " || ", "; ", ", ", "/"])
def test_signs_between_genes_separate_labels_and_nodes(sign):
    assert LABEL_SEPARATOR.split(f"A{sign}B") == ["A", "B"]
    assert [part for part in re.split(NODE_SEPARATOR, f"A{sign}B") if part] == ["A", "B"]


def test_spaces_and_colons_belong_to_names_of_nodes():
    assert re.split(NODE_SEPARATOR, "HGNC:6192") == ["HGNC:6192"]
    assert re.split(NODE_SEPARATOR, "AK 4+AK 7") == ["AK 4", "AK 7"]
