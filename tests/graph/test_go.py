import numpy as np
import pytest

from txpert.graph import go
from txpert.graph._go import go_genes

GAF = """!gaf-version: 2.2
!generated-by: hand
UniProtKB\tP1\tJAK2\tenables\tGO:0004713\tr\tIDA\t\tF\t"quoted\t\tprotein\ttaxon:9606\t2020\tX\t\t
UniProtKB\tP1\tJAK2\tenables\tGO:0004713\tr\tIEA\t\tF\tname\t\tprotein\ttaxon:9606\t2020\tX\t\t
UniProtKB\tP2\tSTAT1\tNOT|enables\tGO:0004713\tr\tIDA\t\tF\tname!\t\tprotein\ttaxon:9606\t2020\tX\t\t
UniProtKB\tP2\tSTAT1\tinvolved_in\tGO:0007259\tr\tIMP\t\tP\tname!\t\tprotein\ttaxon:9606|taxon:1280\t2020\tX\t\t
! a comment between
UniProtKB\tP1\tJAK2\tinvolved_in\tGO:0007259\tr\tIEA\t\tP\tname\t\tprotein\ttaxon:9606\t2020\tX\t\t
UniProtKB\tP3\tNA\tlocated_in\tGO:0005634\tr\tIEA\t\tC\tname\t\tprotein\ttaxon:9606\t2020\tX\t\t
UniProtKB\tP4\t\tlocated_in\tGO:0005634\tr\tIEA\t\tC\tname\t\tprotein\ttaxon:9606\t2020\tX\t\t
UniProtKB\tP5\tStat1\tlocated_in\tGO:0005634\tr\tIEA\t\tC\tname\t\tprotein\ttaxon:10090\t2020\tX\t\t
UniProtKB\tP6\tTYK2\tlocated_in\tGO:0005634\tr\tND\t\tC\tname\t\tprotein\ttaxon:9606\t2020\tX\t\t
"""

GENE2GO = """#tax_id\tGeneID\tGO_ID\tEvidence\tQualifier\tGO_term\tPubMed\tCategory
10090\t16452\tGO:0004713\tIDA\tenables\tkinase\t1\tFunction
9606\t3717\tGO:0004713\tIDA\tenables\tkinase\t1|2\tFunction
9606\t6772\tGO:0004713\tIDA\tNOT enables\tkinase\t-\tFunction
9606\t7297\tGO:0004713\tIEA\tenables\tkinase\t-\tFunction
9606\t999999999\tGO:0004713\tIEA\tenables\tkinase\t-\tFunction
9606\t6772\tGO:0005634\tIEA\tlocated_in\tnucleus\t-\tComponent
"""

OBO = """format-version: 1.2

[Term]
id: GO:0000001
name: above
namespace: biological_process

[Term]
id: GO:0000002
name: part
namespace: biological_process
is_a: GO:0000001 ! above

[Term]
id: GO:0000003
namespace: molecular_function
relationship: part_of GO:0000002 ! part
relationship: regulates GO:0000009 ! not followed

[Term]
id: GO:0000009
namespace: biological_process

[Typedef]
id: part_of
namespace: external
"""


def weights(graph):
    return graph.edges.set_index(["source", "target"])["weight"].to_dict()


def test_packaged_annotations_know_famous_neighbors(neighbors):
    graph = go(["JAK2", "TYK2", "IFNGR1", "IFNGR2", "MAP2K3", "MAP2K6", "RPL3", "PSMA1"], k=1)
    assert neighbors(graph, "JAK2") == {"TYK2"}
    assert neighbors(graph, "IFNGR1") == {"IFNGR2"}
    assert neighbors(graph, "MAP2K3") == {"MAP2K6"}


def test_each_target_has_at_most_k_edges_and_the_history_is_kept():
    graph = go(go_genes()[:300], k=7)
    assert graph.coverage(graph.nodes)["n_incoming"].max() == 7
    assert graph.provenance == (
        "go(packaged, 2022-09, k=7, threshold=0.0, propagate=False, evidence=all but ND, "
        "ontologies=BP/MF/CC, term_weights=information)",
    )
    assert go(go_genes()[:300], k=7) == graph


def test_genes_keep_the_names_they_were_asked_for_by():
    graph = go(["MLL", "ENSG00000096968", "6772", "not a gene"])
    assert graph.nodes.tolist() == ["MLL", "ENSG00000096968", "6772"]


@pytest.mark.parametrize(
    ("genes", "message"),
    [
        (["ENSMUSG00000024789"], "mouse"),
        (["ENSG99999999999"], "Ensembl"),
        (["nothing"], "None of the 1 genes"),
        ([], "None of the 0 genes"),
    ],
)
def test_genes_unknown_to_go_are_explained(genes, message):
    with pytest.raises(ValueError, match=message):
        go(genes)


def test_gaf_as_published(write):
    graph = go(annotations=write("goa.gaf.gz", GAF), k=None, term_weights="uniform")
    # TYK2 has no annotation but ND, the nameless protein has no name, NOT does not count.
    assert graph.nodes.tolist() == ["JAK2", "NA", "STAT1"]
    assert weights(graph) == {("JAK2", "STAT1"): 0.5, ("STAT1", "JAK2"): 0.5}


def test_filters_of_evidence_and_ontology(write):
    path = write("goa.gaf", GAF)
    assert go(annotations=path, evidence=["IDA", "IMP"]).n_edges == 0
    assert weights(go(annotations=path, ontologies=["BP"]))["JAK2", "STAT1"] == 1
    assert go(annotations=path, evidence=["ND"]).nodes.tolist() == ["TYK2"]
    with pytest.raises(ValueError, match=r"No GO annotation has evidence .*there are IDA, IEA"):
        go(annotations=path, evidence=["TAS"])
    with pytest.raises(ValueError, match="no evidence code 'XYZ', only EXP"):
        go(annotations=path, evidence=["IDA", "XYZ"])
    with pytest.raises(ValueError, match=r"write \['IDA'\]"):
        go(annotations=path, evidence="IDA")
    with pytest.raises(ValueError, match="ontologies must be among"):
        go(annotations=path, ontologies=["function"])
    with pytest.raises(ValueError, match=r"write \['BP'\]"):
        go(annotations=path, ontologies="BP")


def test_gene2go_as_published(write):
    graph = go(annotations=write("gene2go.gz", GENE2GO), k=None)
    assert graph.nodes.tolist() == ["JAK2", "STAT1", "TYK2"]
    assert weights(graph) == {("JAK2", "TYK2"): 1, ("TYK2", "JAK2"): 1}


def annotate(*pairs):
    row = "X\tP\t{}\tq\t{}\tr\tIDA\t\t{}\tn\ts\tprotein\ttaxon:9606\td\tX\t\t\n"
    return "!gaf-version: 2.2\n" + "".join(row.format(*pair) for pair in pairs)


def test_propagation_follows_is_a_and_part_of_within_the_ontologies(write):
    obo = write("go.obo", OBO)
    gaf = write("a.gaf", annotate(("A", "GO:0000003", "F"), ("B", "GO:0000001", "P")))
    assert go(annotations=gaf).n_edges == 0
    # A has terms 3, 2 and 1; B has 1.
    graph = go(annotations=gaf, obo=obo, propagate=True, term_weights="uniform")
    assert weights(graph)["A", "B"] == pytest.approx(1 / 3)
    # The ancestors of A's function are processes.
    assert go(annotations=gaf, obo=obo, propagate=True, ontologies=["MF"]).n_edges == 0


def test_a_term_of_few_genes_counts_more(write):
    shared = [("A", "GO:0000001", "P"), ("B", "GO:0000001", "P")]
    frequent = [(gene, "GO:0000002", "P") for gene in "ACDEF"]
    gaf = write("a.gaf", annotate(*shared, *frequent))
    rare, common = np.log(7 / 2) / np.log(7), np.log(7 / 5) / np.log(7)
    weighted = weights(go(annotations=gaf))
    assert weighted["A", "B"] == pytest.approx(rare / (rare + common), abs=2e-3)
    assert weighted["A", "C"] == pytest.approx(common / (rare + common), abs=2e-3)
    assert weighted["C", "D"] == 1
    uniform = weights(go(annotations=gaf, term_weights="uniform"))
    assert uniform["A", "B"] == uniform["A", "C"] == 0.5


def test_what_a_term_says_does_not_depend_on_the_genes_asked_for():
    whole = weights(go(go_genes()[:300], k=None))
    some = weights(go(go_genes()[:100], k=None))
    assert some == {pair: whole[pair] for pair in some}


def test_terms_missing_from_the_ontology_are_kept_as_they_are(write):
    gaf = write("a.gaf", annotate(("A", "GO:7777777", "F"), ("B", "GO:7777777", "F")))
    assert weights(go(annotations=gaf, propagate=True))["A", "B"] == 1


def test_propagation_joins_genes_with_different_terms():
    direct = go(["RPL3", "PSMA1", "JAK2"], k=None)
    propagated = go(["RPL3", "PSMA1", "JAK2"], k=None, propagate=True)
    assert propagated.weight.mean() > direct.weight.mean()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("symbol\tterm\n", "neither a GAF file.*nor.*gene2go"),
        ("!gaf-version: 2.2\nonly\tthree\tcolumns\n", "not a GAF file of 15"),
        ("!gaf-version: 2.2\n", "not a GAF file"),
        (GAF.replace("taxon:9606", "taxon:10090"), "no human annotations.*taxon:10090"),
        (GENE2GO.replace("9606", "10090"), "no human annotations.*'10090'"),
        (GENE2GO.replace("Evidence", "Code"), "no column 'Evidence'"),
        (annotate(("A", "GO:0000001", "Q")), "ontology 'Q'"),
    ],
)
def test_other_files_are_not_annotations(write, text, message):
    with pytest.raises(ValueError, match=message):
        go(annotations=write("file.txt", text))


def test_files_that_are_missing_or_cut_off(truncated, write, tmp_path):
    with pytest.raises(ValueError, match=r"half\.gaf\.gz is cut off or damaged"):
        go(annotations=truncated("half.gaf.gz", GAF * 500))
    with pytest.raises(ValueError, match=r"half\.gz is cut off or damaged"):
        go(annotations=truncated("half.gz", GENE2GO + GENE2GO.partition("\n")[2] * 5000))
    with pytest.raises(FileNotFoundError, match=r"none\.gaf"):
        go(annotations=tmp_path / "none.gaf")
    with pytest.raises(ValueError, match="no Gene Ontology terms"):
        go(obo=write("x.obo", "[Term]\nid: HP:1\n"), propagate=True)
