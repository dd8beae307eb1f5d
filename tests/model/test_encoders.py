"""A user changes the encoder by changing a word."""

import numpy as np
import pandas as pd
import pytest
import torch

import txpert as tx
from txpert.nn._registry import ENCODERS

PERTURBATIONS = ["GENE3", "GENE5+GENE9", "GENE40"]
OPTIONS = {
    "bmp": {"n_input": 8, "n_hidden": 8},
    "features": {"n_hidden": 8},
    "exphormer": {"n_layers": 2, "n_channels": 4, "seed": 3},
    "gat": {"n_layers": 2, "n_channels": 4, "n_input": 8},
    "gat_hybrid": {"n_layers": 2, "n_channels": 4, "n_input": 8},
    "gat_mlg": {"n_layers": 2, "n_channels": 4, "n_input": 8},
    "gcn": {"n_input": 8, "n_hidden": 8},
    "hybrid_bmp": {"n_input": 8, "n_hidden": 8},
    "free": {},
    "sgc": {"n_input": 8, "n_hops": 2},
}
REGISTERED = set(ENCODERS)


@pytest.fixture
def features(graph):
    """Features of some genes, in another order than the nodes."""
    values = np.random.default_rng(1).normal(size=(len(graph.nodes), 3))
    return pd.DataFrame(values, index=graph.nodes).iloc[50::-1]


@pytest.fixture
def graphs(graph):
    return [graph, graph.reverse()]


def test_every_encoder_is_tested():
    assert set(OPTIONS) == REGISTERED


@pytest.mark.parametrize("encoder", OPTIONS)
def test_every_encoder_trains_saves_and_loads(
    encoder, adata, graphs, features, make_model, tmp_path
):
    model = make_model(
        adata,
        graphs=graphs,
        epochs=2,
        encoder=tx.nn.EncoderConfig(encoder, OPTIONS[encoder]),
        node_inputs=["learned", features],
    )
    expected = model.predict(PERTURBATIONS)
    assert np.isfinite(expected.X).all()
    model.save(tmp_path / "m")
    torch.manual_seed(5)
    loaded = tx.TxPertModel.load(tmp_path / "m", adata)
    np.testing.assert_array_equal(loaded.predict(PERTURBATIONS).X, expected.X)


@pytest.mark.parametrize("encoder", OPTIONS)
def test_same_seed_same_predictions(encoder, adata, graphs, features, make_model):
    first, second = (
        make_model(
            adata,
            graphs=graphs,
            encoder=tx.nn.EncoderConfig(encoder, OPTIONS[encoder]),
            node_inputs=["learned", features],
        )
        .predict(PERTURBATIONS)
        .X
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_free_embeddings_fall_back_to_the_mean_of_the_trained(adata, make_model):
    model = make_model(adata, encoder="free", node_inputs="learned")
    trained = model.module.trained.numpy()
    assert trained.any()
    assert not trained.all()
    embeddings = model.get_perturbation_embedding().to_numpy()
    np.testing.assert_allclose(
        embeddings[~trained],
        np.broadcast_to(embeddings[trained].mean(0), embeddings[~trained].shape),
        rtol=1e-5,
        atol=1e-6,
    )
