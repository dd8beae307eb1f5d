"""What a prediction is explained by."""

import numpy as np
import pytest

import txpert as tx

ENSEMBLE = {"components": ("mean", "gaussian_process"), "decoding": "low_rank"}


@pytest.fixture
def model(make_model, adata):
    return make_model(adata, **ENSEMBLE)


@pytest.mark.parametrize("by", ["perturbation", "part", "cell_line"])
@pytest.mark.parametrize("label", ["GENE10", "GENE10+GENE3"])
def test_contributions_sum_to_the_norm_of_delta(model, by, label):
    why = model.explain(label, by=by)
    delta = model.predict([label], batch=_batch(model)).layers["delta"][0]
    assert why.attrs["norm"] == pytest.approx(np.linalg.norm(delta), rel=1e-4)
    assert why["contribution"].sum() == pytest.approx(np.linalg.norm(delta), rel=1e-4)


def _batch(model):
    obs = model.control_profiles.obs
    return str(obs["batch"].iloc[int(obs["n_cells"].to_numpy().argmax())])


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
