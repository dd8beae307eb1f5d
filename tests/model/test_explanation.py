"""What a prediction is explained by."""

import numpy as np
import pytest

import txpert as tx
from txpert.data._layout import lay_out
from txpert.graph import KnowledgeGraph
from txpert.model._network import Network

LEARNED = {"components": "network", "node_inputs": ["learned"]}
ENSEMBLE = {"components": ("mean", "gaussian_process"), "decoding": "low_rank"}


@pytest.fixture
def model(make_model, adata):
    return make_model(adata, **ENSEMBLE)


@pytest.mark.parametrize("by", ["perturbation", "part", "cell_line"])
@pytest.mark.parametrize("label", ["GENE10", "GENE10+GENE3"])
def test_contributions_sum_to_the_norm_of_delta(model, by, label):
    why = model.explain(label, by=by)
    delta = model.predict([label]).layers["delta"][0]
    assert why.attrs["norm"] == pytest.approx(np.linalg.norm(delta), rel=1e-4)
    assert why["contribution"].sum() == pytest.approx(np.linalg.norm(delta), rel=1e-4)


def test_edges_are_those_of_the_graph(model, graph):
    trained = {label for label, _ in model.trained_on_}
    pairs = zip(graph.nodes[graph.source], graph.nodes[graph.target], strict=True)
    asked = next(b for a, b in pairs if a in trained and b not in trained)
    why = model.explain(asked).dropna(subset=["edge_weight"])
    assert len(why)
    node = graph.nodes.get_loc(asked)
    for row in why.itertuples():
        other = graph.nodes.get_loc(row.perturbation)
        between = ((graph.source == node) & (graph.target == other)) | (
            (graph.source == other) & (graph.target == node)
        )
        assert row.edge_weight == pytest.approx(graph.weight[between].max())


def test_what_is_asked_wrongly_is_refused(model, make_model, adata):
    with pytest.raises(ValueError, match="by must be one of"):
        model.explain("GENE10", by="graph")
    with pytest.raises(KeyError, match="no controls of cell line 'HeLa'"):
        model.explain("GENE10", cell_line="HeLa")
    with pytest.raises(ValueError, match="names no target"):
        model.explain("control")
    with pytest.raises(KeyError):
        model.explain("NOGENE")
    network = make_model(adata, epochs=1, setup=False)
    with pytest.raises(ValueError, match="gaussian_process"):
        network.explain("GENE10")


def test_several_lines_must_be_chosen_from(make_model, two_lines):
    model = make_model(two_lines, **ENSEMBLE)
    with pytest.raises(ValueError, match="K562, RPE1"):
        model.explain("GENE10")
    why = model.explain("GENE10", cell_line="RPE1", by="cell_line")
    assert {"K562", "RPE1"} <= set(why["cell_line"].dropna())


def test_the_drawing_names_what_carries(model):
    why = model.explain("GENE10")
    ax = tx.pl.explain(why, n_neighbors=3)
    texts = " ".join(text.get_text() for text in ax.texts)
    rows = why[why["part"] == "training effect"]
    assert all(name in texts for name in rows["perturbation"].head(3))
    assert "GENE10" in texts
    with pytest.raises(ValueError, match="by='perturbation'"):
        tx.pl.explain(model.explain("GENE10", by="part"))


@pytest.fixture
def on_two_graphs(make_model, adata, graph, random_graph):
    """A network on two graphs, one of which has few edges."""
    draw = random_graph(1, 30)
    other = draw.rename({name: f"GENE{i}" for i, name in enumerate(draw.nodes)})
    return make_model(adata, graphs=[graph, other], epochs=5, **LEARNED)


def without_edge(graph, target, neighbor):
    ends = graph.nodes.get_indexer([target, neighbor])
    between = np.isin(graph.source, ends) & np.isin(graph.target, ends)
    kept = (values[~between] for values in (graph.source, graph.target, graph.weight))
    return KnowledgeGraph(graph.name, graph.nodes, *kept)


def by_network(model, label):
    profiles, obs, context = lay_out(model.control_profiles, label)
    return Network(model.module, model.nodes).delta(obs, profiles, context)[0]


def test_an_edge_is_removed_exactly(on_two_graphs, make_model, adata):
    model, asked = on_two_graphs, "GENE10"
    why = model.explain(asked, by="edge")
    whole = by_network(model, asked)
    assert why.attrs["norm"] == pytest.approx(np.linalg.norm(whole), rel=1e-4)
    assert why["if_removed"].is_monotonic_decreasing
    assert set(why["graph"]) == {graph.name for graph in model.graphs}
    for row in [*why.head(2).itertuples(), *why.tail(1).itertuples()]:
        graphs = [
            without_edge(graph, asked, row.neighbor) if graph.name == row.graph else graph
            for graph in model.graphs
        ]
        again = make_model(adata, graphs=graphs, epochs=0, setup=False, **LEARNED)
        again.module.load_state_dict(model.module.state_dict())
        change = whole - by_network(again, asked)
        assert np.linalg.norm(change) == pytest.approx(row.if_removed, rel=1e-3)
        along = change @ whole / np.linalg.norm(whole)
        assert along == pytest.approx(row.contribution, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("encoder", ["bmp", "gcn", "gat_mlg", "exphormer", "gat_hybrid"])
def test_edges_of_every_encoder(make_model, adata, encoder):
    model = make_model(adata, encoder=encoder, components="network", epochs=1)
    before = model.predict("GENE10+GENE3").X
    why = model.explain("GENE10+GENE3", by="edge")
    assert set(why["target"]) == {"GENE3", "GENE10"}
    assert (why["if_removed"] > 0).any()
    np.testing.assert_array_equal(model.predict("GENE10+GENE3").X, before)


def test_edges_of_no_network_are_refused(model, make_model, adata):
    with pytest.raises(ValueError, match="'network' explains predictions by edge"):
        model.explain("GENE10", by="edge")
    alone = make_model(adata, encoder="free", components="network", setup=False)
    assert not alone.explain("GENE10", by="edge")["if_removed"].any()
