"""The default prediction: network, kernels and mean, as far as each can be trusted."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scvi

import txpert as tx
from txpert.baselines import GeneralBaseline, KernelBaseline
from txpert.data import ConditionTable
from txpert.effects._contexts import Context
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._target_effect import TargetEffect
from txpert.model._component import KINDS, Sources
from txpert.model._components import MeanComponent
from txpert.model._ensemble import Ensemble
from txpert.model._held_out import across_lines
from txpert.model._stacking import HeldOut, Weights, _gains, calibration_of, stack

ALL = ("mean", "gaussian_process", "network")
DEFAULTS = {"decoding": "low_rank", "components": ALL}
PERTURBATIONS = ["GENE3", "GENE5+GENE9", "GENE40"]


def held_out(n=200, n_genes=60, noise=0.5, seed=0, a=0.8, b=0.4, size=1.0):
    """Perturbations of two cell lines whose Δ is known to be made of the paths."""
    rng = np.random.default_rng(seed)
    general = np.tile(rng.normal(size=n_genes), (n, 1))
    kernel, network = general + rng.normal(size=(2, n, n_genes))
    observed = size * (general + a * (kernel - general) + b * (network - general))
    observed = observed + noise * rng.normal(size=(n, n_genes))
    lines = np.resize(["one", "other"], n)
    predicted = {"mean": general, "gaussian_process": kernel, "network": network}
    return HeldOut(np.repeat("new", n), lines, np.ones(n, dtype=bool), predicted, observed)


def weights_of(kernel, network, scale=1.0):
    return Weights({"gaussian_process": kernel, "network": network}, scale)


def test_weights_are_those_that_made_the_data_if_there_are_many():
    found = stack(held_out(n=500, size=0.7), weights_of(1, 0))
    assert found.of["gaussian_process"] == pytest.approx(0.8, abs=0.15)
    assert found.of["network"] == pytest.approx(0.4, abs=0.15)
    assert found.scale == pytest.approx(0.7, rel=0.1)


def test_the_gains_are_the_metrics():
    part = held_out(n=15, n_genes=10)
    mean, process, network = part.predicted.values()
    terms = np.stack([mean, process - mean, network - mean])
    grid = np.array([(0, 0), (0.3, 1.6), (1, 0.7)])
    gains = _gains(terms, part.observed, part.cell_line, grid)
    for (a, b), gain in zip(grid, gains, strict=True):
        combined = terms[0] + a * terms[1] + b * terms[2]
        expected = tx.metrics.pearson_delta(combined, part.observed).sum()
        for line in ("one", "other"):
            rows = part.cell_line == line
            expected += tx.metrics.retrieval(combined[rows], part.observed[rows]).sum()
        assert gain == pytest.approx(expected, abs=1e-5)


def test_a_path_that_points_away_has_no_weight():
    found = stack(held_out(a=0.9, b=-0.9), weights_of(1, 0))
    assert found.of["network"] == 0
    assert found.of["gaussian_process"] > 0.5


def test_few_perturbations_move_little():
    moved = [stack(held_out(n=n, a=0.2, b=1.0, noise=0.0), weights_of(1, 0)) for n in (1, 4, 100)]
    networks = [weights.of["network"] for weights in moved]
    assert 0 <= networks[0] <= networks[1] < networks[2]
    assert moved[0].of["gaussian_process"] > 0.5


def test_the_scale_is_doubted_where_few_were_held_out():
    scales = [
        stack(held_out(n=n, size=0.1, noise=0.0), weights_of(1, 0)).scale for n in (2, 5_000)
    ]
    assert scales[0] > 0.9
    assert scales[1] == pytest.approx(0.1, abs=0.03)


def test_the_network_is_trusted_as_far_as_it_was_tested(adata, graph):
    ensemble = fitted(adata, graph)
    explained = ensemble.explained
    assert 0 < explained < 1
    assert ensemble.expected("new") == weights_of(1, 0)
    for n, tested in ((10, 0.2), (50, 1), (2_000, 1)):
        network = 0.3 * explained * tested
        found = ensemble.expected("new", n).of
        assert found["network"] == pytest.approx(network)
        assert found["gaussian_process"] == pytest.approx(1 - network)
    assert ensemble.expected("measured", 100) == ensemble.expected("composed", 100)
    assert ensemble.expected("composed", 100) == weights_of(0, 0)


def test_what_graphs_do_not_explain_takes_more_evidence():
    part = held_out(n=20, a=0.2, b=0.8, noise=0.0)
    found = [stack(part, weights_of(1, 0), trust).of["network"] for trust in (0.0, 0.1, 1.0)]
    assert found[0] == 0 < found[1] < found[2]


def test_without_evidence_the_size_is_that_of_the_expected_weights():
    part = held_out(n=30, noise=0.0, a=0.7, b=0.3)
    found = stack(part, weights_of(1, 0))
    mean, process, network = part.predicted.values()
    a, b = found.of.values()
    combined = mean + a * (process - mean) + b * (network - mean)
    along = (combined * (part.observed + 100 / 30 * process)).sum()
    assert found.scale == pytest.approx(along / ((1 + 100 / 30) * (combined**2).sum()), rel=1e-4)


def test_a_strong_perturbation_does_not_speak_for_all():
    many = held_out(n=30, noise=0.0)
    strong = held_out(n=1, noise=0.0, a=0.0, b=0.0, seed=1)
    strong = HeldOut(
        strong.kinds,
        strong.cell_line,
        strong.single,
        {name: 100 * delta for name, delta in strong.predicted.items()},
        100 * strong.observed,
    )
    both, alone = (
        stack(HeldOut.concatenate([many, strong]), weights_of(1, 0)),
        stack(many, weights_of(1, 0)),
    )
    assert both.of["gaussian_process"] == pytest.approx(alone.of["gaussian_process"], abs=0.1)
    assert both.of["network"] == pytest.approx(alone.of["network"], abs=0.1)


def test_paths_that_do_not_differ_keep_what_is_expected():
    part = held_out(n=300, a=0, b=0, noise=0.1)
    mean = part.predicted["mean"]
    same = replace(part, predicted=dict.fromkeys(ALL, mean))
    found = stack(same, weights_of(1, 0))
    assert found.of == weights_of(1, 0).of
    assert found.scale == pytest.approx(1, abs=0.02)
    nothing = np.zeros_like(mean)
    empty = replace(part, predicted=dict.fromkeys(ALL, nothing))
    assert stack(empty, weights_of(0, 0)) == weights_of(0, 0, 1)


@pytest.fixture
def default(adata, make_model):
    return make_model(adata, epochs=3, **DEFAULTS)


def with_weights(model, kernel, network, scale=1.0):
    weights = {"gaussian_process": kernel, "network": network, "scale": scale}
    model.ensemble_ = model.ensemble_ | {"weights": dict.fromkeys(KINDS, weights)}
    return model


def with_target_effect(model, size):
    model.ensemble_ = model.ensemble_ | {"target": TargetEffect(size).to_dict()}
    return model


def test_the_ends_of_the_ensemble_are_its_paths(adata, graph, default):
    """Besides the effect on the targets, which is left out here."""
    table = ConditionTable.from_anndata(tx.pp.pseudobulk(adata))
    training = table.subset(((table.obs["split"] == "train") | table.obs["control"]).to_numpy())
    rest = TargetEffect(**default.ensemble_["target"]).removed_from(training.over_batches())
    default = with_target_effect(default, 0.0)
    process = KernelBaseline(rest, graph)
    targets = [tuple(label.split("+")) for label in PERTURBATIONS]
    kernel = process.process_.predict(targets, process._kernels).mean
    general = GeneralBaseline(rest).predict(PERTURBATIONS).layers["delta"]
    for weights, delta in {(0, 0): general, (1, 0): kernel, (0, 0, 0.3): 0.3 * general}.items():
        predicted = with_weights(default, *weights).predict(
            PERTURBATIONS, batch="batch_1", clip=False
        )
        np.testing.assert_allclose(predicted.layers["delta"], delta, atol=1e-4)
        np.testing.assert_allclose(
            predicted.X, predicted.layers["delta"] + controls_of(predicted, default), atol=1e-5
        )
    kept, default.ensemble_ = default.ensemble_, None
    network = default.predict(PERTURBATIONS).layers["delta"]
    default.ensemble_ = kept
    np.testing.assert_allclose(
        with_weights(default, 0, 1).predict(PERTURBATIONS).layers["delta"], network, atol=1e-5
    )


def test_the_effect_on_the_target_follows_its_expression(default):
    default = with_target_effect(default, 0.0)
    without = default.predict(["GENE3", "GENE3+GENE40", "control"], by_batch=True)
    default = with_target_effect(default, -0.5)
    found = default.predict(["GENE3", "GENE3+GENE40", "control"], by_batch=True)
    change = found.layers["delta"] - without.layers["delta"]
    controls = controls_of(found, default)
    expected = np.zeros_like(change)
    for row, label in enumerate(found.obs["perturbation"]):
        for target in set(label.split("+")) - {"control"}:
            column = found.var_names.get_loc(target)
            expected[row, column] = -0.5 * controls[row, column]
    np.testing.assert_allclose(change, expected, atol=1e-5)
    assert (found.obs["fraction_target"] > 0).tolist() == [
        label != "control" for label in found.obs["perturbation"]
    ]


def controls_of(predicted, model):
    profiles = model.control_profiles
    row = {(o.cell_line, o.batch): i for i, o in enumerate(profiles.obs.itertuples())}
    return profiles.mean[[row[o.cell_line, o.batch] for o in predicted.obs.itertuples()]]


def test_shares_add_up_and_are_zero_for_paths_without_weight(default):
    shares = with_weights(default, 0.5, 0.0).predict("GENE40").obs
    shares = shares[[f"fraction_{path}" for path in (*ALL, "target")]]
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert (shares["fraction_network"] == 0).all()
    assert (shares["fraction_gaussian_process"] > 0).all()


@pytest.mark.parametrize("decoding", ["low_rank", "delta", "direct"])
def test_ensembles_save_and_load(adata, make_model, decoding, tmp_path):
    model = make_model(adata, decoding=decoding, components=ALL)
    with_weights(model, 0.4, 0.3)
    expected = model.predict(PERTURBATIONS).X
    model.save(tmp_path / "m")
    for data in ((), (adata,)):
        loaded = tx.TxPertModel.load(tmp_path / "m", *data)
        np.testing.assert_allclose(loaded.predict(PERTURBATIONS).X, expected, atol=2e-6)
        expected_text = "1.00 × (mean + 0.4 (gaussian_process - mean) + 0.3 (network - mean))"
        assert expected_text in loaded.summary_string
        state = model.ensemble_["components"]["gaussian_process"]
        explained = GeneGaussianProcess.from_dict(state).explained
        assert f"Kernels explain {explained:.0%} of the variance" in loaded.summary_string


def test_controls_are_predicted_to_be_controls(default):
    predicted = with_weights(default, 0.5, 0.5).predict("control")
    assert not predicted.layers["delta"].any()


def test_combinations_of_known_perturbations_start_from_their_sum(adata, default):
    train = sorted(adata.obs.loc[adata.obs["split"] == "train", "perturbation"].unique())[:2]
    predicted = with_weights(default, 0, 0).predict([*train, "+".join(train)], batch="batch_1")
    delta = predicted.layers["delta"]
    np.testing.assert_allclose(delta[0] + delta[1], delta[2], atol=1e-5)


def test_without_graph_or_features_there_is_nothing_to_compare_genes_by(adata):
    scvi.settings.seed = 0
    tx.TxPertModel.setup_anndata(adata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = tx.TxPertModel(adata, encoder="free")
    model.train(max_epochs=2, enable_progress_bar=False)
    process = model.ensemble_["components"]["gaussian_process"]
    assert not process["kernels"].size
    assert np.isfinite(model.predict(model.nodes[0]).X).all()


def test_a_model_loaded_with_other_data_predicts_the_same(adata, make_model, tmp_path):
    """Its kernels compare genes with the training targets, whatever the other data hold."""
    model = make_model(adata, epochs=1, **DEFAULTS)
    expected = model.predict(PERTURBATIONS, batch="batch_1").layers["delta"]
    model.save(tmp_path / "m")
    few = adata[adata.obs["perturbation"].isin(["control", "GENE5"])].copy()
    few.obs["split"] = few.obs["split"].cat.remove_unused_categories()
    loaded = tx.TxPertModel.load(tmp_path / "m", few)
    found = loaded.predict(PERTURBATIONS, batch="batch_1").layers["delta"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_given_features_are_compared_too(adata, graph, make_model):
    frame = pd.DataFrame(
        np.random.default_rng(0).normal(size=(graph.n_nodes, 4)), index=graph.nodes
    )
    model = make_model(adata, epochs=1, node_inputs=["learned", frame], **DEFAULTS)
    process = model.ensemble_["components"]["gaussian_process"]
    assert "features 1" in process["kernels"]


def without_validation(adata):
    adata.obs["split"] = adata.obs["split"].replace("val", "train")
    return adata


def test_without_validation_perturbations_are_held_out_in_turn(adata, make_model):
    """The final network has seen them all, the weights none that it was trained on."""
    model = make_model(without_validation(adata), epochs=4, **DEFAULTS)
    trained = set(adata.obs.loc[adata.obs["split"] == "train", "perturbation"])
    assert {perturbation for perturbation, _ in model.trained_on_} == trained
    assert [set(labels) for labels in model.ensemble_["labels"]] == [trained]
    assert len(model.history["train_loss"]) <= 4
    assert (adata.obs["split"] != "val").all()


def test_few_perturbations_without_validation_have_the_weights_expected(adata, make_model):
    adata = without_validation(adata)
    some = sorted(set(adata.obs["perturbation"]) - {"control"})[:3]
    few = adata.obs["perturbation"].isin(["control", *some])
    adata = adata[few.to_numpy()].copy()
    adata.obs["split"] = np.where(adata.obs["control"], None, "train").astype(object)
    model = make_model(adata, **DEFAULTS)
    assert model.ensemble_["weights"] == {}


def test_test_cells_change_nothing(adata, make_model):
    models = []
    for shift in (0.0, 1.0):
        other = adata.copy()
        other.X = other.X.toarray()
        other.X[(other.obs["split"] == "test").to_numpy()] += shift
        models.append(make_model(other, epochs=3, **DEFAULTS))
    a, b = models
    np.testing.assert_array_equal(a.predict(PERTURBATIONS).X, b.predict(PERTURBATIONS).X)
    assert a.ensemble_["weights"] == b.ensemble_["weights"]


def sources_of(graph, labels):
    anchors = pd.Index(sorted(set(labels)), dtype=object)
    network = SimpleNamespace(module=SimpleNamespace(reads="none"))
    return Sources(GeneKernels([graph], {}, anchors), network)


def fitted(adata, graph):
    table = ConditionTable.from_anndata(tx.pp.pseudobulk(adata))
    training = table.subset((table.obs["split"] == "train").to_numpy())
    return Ensemble.fit(training, ALL, sources_of(graph, training.obs["perturbation"]))


class Far(MeanComponent):
    """Predicts 7 for every gene."""

    def delta(self, conditions, profiles, context):
        n_genes = len(self.effects.pooled_mean)
        return np.full((len(conditions), n_genes), 7.0, dtype=np.float32)


def test_each_kind_of_perturbation_has_weights_of_its_own(adata, graph):
    """Held-out genes say nothing about perturbations that were measured."""
    ensemble = fitted(adata, graph)
    line_effects = ensemble.components["mean"].effects
    ((context, effects),) = line_effects.of_context.items()
    a, b = effects.labels[:2]
    labels = [a, f"{a}+{b}", f"{a}+ELSEWHERE", "ELSEWHERE"]
    conditions = pd.DataFrame({"perturbation": labels, "cell_line": context.cell_line})
    assert ensemble.kinds(conditions).tolist() == ["measured", "composed", "new", "new"]
    elsewhere = conditions.assign(cell_line="another")
    kinds = ["of an unseen line", "composed", "new", "new"]
    assert ensemble.kinds(elsewhere).tolist() == kinds
    part = held_out(n_genes=effects.delta.shape[1])
    weighed = ensemble.weigh(part)
    expected = ensemble.expected("new", 200)
    of_new = stack(part, expected, ensemble.explained)
    of_new = replace(of_new, calibration=calibration_of(part, of_new))
    assert weighed.weights == {"new": of_new}
    weighed.components["network"] = Far(line_effects)
    delta, sizes = weighed.delta(conditions, None, np.zeros(4, dtype=int))
    np.testing.assert_allclose(delta[:2], effects.general(labels[:2]))
    assert (sizes["network"] > 0).tolist() == [False, False, True, True]


def two_lines_table():
    adata = tx.datasets.simulate(30, 60, 20, n_batches=2, n_cell_lines=2, seed=3)
    tx.pp.normalize(adata)
    table = ConditionTable.from_anndata(tx.pp.pseudobulk(adata))
    return table.subset(~table.obs["control"].to_numpy(dtype=bool))


def test_cell_lines_are_held_out_in_turn(graph):
    table = two_lines_table()
    sources = sources_of(graph, table.obs["perturbation"])
    parts = across_lines(table, ALL, sources)
    lines = sorted(set(table.obs["cell_line"]))
    assert [set(part.cell_line) for part in parts] == [{line} for line in lines]
    one, other = (
        set(table.obs.loc[table.obs["cell_line"] == line, "perturbation"]) for line in lines
    )
    rest = table.subset((table.obs["cell_line"] == lines[1]).to_numpy())
    effects = Ensemble.fit(rest, ["mean"], sources).components["mean"].effects
    shared = sorted(one & other)
    assert len(parts[0].kinds) == len(shared)
    assert set(parts[0].kinds) == {"of an unseen line"}
    expected = effects.general(shared, Context(lines[0], "all"))
    np.testing.assert_allclose(parts[0].predicted["mean"], expected, atol=1e-6)
    np.testing.assert_array_equal(parts[0].predicted["network"], parts[0].predicted["mean"])
    alone = table.subset((table.obs["cell_line"] == lines[0]).to_numpy())
    assert across_lines(alone, ALL, sources) == []


def test_held_out_lines_begin_from_the_fit_to_all(graph, monkeypatch):
    table = two_lines_table()
    sources = sources_of(graph, table.obs["perturbation"])
    began, fit = [], GeneGaussianProcess.fit

    def noted(effects, kernels, earlier=None, **options):
        began.append(earlier)
        return fit(effects, kernels, earlier, **options)

    monkeypatch.setattr(GeneGaussianProcess, "fit", noted)
    ensemble = Ensemble.fit(table, ALL, sources)
    cold = across_lines(table, ALL, sources)
    warm = across_lines(table, ALL, replace(sources, earlier=ensemble.components))
    assert began[:3] == [None] * 3
    whole = ensemble.process.process.log_variances
    assert [known.log_variances is whole for known in began[3:]] == [True, True]
    for one, other in zip(cold, warm, strict=True):
        a, b = (part.predicted["gaussian_process"] for part in (one, other))
        assert np.abs(a - b).max() < 0.1 * np.abs(a).max()


def test_what_other_lines_measured_is_shrunk_as_far_as_lines_differ():
    """Effects that lines share in part predict each other better when made smaller."""
    adata = tx.datasets.simulate(40, 80, 15, n_batches=2, n_cell_lines=3, seed=1)
    tx.pp.normalize(adata)
    tx.pp.split(adata, task="unseen_cell_line", test_cell_line=adata.obs["cell_line"].iloc[0])
    scvi.settings.seed = 0
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, [tx.datasets.simulated_graph(adata)])
    model.train(max_epochs=2, enable_progress_bar=False)
    assert model.ensemble_["weights"]["of an unseen line"]["scale"] < 0.95
    tx.tl.evaluate(adata, model)
    scores = adata.uns["txpert"]["summary"]
    assert scores.loc["TxPert", "mse"] < scores.loc["general", "mse"]


@pytest.mark.parametrize("components", ["blended", ("mean", "ridge"), (), ("mean", "mean")])
def test_unknown_components(adata, graph, components):
    tx.TxPertModel.setup_anndata(adata)
    with pytest.raises(ValueError, match="takes 'mean', 'gaussian_process', 'network', "):
        tx.TxPertModel(adata, [graph], components=components)


def test_fitting_looks_at_training_conditions_only(adata, graph):
    (labels,) = fitted(adata, graph).labels.values()
    assert labels == set(adata.obs.loc[adata.obs["split"] == "train", "perturbation"])


def test_a_line_is_predicted_the_same_in_any_company(graph):
    """Trained on one line, the model knows less of another: rows of the two are not merged."""
    adata = tx.datasets.simulate(30, 60, 20, n_batches=1, n_cell_lines=2, seed=3)
    tx.pp.normalize(adata)
    lines = sorted(adata.obs["cell_line"].unique())
    tx.pp.split(adata, task="unseen_cell_line", test_cell_line=lines[1])
    tx.TxPertModel.setup_anndata(adata)
    graphs = [tx.datasets.simulated_graph(adata)]
    model = tx.TxPertModel(adata, graphs, components=("mean", "gaussian_process"))
    model.train(enable_progress_bar=False)
    label = model.trained_on_[0][0]
    together = model.predict(label).to_df("delta")
    alone = pd.concat([model.predict(label, cell_line=c).to_df("delta") for c in lines])
    np.testing.assert_array_equal(together, alone.loc[together.index])


def test_kernels_of_training_targets_do_not_depend_on_other_anchors(graph, monkeypatch):
    monkeypatch.setattr("txpert.effects._gene_kernels._MOST_DIRECT", 10)
    many, few = pd.Index(graph.nodes[:12]), pd.Index(graph.nodes[:6])
    some, alone = GeneKernels([graph], {}, many).among(few), GeneKernels([graph], {}, few)
    assert some.names == alone.names
    for one, other in zip(some.between(many, few), alone.between(many, few), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_an_unseen_line_is_predicted_by_the_process_where_one_line_was_trained_on(adata, graph):
    """What one line measured is shrunk, as far as lines differ: its noise is not carried over."""
    ensemble = fitted(adata, graph)
    expected = ensemble.expected("of an unseen line", n_held_out=200)
    assert expected.of == {"gaussian_process": 1.0, "network": 0.0}
