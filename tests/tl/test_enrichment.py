"""Over-representation: by hand, and a set planted in a mean effect."""

import numpy as np
import pytest

import txpert as tx
from txpert._analysis._enrichment import over_representation
from txpert.graph._go import go_sets
from txpert.graph._go_tables import packaged_go, term_names


def test_by_hand():
    background = [f"G{i}" for i in range(10)]
    sets = {"a": ["G0", "G1", "G2", "X"], "b": ["G3"], "c": ["G7", "G8"]}
    table = over_representation(["G0", "G1", "G5", "Y"], background, sets, min_size=1, max_size=5)
    assert table["term"].tolist() == ["a"]
    row = table.iloc[0]
    assert (row["n_set"], row["n_found"], row["genes"]) == (3, 2, "G0|G1")
    assert row["expected"] == pytest.approx(0.9)
    assert row["p_value"] == pytest.approx((3 * 7 + 1) / 120)  # of the 120 triples of ten
    assert row["fdr"] == pytest.approx(3 * 22 / 120)  # three sets tested
    assert over_representation([], background, sets, min_size=1, max_size=5).empty


def test_packaged_terms_hold_their_descendants_genes():
    sets = go_sets(["JAK2", "STAT1", "TP53", "MLL"])
    assert set(sets["GO:0008150"]) == {"JAK2", "STAT1", "TP53", "MLL"}  # biological process
    assert "STAT1" in sets["GO:0060333"]  # interferon gamma signaling
    assert len(sets) > len(go_sets(["JAK2", "STAT1", "TP53", "MLL"], propagate=False))


def test_terms_have_names():
    assert set(term_names()) == set(packaged_go()[1].terms)
    assert term_names()["GO:0005764"] == "lysosome"
    found = ["LAMP1", "LAMP2", "CTSD", "CTSB", "GBA", "NPC1"]
    table = tx.tl.enrichment(found, [*found, *tx.graph.go_genes()[::40]])
    assert table.set_index("term").loc["GO:0005764", "name"] == "lysosome"
    labels = [text.get_text() for text in tx.pl.enrichment(table, n=60).get_yticklabels()]
    assert any(label.startswith("lysosome (6/") for label in labels)
    assert not any(label.startswith("GO:") for label in labels)
    given = tx.tl.enrichment(found, [*found, "A"], gene_sets={"mine": found})
    assert given["name"].tolist() == ["mine"]


def test_a_set_planted_in_the_mean_effect_comes_first(adata):
    tx.tl.screen_report(adata)
    report = adata.uns["txpert_screen_report"]
    down = report["genes"][np.argsort(report["mean_effect"][0])[:8]]
    sets = {"planted": list(down), "other": list(adata.var_names[:30])}
    table = tx.tl.enrichment(adata, gene_sets=sets, n_genes=10)
    assert table["query"].unique().tolist() == [
        "simulated: mean effect up",
        "simulated: mean effect down",
    ]
    first = table[table["query"].str.endswith("down")].iloc[0]
    assert (first["term"], first["n_found"]) == ("planted", 8)
    assert first["fdr"] < 1e-5
    assert adata.uns["txpert_enrichment"] is table


def test_reactome_of_the_interferon_pathway(shared):
    found = ["JAK1", "JAK2", "STAT1", "IFNGR1", "IFNGR2", "IRF1"]
    background = [*found, *tx.graph.go_genes()[::40]]
    table = tx.tl.enrichment(found, background, gene_sets=shared("reactome.gmt.gz"))
    assert "R-HSA-877300" in set(table["term"].head(3))  # interferon gamma signaling
    assert table["fdr"].iloc[0] < 1e-3


def test_drawn_whole():
    background = [f"G{i}" for i in range(200)]
    long = "a set of a long name with $x^2$ " + "and more " * 5
    sets = {f"{i} {long}": background[i : i + 20] for i in range(60)}
    lists = {"one": background[:15], "two of a long name " * 3: background[30:60]}
    ax = tx.pl.enrichment(tx.tl.enrichment(lists, background, gene_sets=sets))
    ax.figure.canvas.draw()
    box, size = ax.figure.get_tightbbox(), ax.figure.get_size_inches()
    assert box.x0 >= -0.03
    assert box.x1 <= size[0] + 0.03


def test_errors(adata):
    with pytest.raises(KeyError, match=r"tx\.tl\.screen_report"):
        tx.tl.enrichment(adata)
    with pytest.raises(ValueError, match="Give the background"):
        tx.tl.enrichment(["A"])
    with pytest.raises(ValueError, match="is in a gene set"):
        tx.tl.enrichment(["A"], ["A"], gene_sets={"s": ["B"]})
