import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

import txpert as tx

DELTAS = ["GENE3", "GENE5+GENE9", "GENE2+GENE3+GENE7"]


def weights(model):
    return torch.cat([p.detach().ravel() for p in model.module.parameters()])


@pytest.mark.parametrize("decoding", ["direct", "delta"])
@pytest.mark.parametrize("unit", [{}, {"unit": "cell"}, {"unit": "cell", "controls": "sampled"}])
def test_training_lowers_the_loss(adata, make_model, decoding, unit):
    model = make_model(adata, epochs=15, decoding=decoding, train={"lr": 0.01, **unit})
    loss = model.history["train_loss"].iloc[:, 0].astype(float)
    assert loss.iloc[-1] < 0.9 * loss.iloc[0]
    assert set(model.history) >= {"train_loss", "validation_loss", "pearson_delta_validation"}
    fits = model.history["fit"]
    assert fits.index.equals(model.history["train_loss"].index)
    assert fits["fit"].tolist() == sorted(fits["fit"])
    n_chosen = len(model.history["validation_loss"])
    assert (fits["fit"] == 1).sum() == n_chosen


def test_nothing_about_test_cells_reaches_the_weights(adata, make_model):
    """Other expression in the cells held out gives the same model, bit for bit."""
    other = adata.copy()
    other.X = other.X.toarray()
    held_out = (other.obs["split"] == "test").to_numpy()
    other.X[held_out] = np.random.default_rng(0).exponential(size=other.X[held_out].shape)
    trained = []
    for data in (adata, other):
        data.X = sparse.csr_matrix(data.X)
        trained.append(weights(make_model(data, epochs=3)))
    assert torch.equal(*trained)


def test_validation_cells_choose_the_epoch_but_train_nothing(adata, make_model):
    other = adata.copy()
    other.X = other.X.toarray()
    held_out = (other.obs["split"] == "val").to_numpy()
    other.X[held_out] += 1.0
    losses = []
    for data in (adata, other):
        data.X = sparse.csr_matrix(data.X)
        history = make_model(data, epochs=3).history
        losses.append(history["train_loss"].to_numpy(dtype=float))
    np.testing.assert_array_equal(*losses)


def test_prediction_has_the_promised_form(two_lines, make_model):
    model = make_model(two_lines)
    prediction = model.predict(DELTAS, by_batch=True)
    assert prediction.shape == (3 * 4, two_lines.n_vars)
    assert list(prediction.var_names) == list(two_lines.var_names)
    assert set(prediction.obs) == {"perturbation", "batch", "cell_line"}
    table = tx.pp.pseudobulk(two_lines)
    control = pd.DataFrame(table.X, index=table.obs["batch"])[table.obs["control"].to_numpy()]
    expected = prediction.X - control.loc[prediction.obs["batch"]].to_numpy()
    np.testing.assert_allclose(prediction.layers["delta"], expected, atol=1e-5)


def test_contexts_can_be_chosen(two_lines, make_model):
    model = make_model(two_lines, epochs=0)
    assert model.predict("GENE3", cell_line="RPE1", by_batch=True).n_obs == 2
    assert model.predict("GENE3", batch=["k_batch_1", "r_batch_2"]).n_obs == 2
    frame = pd.DataFrame(
        {"perturbation": ["GENE5", "GENE3"], "cell_line": "RPE1", "batch": "r_batch_1"}
    )
    listed = model.predict(frame)
    assert listed.obs["perturbation"].tolist() == ["GENE5", "GENE3"]
    crossed = model.predict(["GENE3", "GENE5"], batch="r_batch_1")
    np.testing.assert_allclose(listed.X[::-1], crossed.X, atol=1e-6)
    with pytest.raises(KeyError, match="no controls of cell_line 'HepG2'"):
        model.predict("GENE3", cell_line="HepG2")
    with pytest.raises(KeyError, match="No context has both"):
        model.predict("GENE3", cell_line="K562", batch="r_batch_1")
    with pytest.raises(ValueError, match="No perturbation"):
        model.predict([])


def test_order_and_company_of_predictions_do_not_matter(adata, make_model):
    model = make_model(adata)
    together = model.predict(["GENE3", "GENE9+GENE5", *(f"GENE{i}" for i in range(20, 40))])
    alone = model.predict("GENE5+GENE9")
    rows = (together.obs["perturbation"] == "GENE9+GENE5").to_numpy()
    np.testing.assert_allclose(together.X[rows], alone.X, atol=1e-5)


def test_own_controls(adata, make_model):
    model = make_model(adata)
    controls = adata[adata.obs["control"] & (adata.obs["batch"] == "batch_2")].copy()
    expected = model.predict("GENE3", batch="batch_2")
    shuffled = controls[:, ::-1].copy()
    np.testing.assert_allclose(model.predict("GENE3", controls=shuffled).X, expected.X, atol=1e-5)
    del controls.obs["batch"], controls.obs["cell_line"]
    fresh = model.predict("GENE3", controls=controls)
    assert fresh.obs["batch"].tolist() == ["all"]
    np.testing.assert_allclose(fresh.X, expected.X, atol=1e-5)
    with pytest.raises(ValueError, match="lack 1 of the 60 genes"):
        model.predict("GENE3", controls=controls[:, 1:].copy())
    with pytest.raises(ValueError, match="control cells only"):
        model.predict("GENE3", controls=adata)
    controls.X = controls.layers["counts"]
    with pytest.raises(ValueError, match="looks like raw counts"):
        model.predict("GENE3", controls=controls)


def test_unknown_genes_are_named(adata, make_model):
    model = make_model(adata, epochs=1, components=("mean", "gaussian_process", "network"))
    with pytest.raises(KeyError, match=r"'GENE61'.*model\.nodes"):
        model.predict("GENE61", unknown="raise")
    with pytest.warns(UserWarning, match=r"'GENE61'.*common effect"):
        predicted = model.predict(["GENE61", "GENE3", "GENE3+GENE62"])
    assert predicted.obs["unknown_target"].tolist() == [True, False, True]
    assert "unknown_target" not in model.predict("GENE3").obs
    mean = model._ensemble().components["mean"].effects.pooled_mean
    unknown = predicted.layers["delta"][0]
    assert np.corrcoef(unknown, mean)[0, 1] > 0.99
    alone = make_model(adata, epochs=1, components="network")
    with pytest.raises(KeyError, match="'GENE61'"):
        alone.predict("GENE61")


def test_embeddings(adata, make_model):
    model = make_model(adata)
    table = model.get_perturbation_embedding()
    assert table.shape == (60, 64)
    pair = model.get_perturbation_embedding("GENE3+GENE5").iloc[0]
    np.testing.assert_allclose(pair, table.loc["GENE3"] + table.loc["GENE5"], atol=1e-6)


@pytest.mark.parametrize("decoding", ["direct", "delta"])
def test_save_and_load_keep_predictions(two_lines, make_model, tmp_path, decoding):
    model = make_model(two_lines, decoding=decoding)
    expected = model.predict(DELTAS)
    model.save(tmp_path / "m")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        without, with_data = (
            tx.TxPertModel.load(tmp_path / "m", data) for data in (None, two_lines.copy())
        )
    for loaded in (without, with_data):
        prediction = loaded.predict(DELTAS)
        assert prediction.obs.equals(expected.obs)
        np.testing.assert_array_equal(prediction.X, expected.X)
        np.testing.assert_array_equal(prediction.layers["delta"], expected.layers["delta"])
    assert without.is_trained
    with pytest.raises(ValueError, match="loaded without AnnData"):
        without.train(max_epochs=1)


def test_a_loaded_model_meets_new_perturbations_batches_and_lines(two_lines, make_model, tmp_path):
    k562 = two_lines[two_lines.obs["cell_line"] == "K562"].copy()
    make_model(k562).save(tmp_path / "m")
    new = two_lines[two_lines.obs["cell_line"] == "RPE1"].copy()
    labels = new.obs["perturbation"].astype(str)
    seen = labels[labels != "control"].iloc[0]
    new.obs["perturbation"] = labels.replace({seen: "GENE41+GENE42"})
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = tx.TxPertModel.load(tmp_path / "m", new)
    prediction = model.predict(["GENE41+GENE42", seen])
    assert set(prediction.obs["cell_line"]) == {"RPE1"}
    assert np.isfinite(prediction.X).all()
    tx.tl.evaluate(
        new,
        model,
        split=["train", "val", "test"],
        baselines={"general": tx.baselines.GeneralBaseline(tx.pp.pseudobulk(k562))},
    )
    assert "GENE41+GENE42" in set(new.uns["txpert"]["metrics"]["perturbation"])


def test_genes_in_another_order_are_refused(adata, make_model, tmp_path):
    model = make_model(adata, epochs=1)
    model.save(tmp_path / "m")
    turned = adata[:, ::-1].copy()
    with pytest.raises(ValueError, match=r"adata\[:, model.genes\]"):
        tx.TxPertModel.load(tmp_path / "m", turned)
    with pytest.raises(ValueError, match=r"adata\[:, model.genes\]"):
        tx.tl.evaluate(turned, model)


def test_two_models_in_one_process_do_not_mix(adata, two_lines, make_model):
    first = make_model(adata)
    expected = first.predict("GENE3").X
    second = make_model(two_lines, decoding="delta")
    third = make_model(adata)
    np.testing.assert_array_equal(first.predict("GENE3").X, expected)
    assert second.predict("GENE3", by_batch=True).n_obs == 4
    assert not np.array_equal(third.predict("GENE5").X, second.predict("GENE5").X[:1])


def test_same_seed_same_model(adata, make_model):
    predictions = [make_model(adata.copy()).predict("GENE3").X for _ in range(2)]
    np.testing.assert_array_equal(*predictions)


@pytest.mark.parametrize("convert", [sparse.csr_matrix, lambda x: x.toarray()])
@pytest.mark.parametrize("unit", ["pseudobulk", "cell"])
def test_backed_data_train_the_same_model(adata, make_model, tmp_path, convert, unit):
    adata.X = convert(adata.X)
    adata = adata[np.random.default_rng(0).permutation(adata.n_obs)].copy()
    adata.write_h5ad(tmp_path / "x.h5ad")
    train = {"unit": unit, "batch_size": 32}
    backed = make_model(ad.read_h5ad(tmp_path / "x.h5ad", backed="r"), train=train)
    assert torch.equal(weights(backed), weights(make_model(adata, train=train)))


def test_the_graph_changes_the_prediction(adata, make_model, graph):
    predictions = [
        make_model(adata, graphs=[g]).predict("GENE3").X for g in (graph, graph.top_k(2))
    ]
    assert np.abs(predictions[0] - predictions[1]).max() > 1e-5


def test_genes_that_no_graph_holds_warn_once_and_fall_back(adata, graph):
    targets = sorted(set(adata.obs["perturbation"]) - {"control"})
    split = adata.obs.drop_duplicates("perturbation").set_index("perturbation")["split"]
    lost = next(t for t in targets if split[t] == "test")
    known = next(t for t in targets if split[t] == "train")
    graph = graph.restrict([g for g in graph.nodes if g not in (lost, known)])
    tx.TxPertModel.setup_anndata(adata)
    with pytest.warns(UserWarning, match=f"{known}.*common effect") as caught:
        model = tx.TxPertModel(
            adata,
            graph,
            encoder=tx.nn.EncoderConfig("gat", {"n_layers": 1, "n_channels": 4}),
            n_hidden=16,
        )
    assert sum("isolated nodes" in str(w.message) for w in caught) == 1
    model.train(max_epochs=2, refit=False, enable_progress_bar=False)
    embedding = model.get_perturbation_embedding()
    trained = [t for t in targets if split[t] == "train"]
    np.testing.assert_allclose(embedding.loc[lost], embedding.loc[trained].mean(), atol=1e-5)
    assert np.abs(embedding.loc[known] - embedding.loc[trained].mean()).max() > 1e-4


def test_a_graph_of_other_genes_is_refused(adata):
    edges = pd.DataFrame({"source": ["Klf1"], "target": ["Gata1"]})
    graph = tx.graph.KnowledgeGraph.from_edges(edges, name="mouse")
    tx.TxPertModel.setup_anndata(adata)
    with pytest.raises(ValueError, match=r"'mouse' holds none of the 12 perturbed genes.*Gata1"):
        tx.TxPertModel(adata, [graph])


def test_what_is_no_graph_is_refused(adata):
    tx.TxPertModel.setup_anndata(adata)
    with pytest.raises(TypeError, match="KnowledgeGraph"):
        tx.TxPertModel(adata, ["go"])


def test_without_a_split_validation_perturbations_are_drawn(adata, make_model):
    del adata.obs["split"]
    model = make_model(adata)
    assert "split" not in adata.obs
    assert len(model.validation_indices)
    assert not len(model.test_indices)
    assert "pearson_delta_validation" in model.history
    with pytest.raises(ValueError, match="No perturbation is in the split 'test'"):
        tx.tl.evaluate(adata, model)


def test_too_few_perturbations_to_validate_train_all_the_same(adata, make_model):
    del adata.obs["split"]
    few = [*sorted(set(adata.obs["perturbation"]) - {"control"})[:3], "control"]
    model = make_model(adata[adata.obs["perturbation"].isin(few)].copy())
    assert "pearson_delta_validation" not in model.history
    assert np.isfinite(model.predict("GENE3").X).all()


def test_a_split_without_training_perturbations_is_refused(adata, make_model):
    adata.obs["split"] = adata.obs["split"].where(adata.obs["split"] != "train")
    model = make_model(adata, epochs=0)
    with pytest.raises(ValueError, match="No perturbation is in training"):
        model.train(max_epochs=1)
