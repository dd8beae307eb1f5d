"""Node inputs, basal encoders, matching and combinations, from a user's script."""

import logging

import mudata
import numpy as np
import pandas as pd
import pytest
import scvi

import txpert as tx

PERTURBATIONS = ["GENE3", "GENE5+GENE9", "GENE40"]


@pytest.fixture
def features(graph):
    values = np.random.default_rng(1).normal(size=(len(graph.nodes), 3))
    return pd.DataFrame(values, index=graph.nodes)


def save_and_load(model, folder, *data, **kwargs):
    model.save(folder / "m", overwrite=True)
    return tx.TxPertModel.load(folder / "m", *data, **kwargs)


def test_node_inputs_train_and_load(adata, features, make_model, tmp_path):
    model = make_model(adata, node_inputs=["learned", "spectral", features])
    assert [table.shape[1] for table in model.module.encoder.nodes.maps.parameters()] == [60, 3]
    for loaded in (save_and_load(model, tmp_path), save_and_load(model, tmp_path, adata)):
        np.testing.assert_array_equal(
            loaded.predict(PERTURBATIONS).X, model.predict(PERTURBATIONS).X
        )


def test_features_are_those_of_their_gene(adata, features, make_model):
    """In whatever order the frame has them; genes it lacks are at the mean, zero."""
    frame = features.sample(frac=1, random_state=0).drop(index="GENE7") * 100 + 5
    model = make_model(adata, epochs=0, node_inputs=frame)
    table = model.module.encoder.nodes.features_0.numpy()
    expected = features.drop(index="GENE7")
    expected = expected - expected.mean()
    expected = 0.1 * expected / expected.to_numpy().std()
    position = model.nodes.get_indexer(expected.index)
    np.testing.assert_allclose(table[position], expected, rtol=1e-4, atol=1e-5)
    assert not table[model.nodes.get_loc("GENE7")].any()


def test_embeddings_without_graphs_predict_every_gene_with_features(adata, features, make_model):
    features.loc["ELSEWHERE"] = features.loc["GENE3"]
    scvi.settings.seed = 0
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, encoder="features", node_inputs=features, components="network")
    model.train(max_epochs=2, enable_progress_bar=False)
    prediction = model.predict(["ELSEWHERE", "GENE3", "GENE4"], batch="batch_1").X
    np.testing.assert_allclose(prediction[0], prediction[1], rtol=1e-5, atol=1e-6)
    assert np.abs(prediction[0] - prediction[2]).max() > 1e-5


@pytest.mark.parametrize(
    ("node_inputs", "message"),
    [
        ("learnt", "'learned', 'spectral' and data frames .* not 'learnt'"),
        ([], "node_inputs is empty"),
        (pd.DataFrame({"a": [1.0, 2]}, index=["GENE3", "GENE3"]), "gene 'GENE3' twice"),
        (pd.DataFrame({"a": [1.0, np.nan]}, index=["GENE3", "GENE4"]), "'GENE4' among them"),
        (pd.DataFrame({"a": ["x"]}, index=["GENE3"]), "Features must be numbers"),
        (pd.DataFrame(index=["GENE3"]), "features are empty"),
        (pd.DataFrame({"a": [1.0]}, index=["ENSG1"]), "describe none of the 12 perturbed genes"),
    ],
)
def test_unusable_node_inputs(adata, graph, node_inputs, message):
    tx.TxPertModel.setup_anndata(adata)
    with pytest.raises(ValueError, match=message):
        tx.TxPertModel(adata, [graph], node_inputs=node_inputs)


def test_spectral_inputs_need_a_graph(adata):
    tx.TxPertModel.setup_anndata(adata)
    with pytest.raises(ValueError, match="Spectral coordinates need a graph"):
        tx.TxPertModel(adata, node_inputs="spectral", encoder="free")


@pytest.fixture
def embedded(two_lines):
    """Cells with an embedding that tells line and batch apart."""
    codes = two_lines.obs["batch"].astype("category").cat.codes.to_numpy()
    rng = np.random.default_rng(0)
    two_lines.obsm["X_pca"] = np.eye(4)[codes] + 0.1 * rng.normal(size=(two_lines.n_obs, 4))
    return two_lines


@pytest.mark.parametrize("decoding", ["direct", "delta"])
@pytest.mark.parametrize("matching", ["batch", "cell_line"])
@pytest.mark.parametrize("controls", ["averaged", "sampled"])
def test_embeddings_in_obsm_stand_in_for_expression(
    embedded, graph, make_model, tmp_path, decoding, matching, controls
):
    tx.TxPertModel.setup_anndata(embedded, embedding_key="X_pca")
    model = make_model(
        embedded,
        setup=False,
        basal="embedding",
        decoding=decoding,
        matching=matching,
        train={"controls": controls},
    )
    expected = model.predict(PERTURBATIONS).X
    cells = embedded[embedded.obs["control"]].copy()
    np.testing.assert_allclose(model.predict(PERTURBATIONS, controls=cells).X, expected, atol=1e-5)
    cells.obsm["X_pca"] = cells.obsm["X_pca"][:, ::-1]
    assert np.abs(model.predict(PERTURBATIONS, controls=cells).X - expected).max() > 1e-4
    for loaded in (save_and_load(model, tmp_path), save_and_load(model, tmp_path, embedded)):
        np.testing.assert_array_equal(loaded.predict(PERTURBATIONS).X, expected)


def test_missing_and_unusable_embeddings(embedded, graph):
    with pytest.raises(KeyError, match=r"obsm has no 'X_scVI' .*it has X_pca"):
        tx.TxPertModel.setup_anndata(embedded, embedding_key="X_scVI")
    tx.TxPertModel.setup_anndata(embedded)
    with pytest.raises(ValueError, match="embedding_key='X_scVI'"):
        tx.TxPertModel(embedded, [graph], basal="embedding")
    embedded.obsm["X_pca"][3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        tx.TxPertModel.setup_anndata(embedded, embedding_key="X_pca")


@pytest.mark.parametrize("place", [None, "rna"])
def test_embeddings_of_a_mudata(embedded, graph, make_model, place):
    mdata = mudata.MuData({"rna": embedded})
    mdata.obs = embedded.obs.copy()
    if place is None:
        mdata.obsm["X_pca"] = embedded.obsm.pop("X_pca")
    modalities = {} if place is None else {"embedding_key": place}
    tx.TxPertModel.setup_mudata(mdata, embedding_key="X_pca", modalities=modalities)
    model = make_model(mdata, setup=False, basal="embedding")
    assert model.module.basal.layers[0][0].in_features == 4
    assert np.isfinite(model.predict("GENE3").X).all()


@pytest.fixture
def latent(adata):
    """A trained scVI model of the screen's counts."""
    adata.layers["counts"] = np.rint(np.expm1(adata.X.toarray()))
    scvi.model.SCVI.setup_anndata(adata, layer="counts", batch_key="batch")
    vae = scvi.model.SCVI(adata, n_latent=3, n_hidden=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger("lightning.pytorch"), "disabled", True)
        vae.train(max_epochs=1, accelerator="cpu", enable_progress_bar=False)
    return vae


def test_a_trained_scvi_model_is_the_basal_encoder(adata, latent, make_model, tmp_path):
    model = make_model(adata, basal=latent)
    control = adata.obs["control"].to_numpy()
    representation = latent.get_latent_representation()[control]
    batch = adata.obs["batch"].to_numpy()[control]
    profiles = model.control_profiles
    for row, name in enumerate(profiles.obs["batch"]):
        np.testing.assert_allclose(
            profiles.embedding[row], representation[batch == name].mean(axis=0), rtol=1e-4
        )
    expected = model.predict(PERTURBATIONS).X
    cells = adata[adata.obs["control"]].copy()
    np.testing.assert_allclose(model.predict(PERTURBATIONS, controls=cells).X, expected, atol=1e-5)
    for loaded in (save_and_load(model, tmp_path), save_and_load(model, tmp_path, adata)):
        np.testing.assert_array_equal(loaded.predict(PERTURBATIONS).X, expected)


def test_an_scvi_model_is_not_saved_along(adata, latent, make_model, tmp_path):
    model = make_model(adata, basal=latent)
    other = adata.copy()
    other.obs["batch"] = "new_" + other.obs["batch"].astype(str)
    with pytest.raises(KeyError, match=r"no embedding of the controls .*'new_batch_1'"):
        save_and_load(model, tmp_path, other)
    loaded = save_and_load(model, tmp_path, adata)
    with pytest.raises(ValueError, match="embedding of single control cells"):
        loaded.train(max_epochs=1, controls="sampled")


def test_matching_by_cell_line_forgets_the_batch(two_lines, make_model):
    model = make_model(two_lines, matching="cell_line")
    prediction = model.predict("GENE3", by_batch=True)
    for rows in prediction.obs.groupby("cell_line", sort=False).indices.values():
        np.testing.assert_allclose(prediction.X[rows], prediction.X[rows[:1]].repeat(2, 0))
    controls = two_lines[two_lines.obs["control"]]
    for line in ("K562", "RPE1"):
        mean = np.asarray(controls[controls.obs["cell_line"] == line].X).mean(axis=0)
        row = prediction[prediction.obs["cell_line"] == line]
        np.testing.assert_allclose(row.X[0] - row.layers["delta"][0], mean, rtol=1e-4, atol=1e-5)


def test_unknown_matching(adata, graph):
    tx.TxPertModel.setup_anndata(adata)
    with pytest.raises(ValueError, match="'batch' or 'cell_line', not 'plate'"):
        tx.TxPertModel(adata, [graph], matching="plate")


@pytest.mark.parametrize("combination", ["sum", "interaction", "sequential"])
def test_combinations_train_and_load(adata, add_doubles, make_model, combination, tmp_path):
    train = adata.obs.loc[adata.obs["split"] == "train", "perturbation"].unique()
    first, second = sorted(train)[:2]
    add_doubles(adata, first, second)
    model = make_model(adata, combination=combination)
    a, b = (model.predict(p, batch="batch_1").X for p in ("GENE3+GENE5", "GENE5+GENE3"))
    np.testing.assert_array_equal(a, b)
    loaded = save_and_load(model, tmp_path, adata)
    np.testing.assert_array_equal(loaded.predict("GENE3+GENE5", batch="batch_1").X, a)
    labels = ["GENE3", "GENE5", "GENE3+GENE5"]
    z = model.get_perturbation_embedding(labels).to_numpy()
    additive = np.abs(z[0] + z[1] - z[2]).max()
    assert additive < 1e-6 if combination == "sum" else additive > 1e-6


def test_the_expander_follows_the_seed(adata, make_model, graph, tmp_path):
    config = tx.nn.EncoderConfig("exphormer", {"n_layers": 1, "n_channels": 4})

    def expander(seed):
        scvi.settings.seed = seed
        tx.TxPertModel.setup_anndata(adata)
        return tx.TxPertModel(adata, [graph], encoder=config, n_hidden=8)

    edges = [expander(seed).module.encoder.edges.source for seed in (1, 1, 2)]
    assert edges[0].equal(edges[1])
    assert not edges[0].equal(edges[2])
    model = expander(2)
    scvi.settings.seed = 5
    loaded = save_and_load(model, tmp_path, adata)
    assert loaded.module.encoder.edges.source.equal(edges[2])


@pytest.mark.parametrize("similarity", ["cosine", "pearson"])
def test_training_with_a_similarity_loss(adata, make_model, similarity):
    plain, mixed = (
        make_model(adata, train={"plan_kwargs": kwargs}).history["train_loss"].iloc[0, 0]
        for kwargs in ({}, {"similarity": similarity, "similarity_weight": 1.0})
    )
    assert mixed > plain + 0.05
