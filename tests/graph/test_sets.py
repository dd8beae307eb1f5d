import zipfile

import pytest

from txpert.graph import from_gmt, reactome
from txpert.graph._sets import read_gmt

GMT = """Interferon signalling\tR-HSA-1\tJAK2\tSTAT1\tIFNGR1\t\t
Kinases\tR-HSA-2\tJAK2\tTYK2\tJAK2

Alone\tR-HSA-3\tTP53
Empty\tR-HSA-4
"""
HUMAN = "https://reactome.org/PathwayBrowser/#/"
TABLE = f"""3717\tR-HSA-1\t{HUMAN}R-HSA-1\tInterferon\tTAS\tHomo sapiens
6772\tR-HSA-1\t{HUMAN}R-HSA-1\tInterferon\tIEA\tHomo sapiens
6772\tR-HSA-1\t{HUMAN}R-HSA-1\tInterferon\tTAS\tHomo sapiens
999999999\tR-HSA-1\t{HUMAN}R-HSA-1\tunknown gene\tTAS\tHomo sapiens
16451\tR-MMU-1\t{HUMAN}R-MMU-1\tInterferon\tIEA\tMus musculus
"""


def weights(graph):
    return graph.edges.set_index(["source", "target"])["weight"].to_dict()


def test_gmt_with_repeated_and_empty_symbols(write):
    graph = from_gmt(write("sets.gmt", GMT), name="sets")
    assert graph.nodes.tolist() == ["IFNGR1", "JAK2", "STAT1", "TYK2"]
    assert weights(graph)["JAK2", "STAT1"] == 0.5
    assert weights(graph)["IFNGR1", "STAT1"] == 1
    assert ("TYK2", "STAT1") not in weights(graph)


def test_gmt_leaves_out_text_that_stands_for_a_missing_name(write):
    path = write("sets.gmt", "one\td\tJAK2 \tSTAT1\tnan\ntwo\td\tNone\tSTAT1\tNAN\n")
    with pytest.warns(UserWarning, match=r"sets\.gmt: 2 genes of sets are text such as 'nan'"):
        graph = from_gmt(path, name="sets")
    assert graph.nodes.tolist() == ["JAK2", "NAN", "STAT1"]


def test_sizes_threshold_k_and_genes(write):
    path = write("sets.gmt.gz", GMT)
    assert from_gmt(path, name="g", max_size=2).nodes.tolist() == ["JAK2", "TYK2"]
    assert "TP53" in from_gmt(path, name="g", min_size=1).nodes
    assert set(from_gmt(path, name="g", threshold=0.6).weight) == {1.0}
    assert from_gmt(path, name="g", k=1).coverage(["JAK2"])["n_incoming"].item() == 1
    assert from_gmt(path, name="g", genes=["3717", "STAT1"]).nodes.tolist() == ["3717", "STAT1"]


def test_reactome_gmt_in_a_zip_archive(tmp_path):
    path = tmp_path / "ReactomePathways.gmt.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ReactomePathways.gmt", GMT)
    graph = reactome(path)
    assert graph.name == "reactome"
    assert weights(graph)["JAK2", "TYK2"] == 0.5


def test_ncbi2reactome(write):
    graph = reactome(write("NCBI2Reactome.txt", TABLE))
    assert weights(graph) == {("JAK2", "STAT1"): 1, ("STAT1", "JAK2"): 1}


def test_uniprot2reactome_needs_symbols(write):
    path = write("UniProt2Reactome.txt", TABLE.replace("3717", "O60674").replace("6772", "P42224"))
    with pytest.raises(ValueError, match="UniProt accessions such as 'O60674'"):
        reactome(path)
    graph = reactome(path, uniprot={"O60674": "JAK2", "P42224": "STAT1"})
    assert graph.nodes.tolist() == ["JAK2", "STAT1"]
    with pytest.raises(ValueError, match="None of the genes"):
        reactome(path, uniprot={})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("JAK2\nSTAT1\n", "line 1: 'JAK2' is no gene set"),
        (GMT + "oops\n", "line 6: 'oops' is no gene set"),
        ("", "holds no gene sets"),
        ("mouse\t\tStat1\tJak2\tIfngr1\n", r"bad\.gmt look like those of a mouse.*'Stat1'"),
        (TABLE.replace("Homo sapiens", "Mus musculus"), "no pathway of Homo sapiens"),
        ("one\t\tA\ntwo\t\tB\n", "No gene set"),
    ],
)
def test_bad_sets_are_named_with_file_and_line(write, text, message):
    path = write("bad.gmt", text)
    read = reactome if text.startswith(("3717", "mouse")) else from_gmt
    options = {} if read is reactome else {"name": "g"}
    with pytest.raises(ValueError, match=message) as error:
        read(path, **options)
    assert "bad.gmt" in str(error.value)


def test_damaged_archives_and_archives_of_several_files(tmp_path, truncated):
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.gmt", GMT)
        archive.writestr("two.gmt", GMT)
    with pytest.raises(ValueError, match=r"two\.zip holds 2 files"):
        reactome(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"two\.zip is cut off or damaged"):
        reactome(path)
    with pytest.raises(ValueError, match=r"half\.gmt\.gz is cut off or damaged"):
        from_gmt(truncated("half.gmt.gz", GMT * 2000), name="g")


def test_a_binary_file_is_no_text(tmp_path):
    path = tmp_path / "image.gmt"
    path.write_bytes(bytes(range(255, 0, -1)))
    with pytest.raises(ValueError, match=r"image\.gmt is not a text file"):
        from_gmt(path, name="g")


def test_a_byte_order_mark_and_enrichrs_weights_are_no_names(write):
    path = write("sets.gmt", "\ufeffset1\td\tJAK2,1.0\tSTAT1,0.5\nset2\td\tJAK2\tTYK2\n")
    assert read_gmt(path)["name"].unique().tolist() == ["set1", "set2"]
    graph = from_gmt(path, name="g", max_size=9)
    assert graph.nodes.tolist() == ["JAK2", "STAT1", "TYK2"]
    assert graph.provenance[0].endswith("min_size=2, max_size=9)")
