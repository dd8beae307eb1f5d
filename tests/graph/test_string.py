import numpy as np
import pytest

from txpert.graph import _string, string

# As published: both directions; P1b is a second protein of JAK2.
LINKS = """protein1 protein2 combined_score
9606.ENSP01 9606.ENSP02 900
9606.ENSP02 9606.ENSP01 900
9606.ENSP1b 9606.ENSP02 950
9606.ENSP02 9606.ENSP1b 950
9606.ENSP01 9606.ENSP1b 999
9606.ENSP1b 9606.ENSP01 999
9606.ENSP01 9606.ENSP03 400
9606.ENSP03 9606.ENSP01 400
9606.ENSP02 9606.ENSP03 399
9606.ENSP03 9606.ENSP02 399
9606.ENSP01 9606.ENSP99 800
9606.ENSP99 9606.ENSP01 800
"""
INFO = """#string_protein_id\tpreferred_name\tprotein_size\tannotation
9606.ENSP01\tJAK2\t1132\tTyrosine "kinase; it's
9606.ENSP1b\tJAK2\t900\tshorter
9606.ENSP02\tSTAT1\t750\tname
9606.ENSP03\tMLL\t3969\tan old symbol
9606.ENSP04\t\t1\tno name
"""
ALIASES = """#string_protein_id\talias\tsource
9606.ENSP01\tJTK10\tUniProt_AC
9606.ENSP01\tJanus\tUniProt_GN_Name
9606.ENSP01\tJAK2\tEnsembl_HGNC_symbol
9606.ENSP1b\tJAK2\tUniProt_GN_Name
9606.ENSP02\tSTAT1\tBioMart_HUGO
9606.ENSP03\tKMT2A\tEnsembl_HGNC_symbol
"""
DETAILED = """protein1 protein2 neighborhood fusion cooccurence coexpression experimental \
database textmining combined_score
9606.ENSP01 9606.ENSP02 0 0 0 62 800 500 990 998
9606.ENSP02 9606.ENSP01 0 0 0 62 800 500 990 998
9606.ENSP01 9606.ENSP03 0 0 0 900 0 0 0 900
9606.ENSP03 9606.ENSP01 0 0 0 900 0 0 0 900
"""


@pytest.fixture
def files(write):
    return write("links.txt.gz", LINKS), write("info.txt.gz", INFO)


def weights(graph):
    return graph.edges.set_index(["source", "target"])["weight"].round(4).to_dict()


def test_links_and_names_as_published(files):
    graph = string(*files)
    assert weights(graph) == pytest.approx(
        {
            ("JAK2", "STAT1"): 0.95,
            ("STAT1", "JAK2"): 0.95,
            ("JAK2", "MLL"): 0.4,
            ("MLL", "JAK2"): 0.4,
        }
    )
    assert graph.provenance == ("string(combined score, min_score=400)", "top_k(k=20)")


def test_files_given_are_read_before_anything_is_downloaded(write, files, tmp_path, monkeypatch):
    def fetch(source, **_):
        raise ConnectionError(f"{source} is downloaded")

    monkeypatch.setattr(_string, "fetch", fetch)
    with pytest.raises(ValueError, match="is no STRING links file"):
        string(write("mine.tsv", "source\ttarget\nJAK2\tSTAT1\n"))
    with pytest.raises(FileNotFoundError):
        string(names=tmp_path / "none.txt")
    with pytest.raises(ConnectionError, match="string_info is downloaded"):
        string(files[0])
    with pytest.raises(ConnectionError, match="string_links is downloaded"):
        string(names=files[1])


def test_lines_read_in_small_chunks_give_the_same(files, monkeypatch):
    whole = string(*files)
    monkeypatch.setattr(_string, "_ROWS", 3)
    assert string(*files) == whole


def test_aliases_name_proteins_by_their_best_source(files, write):
    graph = string(files[0], write("aliases.txt", ALIASES))
    assert graph.nodes.tolist() == ["JAK2", "KMT2A", "STAT1"]


def test_min_score_k_and_genes_under_new_names(files):
    assert string(*files, min_score=401).n_edges == 2
    assert string(*files, min_score=0).n_edges == 6
    graph = string(*files, min_score=0, genes=["KMT2A", "STAT1"], k=1)
    assert weights(graph) == pytest.approx({("KMT2A", "STAT1"): 0.399, ("STAT1", "KMT2A"): 0.399})


def test_channels_are_combined_by_strings_formula(write, files):
    links = write("detailed.txt.gz", DETAILED)
    graph = string(links, files[1], channels=["experimental", "database"], min_score=150)
    p = 0.041
    own = (np.array([0.8, 0.5]) - p) / (1 - p)
    combined = 1 - (1 - own).prod()
    assert weights(graph)["JAK2", "STAT1"] == pytest.approx(
        combined + p * (1 - combined), abs=1e-4
    )
    assert ("JAK2", "MLL") not in weights(graph)
    one = string(links, files[1], channels=["coexpression"])
    assert weights(one)["JAK2", "MLL"] == pytest.approx(0.9)


def test_a_channel_that_the_file_lacks_is_named(files):
    with pytest.raises(KeyError, match="no channel 'experimental', only combined_score"):
        string(*files, channels=["experimental"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source\ttarget\nA\tB\n", "no STRING links file.*from_edges"),
        (LINKS.replace("9606.", "10090."), r"mouse.*'9606\.'"),
        (LINKS.replace(" 950\n", " high\n", 1), "line 4: combined_score is 'high'"),
        (LINKS.replace(" 950\n", " \n", 1), "line 4: combined_score is nan"),
        (LINKS.replace(" 950\n", " -950\n", 1), "line 4: combined_score is -950"),
        (LINKS.replace(" 950\n", " 9500\n", 1), "line 4: combined_score is 9500"),
        (LINKS.replace("9606.ENSP1b 9606.ENSP02", " 9606.ENSP02", 1), "line 4: protein1 is empty"),
        (LINKS.partition("\n")[0] + "\n", "no link of a score"),
        (LINKS.replace("ENSP", "ENSQ"), "names none of the proteins"),
    ],
)
def test_bad_links_are_named_with_file_and_line(write, files, text, message):
    with pytest.raises(ValueError, match=message) as error:
        string(write("bad.txt", text), files[1])
    assert "bad.txt" in str(error.value)


def test_links_in_place_of_names(files):
    with pytest.raises(ValueError, match=r"neither STRING's protein\.info nor protein\.aliases"):
        string(files[0], files[0])


def test_cut_off_links_and_missing_files(truncated, files, tmp_path):
    lines = "".join(f"9606.ENSP{i:05d} 9606.ENSP{i * 7 % 5000:05d} 900\n" for i in range(20000))
    path = truncated("half.txt.gz", LINKS + lines)
    with pytest.raises(ValueError, match=r"half\.txt\.gz is cut off or damaged"):
        string(path, files[1])
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        string(tmp_path / "none.txt", files[1])


def test_genes_of_a_mouse_are_refused(files):
    with pytest.raises(ValueError, match="mouse"):
        string(*files, genes=["Nothing1", "Trp53"])


def test_a_channel_named_twice_counts_once(write, files):
    links = write("detailed.txt", "\ufeff" + DETAILED)
    once = string(links, files[1], channels=["experimental"])
    assert once == string(links, files[1], channels=["experimental", "experimental"])
    assert weights(once)["JAK2", "STAT1"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": []}, "names no channel"),
        ({"channels": "experimental"}, r"write \['experimental'\]"),
        ({"min_score": 0.7}, "is a probability, .* write 700"),
        ({"min_score": "high"}, "must lie between 0 and 1000"),
        ({"min_score": None}, "must lie between 0 and 1000"),
    ],
)
def test_options_that_choose_nothing_are_refused(files, options, message):
    with pytest.raises(ValueError, match=message):
        string(*files, **options)
