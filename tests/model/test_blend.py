"""The default prediction: a network and two simpler predictors, as far as each can be trusted."""

import warnings

import numpy as np
import pytest
import scvi
from sklearn.linear_model import Ridge

import txpert as tx
from txpert.baselines import GeneralBaseline, RidgeBaseline
from txpert.data import ConditionTable
from txpert.model import Blend, stack

DEFAULTS = {"decoding": "low_rank", "prediction": "blended"}
PERTURBATIONS = ["GENE3", "GENE5+GENE9", "GENE40"]


def paths(n=40, n_genes=50, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    general, linear, network = rng.normal(size=(3, n, n_genes))
    observed = general + 0.6 * (linear - general) + 0.3 * (network - general)
    return general, linear, network, observed + noise * rng.normal(size=(n, n_genes))


def test_weights_are_those_that_made_the_data_if_there_are_many():
    np.testing.assert_allclose(stack(*paths(n=2_000)), [0.6, 0.3], atol=0.02)


def test_weights_are_penalised_least_squares():
    general, linear, network, observed = paths(n=7, noise=1.0)
    scale = np.linalg.norm(observed - general, axis=1, keepdims=True)
    steps = np.stack([((path - general) / scale).ravel() for path in (linear, network)], axis=1)
    penalty = 5 * (steps**2).sum() / (2 * 7)
    expected = Ridge(alpha=penalty, fit_intercept=False).fit(
        steps, ((observed - general) / scale).ravel()
    )
    np.testing.assert_allclose(
        stack(general, linear, network, observed), expected.coef_, rtol=1e-6
    )


def test_a_path_that_points_away_has_no_weight():
    general, linear, network, _ = paths()
    observed = general + 0.7 * (linear - general) - 0.9 * (network - general)
    a, b = stack(general, linear, network, observed)
    assert b == 0
    assert a > 0.1


def test_few_perturbations_move_little():
    weights = [sum(stack(*paths(n=n, noise=0.0))) for n in (1, 5, 50)]
    assert 0 < weights[0] < weights[1] < weights[2] < 0.9


def test_a_strong_perturbation_does_not_speak_for_all():
    general, linear, network, observed = paths(n=30, noise=0.0)
    expected = stack(general, linear, network, observed)
    general, linear, network, observed = (
        np.concatenate([x, 100 * y[:1]])
        for x, y in zip(
            (general, linear, network, observed),
            (general, general, linear, network),
            strict=True,
        )
    )
    np.testing.assert_allclose(stack(general, linear, network, observed), expected, atol=0.1)


def test_paths_that_do_not_differ_have_no_weight():
    general, _, _, observed = paths()
    assert stack(general, general, general, observed) == (0, 0)


@pytest.fixture
def blended(adata, make_model):
    return make_model(adata, epochs=3, **DEFAULTS)


def with_weights(model, *weights):
    model.blend_["weights"] = {kind: list(weights) for kind in ("measured", "composed", "new")}
    return model


def test_the_ends_of_the_blend_are_its_paths(adata, graph, blended):
    table = tx.pp.pseudobulk(adata)
    features = blended._linear_features
    expected = {
        (0, 0): GeneralBaseline(table).predict(PERTURBATIONS).layers["delta"],
        (1, 0): RidgeBaseline(table, features).predict(PERTURBATIONS).layers["delta"],
    }
    for weights, delta in expected.items():
        predicted = with_weights(blended, *weights).predict(PERTURBATIONS)
        np.testing.assert_allclose(predicted.layers["delta"], delta, atol=1e-4)
        np.testing.assert_allclose(
            predicted.X, predicted.layers["delta"] + controls_of(predicted, blended), atol=1e-5
        )
    blend, blended.blend_ = blended.blend_, None
    network = blended.predict(PERTURBATIONS).layers["delta"]
    blended.blend_ = blend
    np.testing.assert_allclose(
        with_weights(blended, 0, 1).predict(PERTURBATIONS).layers["delta"], network, atol=1e-5
    )


def controls_of(predicted, model):
    profiles = model.control_profiles
    row = {(o.cell_line, o.batch): i for i, o in enumerate(profiles.obs.itertuples())}
    return profiles.mean[[row[o.cell_line, o.batch] for o in predicted.obs.itertuples()]]


def test_shares_add_up_and_are_zero_for_paths_without_weight(blended):
    shares = with_weights(blended, 0.5, 0.0).predict("GENE40").obs
    shares = shares[["share_general", "share_linear", "share_network"]].to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert (shares[:, 2] == 0).all()
    assert (shares[:, 1] > 0).all()


@pytest.mark.parametrize("decoding", ["low_rank", "delta", "direct"])
def test_blended_models_save_and_load(adata, make_model, decoding, tmp_path):
    model = make_model(adata, decoding=decoding, prediction="blended")
    with_weights(model, 0.4, 0.3)
    expected = model.predict(PERTURBATIONS).X
    model.save(tmp_path / "m")
    for data in ((), (adata,)):
        loaded = tx.TxPertModel.load(tmp_path / "m", *data)
        np.testing.assert_array_equal(loaded.predict(PERTURBATIONS).X, expected)
        assert "general + 0.40 (linear - general) + 0.30" in loaded.summary_string


def test_controls_are_predicted_to_be_controls(blended):
    predicted = with_weights(blended, 0.5, 0.5).predict("control")
    assert not predicted.layers["delta"].any()


def test_combinations_of_known_perturbations_start_from_their_sum(adata, blended):
    train = sorted(adata.obs.loc[adata.obs["split"] == "train", "perturbation"].unique())[:2]
    predicted = with_weights(blended, 0, 0).predict([*train, "+".join(train)], batch="batch_1")
    delta = predicted.layers["delta"]
    np.testing.assert_allclose(delta[0] + delta[1], delta[2], atol=1e-5)


def test_without_graph_or_features_there_is_no_linear_path(adata):
    scvi.settings.seed = 0
    tx.TxPertModel.setup_anndata(adata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = tx.TxPertModel(adata, encoder="none")
    model.train(max_epochs=2, enable_progress_bar=False)
    assert "features" not in model.blend_
    assert np.isfinite(model.predict(model.nodes[0]).X).all()


def without_validation(adata):
    adata.obs["split"] = adata.obs["split"].replace("val", "train")
    return adata


def test_without_validation_perturbations_are_held_out_in_turn(adata, make_model):
    """The final network has seen them all, the weights none that it was trained on."""
    model = make_model(without_validation(adata), epochs=4, **DEFAULTS)
    trained = set(adata.obs.loc[adata.obs["split"] == "train", "perturbation"])
    assert {perturbation for perturbation, _ in model.trained_on_} == trained
    assert set(model.blend_["labels"]) == trained
    assert len(model.history["train_loss"]) <= 4
    assert (adata.obs["split"] != "val").all()


def test_few_perturbations_without_validation_have_the_general_prediction(adata, make_model):
    adata = without_validation(adata)
    some = sorted(set(adata.obs["perturbation"]) - {"control"})[:3]
    few = adata.obs["perturbation"].isin(["control", *some])
    adata = adata[few.to_numpy()].copy()
    adata.obs["split"] = np.where(adata.obs["control"], None, "train").astype(object)
    model = make_model(adata, **DEFAULTS)
    assert model.blend_["weights"] == {}


def test_test_cells_change_nothing(adata, make_model):
    models = []
    for shift in (0.0, 1.0):
        other = adata.copy()
        other.X = other.X.toarray()
        other.X[(other.obs["split"] == "test").to_numpy()] += shift
        models.append(make_model(other, epochs=3, **DEFAULTS))
    a, b = models
    np.testing.assert_array_equal(a.predict(PERTURBATIONS).X, b.predict(PERTURBATIONS).X)
    assert a.blend_["weights"] == b.blend_["weights"]


def test_each_kind_of_perturbation_has_weights_of_its_own(adata, graph):
    """Held-out genes say nothing about perturbations that were measured."""
    table = ConditionTable.from_anndata(tx.pp.pseudobulk(adata))
    training = table.subset((table.obs["split"] == "train").to_numpy())
    blend = Blend.fit(training, tx.graph.spectral_embedding(graph, 8))
    a, b = blend.effects.labels[:2]
    labels = [a, f"{a}+{b}", f"{a}+ELSEWHERE", "ELSEWHERE"]
    assert blend.kinds(labels).tolist() == ["measured", "composed", "new", "new"]
    held_out = paths(n_genes=table.mean.shape[1])
    weighed = blend.weigh(np.repeat("new", 40), held_out)
    assert weighed.weights == {"new": stack(*held_out)}
    far = np.full((4, table.mean.shape[1]), 7.0, dtype=np.float32)
    delta, shares = weighed.delta(labels, far)
    np.testing.assert_array_equal(delta[:2], blend.simple(labels)[0][:2])
    assert (shares["share_network"] > 0).tolist() == [False, False, True, True]


def test_unknown_prediction(adata, graph):
    tx.TxPertModel.setup_anndata(adata)
    with pytest.raises(ValueError, match="'blended' or 'network', not 'mean'"):
        tx.TxPertModel(adata, [graph], prediction="mean")


def test_fitting_looks_at_training_conditions_only(adata, graph):
    table = ConditionTable.from_anndata(tx.pp.pseudobulk(adata))
    training = table.subset((table.obs["split"] == "train").to_numpy())
    features = tx.graph.spectral_embedding(graph, 8)
    assert set(Blend.fit(training, features).effects.labels) == set(
        adata.obs.loc[adata.obs["split"] == "train", "perturbation"]
    )
