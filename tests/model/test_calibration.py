"""The map from predicted to observed effects."""

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.graph import KnowledgeGraph
from txpert.model._calibration import Calibration
from txpert.model._stacking import HeldOut, Weights, calibration_of


def drawn(n=60, n_genes=400, *, floor=None, seed=0):
    """Predicted Δ of a linear model, and Δ that no value of which is below the floor."""
    rng = np.random.default_rng(seed)
    predicted = 0.3 * rng.standard_normal((n, n_genes)).astype(np.float32)
    observed = predicted + 0.2 * rng.standard_normal((n, n_genes)).astype(np.float32)
    return predicted, observed if floor is None else np.maximum(observed, floor)


def squared_error(predicted, observed):
    return float(((predicted - observed) ** 2).mean())


@pytest.fixture(scope="module")
def bent():
    return Calibration.fit(*drawn(floor=0.0))


def test_effects_with_a_floor_are_predicted_better(bent):
    predicted, observed = drawn(floor=0.0, seed=1)
    raw, mapped = squared_error(predicted, observed), squared_error(bent(predicted), observed)
    best = Calibration.fit(predicted, observed)
    assert mapped < 0.75 * raw
    assert mapped < 1.1 * squared_error(best(predicted), observed)
    assert bent(np.float32([-0.3])).item() > -0.1


def test_what_is_right_hardly_moves():
    predicted, observed = drawn(n=100)
    found = Calibration.fit(predicted, observed)
    moved = 0 if found is None else found(predicted) - predicted
    assert np.sqrt(np.mean(np.square(moved))) < 0.01


def test_the_order_of_genes_stays(bent):
    values = np.linspace(-3, 3, 5_001, dtype=np.float32)
    assert (np.diff(bent(values)) > -1e-6).all()
    assert bent(values).dtype == np.float32


def test_a_gene_that_never_changes_stays_at_0(bent):
    predicted, _ = drawn(floor=0.0, seed=1)
    assert bent(np.float32([1e-6])).item() != pytest.approx(0, abs=1e-3)
    predicted[:, 7] = 0
    assert not bent(predicted)[:, 7].any()


def test_beyond_what_was_held_out_the_map_is_parallel_to_the_diagonal(bent):
    ends = np.array([[bent.low - 2, bent.low], [bent.high, bent.high + 2]])
    np.testing.assert_allclose(np.diff(bent(ends), axis=1), 2, rtol=1e-6)


def test_neither_order_nor_genes_that_were_not_measured_matter(bent):
    predicted, observed = drawn(floor=0.0)
    genes = np.random.default_rng(3).permutation(predicted.shape[1])
    unmeasured = np.zeros((len(predicted), 50), dtype=np.float32)
    shuffled = (
        np.concatenate([values[:, genes], unmeasured], axis=1) for values in (predicted, observed)
    )
    found = Calibration.fit(*shuffled)
    np.testing.assert_allclose(found.expected, bent.expected, atol=1e-5)


def test_too_few_perturbations_or_no_prediction_give_no_map():
    assert Calibration.fit(*drawn(n=19, floor=0.0)) is None
    predicted, observed = drawn(floor=0.0)
    assert Calibration.fit(np.zeros_like(predicted), observed) is None


def test_few_perturbations_are_followed_half_way(bent):
    few = Calibration.fit(*drawn(n=20, floor=0.0))
    low = np.float32([-0.3])
    assert -0.3 < few(low).item() < bent(low).item()


def test_a_constant_prediction_is_moved_as_a_whole():
    predicted = np.full((40, 300), 0.5, dtype=np.float32)
    observed = 0.8 + 0.01 * np.random.default_rng(0).standard_normal((40, 300))
    found = Calibration.fit(predicted, observed)(predicted)
    np.testing.assert_allclose(found, found[0, 0])
    assert 0.65 < found[0, 0] < 0.8


def test_combinations_have_no_part_in_the_map():
    predicted, observed = drawn(floor=0.0)
    single = np.arange(len(predicted)) < 40
    lines = np.repeat("one", len(predicted))
    part = HeldOut(lines, lines, single, {"mean": predicted}, observed)
    found = calibration_of(part, Weights({}, scale=0.9))
    only = Calibration.fit(0.9 * predicted[:40], observed[:40])
    np.testing.assert_allclose(found.expected, only.expected, atol=1e-5)
    none = HeldOut(lines, lines, np.zeros_like(single), {"mean": predicted}, observed)
    assert calibration_of(none, Weights({})) is None


def test_the_weighted_sum_is_what_is_mapped():
    predicted, observed = drawn(floor=0.0)
    lines = np.repeat("one", len(predicted))
    both = {"mean": 0 * predicted, "gaussian_process": 2 * predicted}
    part = HeldOut(lines, lines, lines == "one", both, observed)
    found = calibration_of(part, Weights({"gaussian_process": 0.5}))
    only = Calibration.fit(predicted, observed)
    np.testing.assert_allclose(found.expected, only.expected, atol=1e-5)


def test_weights_carry_the_map(bent):
    weights = Weights({"gaussian_process": 0.5}, 0.9, bent)
    assert Weights.from_dict(weights.to_dict()) == weights


GENES = [f"GENE{i}" for i in range(60)]
ASKED = GENES[50:52]


@pytest.fixture(scope="module")
def graph():
    """Five groups of genes."""
    near = [(a, b) for i, a in enumerate(GENES) for j, b in enumerate(GENES) if i % 5 == j % 5]
    edges = pd.DataFrame([pair for pair in near if pair[0] != pair[1]])
    edges.columns = ["source", "target"]
    return KnowledgeGraph.from_edges(edges, name="groups")


@pytest.fixture(scope="module")
def scores():
    """Scores of up-regulation: genes of a group share an effect, and less than 0 is 0."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((5, 300))
    effects = [shared[i % 5] + 0.5 * rng.standard_normal(300) for i in range(len(GENES))]
    columns = [f"READ{i}" for i in range(300)]
    return pd.DataFrame(np.maximum(effects, 0), index=GENES, columns=columns)


@pytest.fixture(scope="module")
def screen(scores):
    return tx.pp.from_effects(scores.iloc[:50])


@pytest.fixture(scope="module")
def model(screen, graph):
    tx.TxPertModel.setup_anndata(screen)
    model = tx.TxPertModel(screen, graph, components=("mean", "gaussian_process"))
    model.train()
    return model


@pytest.fixture
def of_kind(model):
    return model._ensemble().weights["new"]


def test_a_model_of_a_screen_with_a_floor_is_calibrated(model, of_kind):
    assert of_kind.calibration is not None
    assert "calibrated" in str(model._ensemble())


def test_parts_of_a_calibrated_prediction_still_sum_to_it(model):
    why = model.explain(ASKED[0])
    delta = model.predict(ASKED[0]).layers["delta"][0]
    assert why.attrs["norm"] == pytest.approx(np.linalg.norm(delta), rel=1e-4)
    assert why["contribution"].sum() == pytest.approx(why.attrs["norm"], rel=1e-4)
    assert "calibration" in set(why["component"])
    tx.pl.explain(why)


def test_combinations_stay_sums_over_targets(model):
    a, b, both = model.predict([*ASKED, "+".join(ASKED)]).layers["delta"]
    assert not np.allclose(a + b, both, atol=1e-4)
    assert "calibration" not in set(model.explain("+".join(ASKED))["component"])


@pytest.mark.parametrize("level", [0.3, 0.9])
def test_intervals_around_calibrated_predictions_hold_what_they_say(model, scores, level):
    unseen = scores.iloc[50:]
    found = model.predict(list(unseen.index), interval=level)
    lower, upper = found.layers["lower"], found.layers["upper"]
    inside = (unseen.to_numpy() >= lower) & (unseen.to_numpy() <= upper)
    assert inside.mean() == pytest.approx(level, abs=0.05)


def test_a_saved_model_keeps_its_calibration(model, screen, tmp_path, of_kind):
    model.save(tmp_path / "model")
    loaded = tx.TxPertModel.load(tmp_path / "model", screen)
    assert loaded._ensemble().weights["new"] == of_kind
    np.testing.assert_allclose(
        loaded.predict(ASKED[0]).layers["delta"], model.predict(ASKED[0]).layers["delta"]
    )


def test_what_another_line_measured_is_calibrated_as_new_perturbations_are(screen, graph):
    effects = screen[~screen.obs["control"]].to_df()
    effects.index = screen.obs["perturbation"][~screen.obs["control"]].astype(str)
    other = effects.iloc[:20]
    both = tx.pp.from_effects(
        pd.concat([effects, 0.8 * other]), cell_line=["a"] * len(effects) + ["b"] * 20
    )
    tx.TxPertModel.setup_anndata(both)
    model = tx.TxPertModel(both, graph, components=("mean", "gaussian_process"))
    model.train()
    ensemble = model._ensemble()
    known = ensemble.weights_of("new").calibration
    assert known is not None
    for kind in ("measured elsewhere", "of an unseen line"):
        assert ensemble.weights_of(kind).calibration == known
    assert ensemble.weights_of("measured").calibration is None
