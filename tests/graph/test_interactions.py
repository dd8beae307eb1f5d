import zipfile

import pytest

from txpert.graph import biogrid, intact

COLUMNS = [
    "#BioGRID Interaction ID",
    "Entrez Gene Interactor A",
    "Official Symbol Interactor A",
    "Official Symbol Interactor B",
    "Experimental System",
    "Experimental System Type",
    "Publication Source",
    "Organism ID Interactor A",
    "Organism ID Interactor B",
    "Score",
]
TAB3 = "\n".join(
    "\t".join(row)
    for row in [
        COLUMNS,
        ["1", "3717", "JAK2", "STAT1", "Two-hybrid", "physical", "PUBMED:1", "9606", "9606", "-"],
        ["2", "6772", "STAT1", "JAK2", "Western", "physical", "PUBMED:2", "9606", "9606", "-"],
        ["3", "6772", "STAT1", "JAK2", "MS", "physical", "PUBMED:2", "9606", "9606", "9.1"],
        ["4", "3717", "JAK2", "JAK2", "Two-hybrid", "physical", "PUBMED:1", "9606", "9606", "-"],
        ["5", "3717", "JAK2", "TYK2", "Lethality", "genetic", "PUBMED:3", "9606", "9606", "-"],
        ["6", "3717", "JAK2", "Stat1", "Two-hybrid", "physical", "PUBMED:4", "9606", "10090", "-"],
        ["7", "3717", "JAK2", "-", "Two-hybrid", "physical", "PUBMED:4", "9606", "9606", "-"],
    ]
)
MITAB = "\n".join(
    "\t".join(row)
    for row in [
        [
            "#ID(s) interactor A",
            "Alias(es) interactor A",
            "Alias(es) interactor B",
            "Taxid interactor A",
            "Taxid interactor B",
            "Confidence value(s)",
        ],
        [
            "uniprotkb:O60674",
            "psi-mi:jak2_human(display_long)|uniprotkb:JAK2(gene name)|psi-mi:JAK2(display_short)",
            'uniprotkb:"HLA-A"(gene name)|uniprotkb:HLAA(gene name synonym)',
            "taxid:9606(human)|taxid:9606(Homo sapiens)",
            "taxid:9606(human)",
            "author score:high|intact-miscore:0.56",
        ],
        [
            "x",
            "uniprotkb:STAT1(gene name)",
            "uniprotkb:JAK2(gene name)",
            "taxid:9606(human)",
            "taxid:9606(human)",
            "intact-miscore:0.3",
        ],
        ["x", "-", "uniprotkb:JAK2(gene name)", "taxid:-2(chemical)", "taxid:9606(human)", "-"],
        ["x", "-", "uniprotkb:JAK2(gene name)", "taxid:9606(human)", "taxid:9606(human)", "-"],
    ]
)


def weights(graph):
    return graph.edges.set_index(["source", "target"])["weight"].round(4).to_dict()


def test_biogrid_counts_publications_of_human_physical_interactions(write):
    graph = biogrid(write("BIOGRID.tab3.txt", TAB3))
    assert weights(graph) == {("JAK2", "STAT1"): 2, ("STAT1", "JAK2"): 2}
    assert graph.provenance == ("biogrid(system='physical')", "top_k(k=20)")


def test_biogrid_genetic_all_and_genes(write):
    path = write("BIOGRID.tab3.txt", TAB3)
    assert set(weights(biogrid(path, system="genetic"))) == {("JAK2", "TYK2"), ("TYK2", "JAK2")}
    assert biogrid(path, system="all").n_edges == 4
    assert biogrid(path, system="all", genes=["3717", "TYK2"]).nodes.tolist() == ["3717", "TYK2"]


def test_biogrid_reads_the_human_file_of_the_archive(tmp_path):
    path = tmp_path / "BIOGRID-ORGANISM-LATEST.tab3.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("BIOGRID-ORGANISM-Homo_sapiens-4.4.tab3.txt", TAB3)
        archive.writestr("BIOGRID-ORGANISM-Mus_musculus-4.4.tab3.txt", "mouse")
    assert biogrid(path).n_edges == 2


def test_intact_reads_gene_names_and_scores(write):
    graph = intact(write("human.txt", MITAB))
    assert weights(graph) == pytest.approx(
        {
            ("JAK2", "HLA-A"): 0.56,
            ("HLA-A", "JAK2"): 0.56,
            ("JAK2", "STAT1"): 0.3,
            ("STAT1", "JAK2"): 0.3,
        }
    )
    assert intact(write("human.txt.gz", MITAB), min_score=0.5).n_edges == 2


def test_intact_reads_the_right_file_of_the_archive(tmp_path):
    path = tmp_path / "human.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("human.txt", MITAB)
        archive.writestr("human_negative.txt", "pairs that do not interact")
    assert intact(path).n_edges == 4


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (biogrid, MITAB, "no BioGRID tab3 file.*'Official Symbol Interactor A'"),
        (biogrid, TAB3.replace("9606", "10090"), "no human interaction.*'10090'"),
        (biogrid, TAB3.replace("physical", "other"), "no physical interaction.*'other'"),
        (biogrid, TAB3.partition("\n")[0], "no human interaction.*no rows"),
        (intact, TAB3, "no PSI-MI TAB file"),
        (intact, MITAB.replace("9606", "10090"), "no human interaction"),
        (intact, MITAB.replace("miscore", "other"), "no interaction with a score"),
    ],
)
def test_other_files_are_named(write, read, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read(write("bad.txt", text))
    assert "bad.txt" in str(error.value)


def test_system_is_checked_and_cut_off_files_are_named(write, truncated):
    with pytest.raises(ValueError, match="'physical', 'genetic' or 'all'"):
        biogrid(write("x.txt", TAB3), system="both")
    text = TAB3 + ("\n" + TAB3.partition("\n")[2]) * 3000
    with pytest.raises(ValueError, match=r"half\.gz is cut off or damaged"):
        biogrid(truncated("half.gz", text))
