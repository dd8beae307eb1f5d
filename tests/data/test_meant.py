"""Names that a user asks for, and the genes that they stand for."""

import warnings

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.data._meant import meant

NODES = pd.Index(["KLF1", "JAK2", "STAT1", "KMT2A", "HLA-A", "NKX2-1"])


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("klf1", "KLF1"),
        (" Klf1 ", "KLF1"),
        ("JAK2_STAT1", "JAK2+STAT1"),
        ("JAK2,STAT1", "JAK2+STAT1"),
        ("jak2 | stat1", "JAK2+STAT1"),
        ("JAK2 and STAT1", "JAK2+STAT1"),
        ("JAK2_ctrl", "JAK2+ctrl"),
        ("MLL", "KMT2A"),
        ("mll+KLF1", "KMT2A+KLF1"),
        ("ENSG00000096968.13", "JAK2"),
        ("MINE7", "STAT1"),
        ("HLA_A", "HLA-A"),
    ],
)
def test_names_are_understood(asked, expected):
    assert meant([asked], NODES, {"MINE7": "STAT1"}) == {asked: expected}


@pytest.mark.parametrize("asked", ["KLF1", "JAK2+STAT1", "control", "KLF1+ctrl", "NKX2-1", "NOPE"])
def test_what_is_clear_or_unknown_stays(asked):
    assert meant([asked, "JAK2_NOPE"], NODES) == {}


def test_names_are_looked_up_among_ensembl_ids():
    assert meant(["JAK2"], pd.Index(["ENSG00000096968"])) == {"JAK2": "ENSG00000096968"}


def test_a_symbol_in_lower_case_is_not_the_alias_of_another_gene():
    assert meant(["elk3", "slit2"], pd.Index(["KCNH8", "SLIT3"])) == {}
    assert meant(["elk3"], pd.Index(["KCNH8", "ELK3"])) == {"elk3": "ELK3"}


def test_guides_of_replogle_are_not_split_at_their_strand():
    assert meant(["KLF1_+_12998101.23-P1P2"], NODES) == {}


def test_two_genes_that_differ_in_case_are_not_guessed():
    assert meant(["abc1"], pd.Index(["ABC1", "Abc1"])) == {}


def test_predict_says_which_names_were_meant(adata, make_model):
    adata.var["gene_ids"] = [f"ENSG{i:011d}" for i in range(900, 900 + adata.n_vars)]
    model = make_model(adata)
    expected = model.predict(["GENE3+GENE5", adata.var_names[7]])
    match = r"Read 'gene3_GENE5' as 'GENE3\+GENE5'"
    with pytest.warns(UserWarning, match=match) as caught:
        found = model.predict(["gene3_GENE5", adata.var["gene_ids"].iloc[7]])
    assert [warning.filename for warning in caught] == [__file__]
    assert found.obs["perturbation"].tolist() == expected.obs["perturbation"].tolist()
    np.testing.assert_array_equal(found.X, expected.X)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.predict(["GENE3", "control"])


def test_builders_know_combinations_and_spellings():
    graph = tx.graph.KnowledgeGraph("g", ["JAK2", "STAT1", "KLF1"], [0, 1], [1, 2], [1.0, 1.0])
    assert list(graph.match(["JAK2_STAT1", "KLF1+JAK2"]).nodes) == ["JAK2", "STAT1", "KLF1"]
    with pytest.warns(UserWarning, match="Read 'jak2' as 'JAK2'"):
        assert list(graph.match(["jak2", "STAT1"]).nodes) == ["jak2", "STAT1"]
