import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.graph import (
    KnowledgeGraph,
    depmap,
    from_features,
    from_networkx,
    from_screen,
    to_networkx,
    union,
)
from txpert.graph._several import share_nodes

FEATURES = pd.DataFrame(
    [[1.0, 0, 2], [2, 0, 4.1], [-1, 0, -2.2], [0, 1, 0]], index=["JAK2", "STAT1", "MLL", "TP53"]
)


def test_absolute_joins_opposites_and_positive_does_not(neighbors):
    both = from_features(FEATURES, name="f", top_fraction=1)
    assert neighbors(both, "JAK2") == {"STAT1", "MLL"}
    alike = from_features(FEATURES, name="f", top_fraction=1, sign="positive")
    assert neighbors(alike, "JAK2") == {"STAT1"}
    assert both.coverage(["TP53"])["n_incoming"].item() == 0


def test_genes_are_chosen_by_any_name_before_pairs_are_counted():
    graph = from_features(FEATURES, name="f", genes=["KMT2A", "ENSG00000096968"], top_fraction=1)
    assert graph.nodes.tolist() == ["KMT2A", "ENSG00000096968"]
    assert graph.n_edges == 2


def test_anndata_with_several_rows_per_gene_averages_them():
    adata = ad.AnnData(np.zeros((4, 2), np.float32))
    adata.layers["delta"] = np.array([[1, 0], [3, 2], [4, 2], [0, 1]], np.float32)
    adata.obs["gene"] = ["A", "A", "B", "C"]
    graph = from_features(adata, name="f", gene_key="gene", layer="delta", top_fraction=1)
    weight = graph.edges.set_index(["source", "target"])["weight"]
    assert graph.nodes.tolist() == ["A", "B", "C"]
    assert weight["A", "B"] == pytest.approx(10 / np.sqrt(5 * 20))


def test_missing_values_are_refused_or_filled_with_the_mean():
    holes = FEATURES.copy()
    holes.loc["STAT1", 1] = np.nan
    with pytest.raises(ValueError, match=r"Feature 1 of gene 'STAT1' is nan .*missing='mean'"):
        from_features(holes, name="f")
    graph = from_features(holes, name="f", missing="mean", top_fraction=1, metric="correlation")
    assert np.isfinite(graph.weight).all()


@pytest.mark.parametrize(
    ("features", "options", "error", "message"),
    [
        (FEATURES.assign(x=np.inf), {"missing": "mean"}, ValueError, "'x' of gene 'JAK2' is inf"),
        (FEATURES.assign(x="word"), {}, ValueError, "Feature 'x' .*not numeric"),
        (FEATURES.rename({"MLL": ""}), {}, ValueError, "Row 2 .*no gene name"),
        (FEATURES.rename({"MLL": "nan", "JAK2": " "}), {}, ValueError, r"\(of 2 such rows\)"),
        (FEATURES, {"genes": ["Nothing1"]}, ValueError, "None of the"),
        (FEATURES, {"metric": "euclidean"}, ValueError, "metric must be"),
        (FEATURES, {"sign": "negative"}, ValueError, "sign must be"),
        (FEATURES, {"missing": "zero"}, ValueError, "missing must be"),
        (FEATURES, {"top_fraction": 2}, ValueError, "between 0 and 1"),
        (ad.AnnData(np.eye(2)), {"gene_key": "gene"}, KeyError, "no column 'gene'"),
        (ad.AnnData(np.eye(2)), {"layer": "delta"}, KeyError, "no layer 'delta'"),
    ],
)
def test_bad_features_are_named(features, options, error, message):
    with pytest.raises(error, match=message):
        from_features(features, name="f", **options)


def test_spaces_around_gene_names_are_removed():
    spaced = FEATURES.rename({"MLL": " MLL ", "JAK2": "JAK2 "})
    graph = from_features(spaced, name="f", top_fraction=1)
    assert graph == from_features(FEATURES, name="f", top_fraction=1)


def test_the_table_of_the_user_is_left_alone():
    before = FEATURES.copy()
    from_features(FEATURES, name="f", missing="mean", metric="correlation")
    pd.testing.assert_frame_equal(FEATURES, before)


DEPMAP = """,JAK2 (3717),STAT1 (6772),A1BG (1),TP53 (7157)
ACH-000001,-1.0,-0.9,,0.2
ACH-000002,0.0,-0.1,,0.2
ACH-000003,-2.0,,,-0.4
"""


def test_depmap_as_published(write, neighbors):
    graph = depmap(write("CRISPRGeneEffect.csv", DEPMAP), top_fraction=1)
    assert graph.nodes.tolist() == ["JAK2", "STAT1", "TP53"]
    assert neighbors(graph, "JAK2") == {"STAT1", "TP53"}
    assert depmap(write("x.csv.gz", DEPMAP), top_fraction=1, genes=["JAK2", "TP53"]).n_edges == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DEPMAP.replace("STAT1 (6772)", "STAT1"), r"like 'JAK2 \(3717\)', but one is 'STAT1'"),
        ("gene\nJAK2\n", "not DepMap"),
        (DEPMAP.replace("-0.9", "low"), "no number"),
    ],
)
def test_other_files_are_not_depmap(write, text, message):
    with pytest.raises(ValueError, match=message):
        depmap(write("effects.csv", text))


def test_depmap_cut_off(truncated):
    rows = "".join(f"ACH-{i:06d},{i % 7},{i % 5},{i % 3},{i * 13 % 11}\n" for i in range(5000))
    with pytest.raises(ValueError, match=r"cut\.csv\.gz is cut off or damaged"):
        depmap(truncated("cut.csv.gz", DEPMAP + rows))


@pytest.fixture
def pseudobulk():
    obs = pd.DataFrame(
        {
            "perturbation": ["control", "A", "A", "B", "A+B", "C"],
            "control": [True, False, False, False, False, False],
            "n_cells": [9, 1, 3, 5, 5, 5],
            "split": ["none", "train", "train", "train", "train", "train"],
        },
        index=[f"c{i}" for i in range(6)],
    )
    delta = np.array(
        [[9, 9, 9], [4, 0, 0], [0, 4, 0], [2, 6, 0.0], [3, 7, 0], [0, 0, 1]], np.float32
    )
    adata = ad.AnnData(np.zeros((6, 3), np.float32), obs=obs)
    adata.var_names = ["A", "B", "G"]
    adata.layers["delta"] = delta
    return adata


def test_screen_perturbations_are_averaged_by_cells(pseudobulk):
    graph = from_screen(pseudobulk, nodes="perturbations", metric="cosine")
    assert graph.nodes.tolist() == ["A", "B", "C"]
    weight = graph.edges.set_index(["source", "target"])["weight"]
    # A is (1, 3, 0) when its contexts are weighted by their cells: the direction of B.
    assert weight.to_dict() == pytest.approx({("A", "B"): 1, ("B", "A"): 1})


def test_screen_genes_are_joined_by_their_responses_without_controls(pseudobulk):
    graph = from_screen(pseudobulk, k=None)
    responses = np.array([[1, 3, 0], [3, 7, 0], [2, 6, 0], [0, 0, 1]])
    weight = graph.edges.set_index(["source", "target"])["weight"]
    assert graph.nodes.tolist() == ["A", "B", "G"]
    assert weight["A", "B"] == pytest.approx(np.corrcoef(responses.T)[0, 1], abs=1e-6)


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("nodes", ["genes", "perturbations"])
def test_screen_refuses_to_see_validation_and_test(pseudobulk, split, nodes):
    pseudobulk.obs.loc["c5", "split"] = split
    with pytest.raises(ValueError, match=r"1 conditions .*'C', which a graph must not see"):
        from_screen(pseudobulk, nodes=nodes)
    training = pseudobulk[pseudobulk.obs["split"] == "train"]
    assert "C" not in from_screen(training, nodes=nodes).nodes


def test_screen_ignores_what_is_in_no_split(pseudobulk):
    pseudobulk.obs["split"] = pd.Categorical(pseudobulk.obs["split"].replace("none", np.nan))
    pseudobulk.obs.loc["c5", "split"] = np.nan
    assert from_screen(pseudobulk, nodes="perturbations").nodes.tolist() == ["A", "B"]


def test_screen_names_what_is_lacking(pseudobulk):
    with pytest.raises(KeyError, match="no layer 'effect'"):
        from_screen(pseudobulk, layer="effect")
    with pytest.raises(ValueError, match="nodes must be"):
        from_screen(pseudobulk, nodes="cells")
    with pytest.raises(ValueError, match="at least two training perturbations"):
        from_screen(pseudobulk[:3], nodes="perturbations")
    del pseudobulk.obs["split"]
    with pytest.raises(KeyError, match=r"no column 'split'.*tx\.pp\.split"):
        from_screen(pseudobulk)


def test_screen_graphs_remember_the_conditions_they_saw(pseudobulk, tmp_path):
    graph = from_screen(pseudobulk[:5])
    assert graph.learned_from == ("all|A", "all|A+B", "all|B")
    assert graph.provenance[0] == "from_screen(genes, delta, 3 conditions)"
    pseudobulk.obs["cell_line"] = ["K", "K", "L", "K", "K", "K"]
    by_effect = from_screen(pseudobulk, nodes="perturbations")
    assert by_effect.learned_from == ("K|A", "K|B", "K|C", "L|A")

    other = KnowledgeGraph.from_edges(
        pd.DataFrame({"source": ["A"], "target": ["B"]}), name="other"
    )
    assert other.learned_from == ()
    by_effect.top_k(1).save(tmp_path / "graph.npz")
    for kept in (
        KnowledgeGraph.load(tmp_path / "graph.npz"),
        by_effect.drop(0.5, seed=0),
        union([other, by_effect]).to_graph(),
        share_nodes([other, by_effect])[1],
        from_networkx(to_networkx(by_effect)),
    ):
        assert kept.learned_from == by_effect.learned_from


def test_an_effect_counts_only_where_it_is_measured(pseudobulk):
    pseudobulk.layers["delta"][1:3, 1] = 2, np.nan  # of B, in two contexts of A
    graph = from_screen(pseudobulk, k=None)
    responses = np.array([[1, 2], [3, 7], [2, 6], [0, 0]])
    weight = graph.edges.set_index(["source", "target"])["weight"]
    assert weight["A", "B"] == pytest.approx(np.corrcoef(responses.T)[0, 1], abs=1e-6)


def test_a_gene_that_one_context_lacks_keeps_its_correlation():
    rng = np.random.default_rng(0)
    effects = pd.DataFrame(rng.normal(size=(4, 5)), index=["P1", "P2", "P3", "P4"])
    effects.columns = list("ABCDE")
    effects["E"] = effects["D"]
    second = effects[:2].assign(E=np.nan)
    lines = [
        tx.pp.from_effects(effects, cell_line="L1"),
        tx.pp.from_effects(second, cell_line="L2"),
    ]
    table = ad.concat(lines, join="outer", index_unique="-")
    table.obs["split"], table.layers["delta"] = "train", table.X
    weight = from_screen(table, k=None).edges.set_index(["source", "target"])["weight"]
    assert weight["D", "E"] == pytest.approx(1, abs=1e-6)


def test_genes_and_perturbations_without_any_effect_are_nodes_without_edges(pseudobulk):
    pseudobulk.layers["delta"][:, 2] = np.nan
    pseudobulk.layers["delta"][5] = np.nan
    for nodes, alone in (("genes", "G"), ("perturbations", "C")):
        report = from_screen(pseudobulk, nodes=nodes).coverage([alone])
        assert report.iloc[0].tolist() == [True, 0, 0]


def test_complex_features_and_an_index_of_levels_are_refused():
    table = pd.DataFrame([[1j, 2], [2, 3]], index=["A", "B"])
    with pytest.raises(ValueError, match="complex numbers"):
        from_features(table, name="g")
    levels = pd.MultiIndex.from_tuples([("A", 1), ("B", 2)])
    with pytest.raises(ValueError, match="several levels"):
        from_features(table.abs().set_axis(levels), name="g")
