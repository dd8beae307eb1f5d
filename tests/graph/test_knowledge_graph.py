import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from txpert.graph import KnowledgeGraph
from txpert.graph._arrays import EdgeArrays

EDGES = pd.DataFrame(
    {
        "source": ["A", "B", "B", "C", "D", "A"],
        "target": ["B", "A", "C", "C", "C", "C"],
        "weight": [1.0, 2.0, 3.0, 9.0, 3.0, 1.0],
    }
)


@st.composite
def graphs(draw):
    n = draw(st.integers(2, 8))
    node = st.integers(0, n - 1)
    edges = draw(st.lists(st.tuples(node, node, st.sampled_from([0.0, 0.5, 1, 2])), max_size=40))
    source, target, weight = zip(*edges, strict=True) if edges else ((), (), ())
    names = [f"G{i}" for i in draw(st.permutations(range(n)))]
    return KnowledgeGraph("random", names, source, target, weight)


def pairs(graph):
    return set(zip(graph.source.tolist(), graph.target.tolist(), strict=True))


def test_self_loops_go_and_the_heaviest_of_repeated_edges_stays():
    edges = pd.concat([EDGES, EDGES.assign(weight=0.5)])
    graph = KnowledgeGraph.from_edges(edges, name="g")
    assert graph.n_edges == 5
    assert graph.edges.set_index(["source", "target"])["weight"].to_dict() == {
        ("A", "B"): 1,
        ("B", "A"): 2,
        ("B", "C"): 3,
        ("D", "C"): 3,
        ("A", "C"): 1,
    }


def test_columns_may_have_other_names_and_rows_stand_for_both_directions():
    table = EDGES.rename(columns={"source": "from", "target": "to", "weight": "score"})
    graph = KnowledgeGraph.from_edges(
        table, name="g", source="from", target="to", weight="score", directed=False
    )
    assert pairs(graph) == {(target, source) for source, target in pairs(graph)}
    assert graph.coverage(["B"]).loc["B", "n_incoming"] == 2


@pytest.mark.parametrize("name", ["edges.csv", "edges.tsv", "edges.tsv.gz", "edges.csv.gz"])
def test_edge_files_are_read_and_na_is_a_gene(write, name):
    separator = "," if ".csv" in name else "\t"
    text = EDGES.replace("A", "NA").to_csv(sep=separator, index=False)
    graph = KnowledgeGraph.from_edges(write(name, text), name="g")
    assert graph.nodes.tolist() == ["B", "C", "D", "NA"]
    assert graph.provenance[0].startswith("from_edges(")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"weight": [1, 2, 3, 4, 5, -1]}, ValueError, "Row 5 .*weight = -1"),
        ({"weight": [1, 2, np.nan, 4, 5, 1]}, ValueError, "Row 2 .*nan"),
        ({"weight": [1, 2, 3, 4, np.inf, 1]}, ValueError, "Row 4 .*inf"),
        ({"weight": list("abcdef")}, ValueError, "Row 0 .*'a'"),
        ({"target": ["B", None, "C", "C", "C", "C"]}, ValueError, "Row 1 .*no gene symbol"),
        ({"source": ["A", "B", "", "C", "D", "A"]}, ValueError, "Row 2 .*no gene symbol"),
    ],
)
def test_bad_rows_are_named(change, error, message):
    with pytest.raises(error, match=message):
        KnowledgeGraph.from_edges(EDGES.assign(**change), name="g")


@pytest.mark.parametrize("text", ["nan", "NaN", "None", " ", "<NA>", None, np.nan])
def test_text_that_stands_for_a_missing_symbol_is_counted_and_refused(text):
    edges = EDGES.assign(source=["A", text, "B", text, "D", "A"])
    with pytest.raises(ValueError, match=r"Row 1 .*\(of 2 such rows\) has no gene symbol"):
        KnowledgeGraph.from_edges(edges, name="g")


def test_spaces_around_symbols_are_removed():
    spaced = EDGES.assign(source=["A ", " B", "B", "C", "D\t", "A"])
    assert KnowledgeGraph.from_edges(spaced, name="g") == KnowledgeGraph.from_edges(
        EDGES, name="g"
    )


def test_edge_tables_are_cut_as_the_builders_cut():
    whole = KnowledgeGraph.from_edges(EDGES, name="g")
    cut = KnowledgeGraph.from_edges(EDGES, name="g", genes=["C", "B", "A"], min_weight=2, k=1)
    assert cut == whole.threshold(2).match(["C", "B", "A"]).top_k(1)
    assert cut.provenance[1:] == ("threshold(minimum=2)", "match(3 genes found)", "top_k(k=1)")
    with pytest.raises(ValueError, match="None of the 1 genes"):
        KnowledgeGraph.from_edges(EDGES, name="g", genes=["X"])


def test_a_missing_column_is_named_with_those_there_are():
    with pytest.raises(KeyError, match=r"'gene1'.*'source', 'target', 'weight'"):
        KnowledgeGraph.from_edges(EDGES, name="g", source="gene1")


def test_files_that_are_missing_empty_or_cut_off_are_named(write, truncated, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.tsv"):
        KnowledgeGraph.from_edges(tmp_path / "nothing.tsv", name="g")
    with pytest.raises(ValueError, match=r"void\.tsv is empty"):
        KnowledgeGraph.from_edges(write("void.tsv", ""), name="g")
    text = "source\ttarget\n" + "".join(f"G{i}\tG{i * 7}\n" for i in range(5000))
    with pytest.raises(ValueError, match=r"half\.tsv\.gz is cut off or damaged"):
        KnowledgeGraph.from_edges(truncated("half.tsv.gz", text), name="g")


def test_negative_weights_can_be_made_absolute_or_dropped():
    signed = EDGES.assign(weight=[1, -2, 3, 4, -5, 6])
    absolute = KnowledgeGraph.from_edges(signed, name="g", negative="absolute")
    assert sorted(absolute.weight) == [1, 2, 3, 5, 6]
    dropped = KnowledgeGraph.from_edges(signed, name="g", negative="drop")
    assert sorted(dropped.weight) == [1, 3, 6]
    assert "D" in dropped.nodes
    with pytest.raises(ValueError, match="negative must be"):
        KnowledgeGraph.from_edges(signed, name="g", negative="ignore")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["A", "A"], [], [], []), "'A' more than once"),
        ((["A", ""], [], [], []), "non-empty"),
        ((["A", "nan"], [], [], []), "non-empty .* not 'nan'"),
        ((["A", "B "], [], [], []), "without spaces around it, not 'B '"),
        ((["A", "B"], [0], [2], [1]), "does not have"),
        ((["A", "B"], [0], [-1], [1]), "does not have"),
        ((["A", "B"], [0], [1], [-1]), "A → B has weight -1"),
        ((["A", "B"], [0], [1, 0], [1]), "one length"),
        ((["A", "B"], [0.9], [1], [1]), "source holds 0.9, not a node's position"),
        ((["A", "B"], [0], [np.nan], [1]), "target holds nan"),
        ((["A", "B"], [0], [1], [1j]), "complex weights"),
        ((["A", "B"], [0], [1], [1], "abc"), r"write \['abc'\]"),
    ],
)
def test_the_constructor_refuses_what_is_no_graph(arguments, message):
    with pytest.raises(ValueError, match=message):
        KnowledgeGraph("g", *arguments)


@given(graphs(), st.integers(1, 4))
def test_top_k_keeps_the_heaviest_into_each_target_and_first_of_ties(graph, k):
    kept = pairs(graph.top_k(k))
    for target in range(graph.n_nodes):
        into = np.flatnonzero(graph.target == target)
        best = sorted(into, key=lambda i: (-graph.weight[i], graph.source[i]))[:k]
        assert {(s, t) for s, t in kept if t == target} == {
            (graph.source[i], target) for i in best
        }


@given(graphs(), st.integers(1, 4), st.integers(0, 10))
def test_the_heaviest_edges_are_the_same_in_any_order(graph, k, seed):
    order = np.random.default_rng(seed).permutation(graph.n_edges)
    edges = EdgeArrays(graph.source, graph.target, graph.weight)
    np.testing.assert_array_equal(edges.take(order).top_k(k).tidy(), edges.top_k(k))


@given(graphs(), st.floats(0, 1))
def test_top_fraction_is_exact_and_keeps_the_heaviest(graph, fraction):
    kept = graph.top_fraction(fraction)
    assert kept.n_edges == round(fraction * graph.n_edges)
    lost = pairs(graph) - pairs(kept)
    weight = dict(zip(zip(graph.source, graph.target, strict=True), graph.weight, strict=True))
    if lost and kept.n_edges:
        assert max(weight[pair] for pair in lost) <= kept.weight.min()


def test_threshold_keeps_edges_of_exactly_that_weight():
    graph = KnowledgeGraph("g", ["A", "B"], [0, 1], [1, 0], [0.7, 0.69])
    assert graph.threshold(0.7).edges["source"].tolist() == ["A"]


@given(graphs(), st.data())
def test_restrict_is_what_pandas_would_do(graph, data):
    genes = data.draw(st.lists(st.sampled_from(graph.nodes.tolist()), unique=True))
    edges = graph.edges
    expected = edges[edges["source"].isin(genes) & edges["target"].isin(genes)]
    kept = graph.restrict(genes)
    assert kept.nodes.tolist() == [node for node in graph.nodes if node in genes]
    assert kept.edges.to_records(index=False).tolist() == expected.to_records(index=False).tolist()


@given(graphs())
def test_reversing_twice_changes_nothing(graph):
    assert graph.reverse().reverse() == graph
    assert pairs(graph.reverse()) == {(t, s) for s, t in pairs(graph)}


def test_normalize():
    graph = KnowledgeGraph("g", ["A", "B", "C"], [0, 1, 0], [2, 2, 1], [1, 3, 4])
    assert graph.normalize("max").weight.max() == 1
    by_target = graph.normalize("target").edges.groupby("target")["weight"].sum()
    assert by_target.tolist() == [1, 1]
    symmetric = graph.normalize("symmetric").edges.set_index(["source", "target"])["weight"]
    assert symmetric["A", "C"] == pytest.approx(1 / np.sqrt(5 * 4))
    with pytest.raises(ValueError, match="'max', 'target' or 'symmetric'"):
        graph.normalize("mean")
    nothing = KnowledgeGraph("g", ["A", "B"], [0], [1], [0])
    assert nothing.normalize("symmetric").weight.tolist() == [0]


def test_match_meets_old_symbols_and_other_ids_on_either_side():
    graph = KnowledgeGraph("g", ["KMT2A", "JAK2", "FOXL2NB"], [0, 1], [1, 2], [1, 2])
    matched = graph.match(["ENSG00000096968", "MLL", "NOTHING"])
    assert matched.edges.to_records(index=False).tolist() == [("MLL", "ENSG00000096968", 1)]
    old = KnowledgeGraph("g", ["MLL", "JAK2"], [0], [1], [1])
    assert old.match(["JAK2", "KMT2A"]).nodes.tolist() == ["JAK2", "KMT2A"]


def test_match_gives_a_node_one_name_its_own_first():
    graph = KnowledgeGraph("g", ["KMT2A", "JAK2"], [0], [1], [1])
    assert graph.match(["MLL", "KMT2A", "JAK2"]).nodes.tolist() == ["KMT2A", "JAK2"]


def test_match_without_a_common_gene_says_what_the_genes_look_like():
    graph = KnowledgeGraph("g", ["KMT2A", "JAK2"], [0], [1], [1])
    with pytest.raises(ValueError, match="mouse"):
        graph.match(["Stat1", "Trp53"])
    with pytest.warns(UserWarning, match="Read 'Jak2' as 'JAK2'"):
        assert graph.match(["Jak2"]).nodes.tolist() == ["Jak2"]


def test_filters_compose_and_remember():
    graph = KnowledgeGraph.from_edges(EDGES, name="g").threshold(1).top_k(1).drop(0.5, seed=3)
    assert graph.provenance == (
        "from_edges(6 rows)",
        "threshold(minimum=1)",
        "top_k(k=1)",
        "drop(fraction=0.5, seed=3)",
    )


@given(graphs())
@settings(max_examples=25)
def test_dictionary_and_file_give_the_graph_back(tmp_path_factory, graph):
    graph = graph.top_k(3)
    again = KnowledgeGraph.from_dict(graph.to_dict())
    path = tmp_path_factory.mktemp("graph") / "graph.bin"
    graph.save(path)
    loaded = KnowledgeGraph.load(path)
    assert again == graph == loaded
    assert again.provenance == graph.provenance == loaded.provenance


def test_an_older_file_stays_whole_where_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "graph.npz"
    graph = KnowledgeGraph.from_edges(EDGES, name="g")
    graph.save(path)

    def on_a_full_disk(file, **_):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", on_a_full_disk)
    with pytest.raises(OSError, match=r"graph\.npz could not be written \(No space left"):
        graph.top_k(1).save(path)
    assert KnowledgeGraph.load(path) == graph
    assert list(tmp_path.iterdir()) == [path]


def test_loading_something_else_is_an_error(write, tmp_path):
    with pytest.raises(ValueError, match=r"text\.npz is not a graph"):
        KnowledgeGraph.load(write("text.npz", "no archive"))
    np.savez(tmp_path / "other.npz", nodes=np.arange(3))
    with pytest.raises(ValueError, match="lacks name, source, target, weight"):
        KnowledgeGraph.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        KnowledgeGraph.load(tmp_path / "none.npz")


@pytest.mark.parametrize("fraction", [-0.1, 1.1, np.nan])
@pytest.mark.parametrize("method", ["top_fraction", "drop", "rewire"])
def test_fractions_lie_between_0_and_1(method, fraction):
    graph = KnowledgeGraph.from_edges(EDGES, name="g")
    with pytest.raises(ValueError, match="between 0 and 1"):
        getattr(graph, method)(fraction)


def test_k_must_be_positive():
    with pytest.raises(ValueError, match="at least 1"):
        KnowledgeGraph.from_edges(EDGES, name="g").top_k(0)


def test_edges_in_order_are_not_sorted_again():
    edges = EdgeArrays(np.array([1, 2, 0]), np.array([0, 0, 1]), np.ones(3, dtype=np.float32))
    assert edges.tidy() is edges
    for source, target in (([2, 1, 0], [0, 0, 1]), ([1, 1, 0], [0, 0, 1]), ([1, 0], [0, 0])):
        mixed = EdgeArrays(np.array(source), np.array(target), np.ones(len(source), np.float32))
        tidied = mixed.tidy()
        assert tidied is not mixed
        assert tidied.tidy() is tidied


def test_gene_columns_are_read_as_they_are_written(write):
    path = write("edges.tsv", "source\ttarget\tweight\n1E5\t2E3\t1\nTRUE\t0012\t2\n")
    graph = KnowledgeGraph.from_edges(path, name="g")
    assert graph.nodes.tolist() == ["0012", "1E5", "2E3", "TRUE"]
    named = write("named.csv", "\ufeffa,b\n0012,JAK2\n")
    graph = KnowledgeGraph.from_edges(named, name="g", source="a", target="b")
    assert graph.nodes.tolist() == ["0012", "JAK2"]


@pytest.mark.parametrize("target", [[6772.0, 7297.0], ["6772", 7297.0], [6772, 7297]])
def test_whole_numbers_are_entrez_ids(target):
    table = pd.DataFrame({"source": [3717.0, 3717.0], "target": target})
    graph = KnowledgeGraph.from_edges(table, name="g")
    assert graph.nodes.tolist() == ["3717", "6772", "7297"]


def test_match_ignores_versions_of_ensembl_ids_and_spaces():
    table = pd.DataFrame({"source": ["ENSG00000228630"], "target": ["ENSG00000299999.4"]})
    graph = KnowledgeGraph.from_edges(table, name="g")
    genes = ["ENSG00000228630.5", "ENSG00000299999.6"]
    assert graph.match(genes).edges[["source", "target"]].to_numpy().tolist() == [genes]
    own = ["ENSG00000299999.6", "ENSG00000299999.4"]
    assert graph.match(own).nodes.tolist() == ["ENSG00000299999.4"]
    symbols = KnowledgeGraph("g", ["JAK2", "STAT1"], [0], [1], [1])
    assert symbols.match([" JAK2", "STAT1 "]) == symbols


def test_mouse_genes_that_are_lost_are_named():
    graph = KnowledgeGraph("g", ["TP53", "JAK2"], [0], [1], [1])
    with pytest.warns(UserWarning, match=r"Read 'Jak2' as 'JAK2'\. Not found: Trp53\. .*mouse"):
        graph.match(["Trp53", "Jak2"])


def test_the_history_tells_how_rows_were_read():
    graph = KnowledgeGraph.from_edges(EDGES, name="g", weight="weight", directed=False)
    assert graph.provenance == ("from_edges(6 rows, weight='weight', directed=False)",)


@pytest.mark.parametrize("weight", [[1 + 2j], np.array([1 + 2j], dtype=object)])
def test_complex_weights_are_refused(weight):
    table = pd.DataFrame({"source": ["A"], "target": ["B"], "weight": weight})
    with pytest.raises(ValueError, match="complex numbers"):
        KnowledgeGraph.from_edges(table, name="g")


@pytest.mark.parametrize("columns", [["source", "source", "target"], ["source", "target"] * 2])
def test_a_column_that_stands_twice_is_refused(columns):
    table = pd.DataFrame([["A", "B", "C", "D"][: len(columns)]], columns=columns)
    with pytest.raises(ValueError, match="several columns"):
        KnowledgeGraph.from_edges(table, name="g")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda g: g.rename([("A", "B")]), TypeError, "dictionary of new names"),
        (lambda g: g.coverage("JAK2"), ValueError, r"write \['JAK2'\]"),
        (lambda _: KnowledgeGraph.load(None), TypeError, "path must be a path"),
        (lambda _: KnowledgeGraph.from_dict({}), KeyError, "lacks name, nodes"),
        (lambda _: KnowledgeGraph.from_dict(None), TypeError, "a dictionary, not None"),
    ],
)
def test_what_methods_do_not_take_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(KnowledgeGraph.from_edges(EDGES, name="g"))
