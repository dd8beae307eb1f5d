"""New effects and new genes without training from the start."""

import warnings

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.effects._contributions import training_effects
from txpert.effects._refit import refit, training_rows
from txpert.model import register_component
from txpert.model._component import COMPONENTS

ENSEMBLE = {"components": ("mean", "gaussian_process"), "decoding": "low_rank"}
EVERYTHING = {"components": ("mean", "gaussian_process", "network"), "decoding": "low_rank"}


@pytest.fixture
def parts(adata):
    """Half of the perturbations, and the other half; both with all controls."""
    del adata.obs["split"]
    names = sorted(set(adata.obs["perturbation"].astype(str)) - {"control"})
    adata.X = adata.X.toarray()
    control = adata.obs["control"].to_numpy()
    first, second = (
        adata[control | adata.obs["perturbation"].isin(some).to_numpy()].copy()
        for some in (names[:7], names[7:])
    )
    return first, second, names


def delta(model, labels, **options):
    return model.predict(labels, **options).layers["delta"]


def test_update_equals_a_fit_to_all_with_the_variances_kept(make_model, parts):
    first, second, names = parts
    model = make_model(first, **ENSEMBLE)
    before = model._ensemble().process.process
    trained = {label for label, _ in model.trained_on_}
    model.update(second)
    found = model._ensemble().process
    assert {label for label, _ in model.trained_on_} == trained | set(names[7:])
    effects = training_rows(found.process, training_effects(found.process, found.kernels))
    expected = refit(before, effects, found.kernels)
    asked = [("GENE10",), ("GENE20",)]
    one, other = (p.predict(asked, found.kernels).mean for p in (found.process, expected))
    np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("registered", [True, False])
def test_new_cells_need_no_split(make_model, parts, registered):
    first, second, names = parts
    tx.pp.split(first)
    model = make_model(first, **ENSEMBLE)
    if registered:  # cells that were cut out of data that a model was made from
        second.uns = {**first.uns}
    model.update(second)
    assert set(names[7:]) <= {label for label, _ in model.trained_on_}


def test_what_was_added_is_predicted_as_measured(make_model, parts, tmp_path):
    first, second, names = parts
    model = make_model(first, **EVERYTHING)
    label, obs = names[-1], second.obs
    before = delta(model, [label])
    weights = {name: value.clone() for name, value in model.module.state_dict().items()}
    model.update(second)
    after = delta(model, [label])
    cells, control = (obs["perturbation"] == label).to_numpy(), obs["control"].to_numpy()
    observed = second.X[cells].mean(axis=0) - second.X[control].mean(axis=0)
    assert ((after - observed) ** 2).mean() < 0.3 * ((before - observed) ** 2).mean()
    for name, value in model.module.state_dict().items():
        assert (value == weights[name]).all()
    model.save(tmp_path / "model")
    loaded = tx.TxPertModel.load(tmp_path / "model")
    np.testing.assert_allclose(
        delta(loaded, [label, "GENE10"]), delta(model, [label, "GENE10"]), atol=1e-4
    )


def test_a_loaded_model_without_data_is_updated(make_model, parts, tmp_path):
    first, second, _ = parts
    model = make_model(first, **ENSEMBLE)
    model.save(tmp_path / "model")
    loaded = tx.TxPertModel.load(tmp_path / "model")
    for one in (model, loaded):
        one.update(second)
    np.testing.assert_allclose(delta(loaded, "GENE10"), delta(model, "GENE10"), atol=2e-3)


def test_a_new_line_is_learned_and_predicted(make_model, parts):
    first, second, _ = parts
    model = make_model(first, **EVERYTHING)
    second.obs["cell_line"] = "RPE1"
    second.X = second.X + 0.5 * (second.obs["perturbation"] != "control").to_numpy()[:, None]
    model.update(second)
    controls = second[second.obs["control"].to_numpy()]
    new = delta(model, ["GENE10"], controls=controls)
    old = delta(model, ["GENE10"])
    assert new.mean() > old.mean() + 0.1  # the mean effect of that line


class Median(tx.model.Component):
    """Median effect."""

    def __init__(self, effects):
        self.effects = effects

    @classmethod
    def fit(cls, training, sources):
        return cls(training.measured.delta)

    def delta(self, conditions, profiles, context):
        return np.tile(np.nanmedian(self.effects, axis=0), (len(conditions), 1))

    def to_dict(self):
        return {"effects": self.effects}

    @classmethod
    def from_dict(cls, state, sources):
        return cls(state["effects"])


class LearningMedian(Median):
    """Median effect of earlier and new perturbations."""

    def updated(self, training, sources):
        assert sources.earlier["median"].effects is self.effects
        return LearningMedian(np.concatenate([self.effects, training.measured.delta]))

    def on_graphs(self, sources):
        return LearningMedian(0 * self.effects + len(sources.kernels.nodes))


@pytest.fixture
def with_median(make_model, parts):
    """Train a model with a median of the user's as a component."""

    def make(component):
        register_component("median", description="Median effect")(component)
        return make_model(parts[0], components=("mean", "median"), decoding="low_rank")

    yield make
    COMPONENTS.pop("median", None)


def test_a_component_that_does_not_learn_is_named(with_median, parts):
    model = with_median(Median)
    before = model._ensemble().components["median"].effects
    with pytest.warns(UserWarning, match="component 'median' does not learn from update") as seen:
        model.update(parts[1])
    assert len([w for w in seen if "does not learn" in str(w.message)]) == 1
    np.testing.assert_array_equal(model._ensemble().components["median"].effects, before)


def test_a_component_of_ones_own_learns(with_median, parts):
    model = with_median(LearningMedian)
    before = len(model._ensemble().components["median"].effects)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*does not learn")
        model.update(parts[1])
    assert before < len(model._ensemble().components["median"].effects) == len(model.trained_on_)


def test_the_components_of_the_package_learn_silently(make_model, parts):
    model = make_model(parts[0], **EVERYTHING)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*does not learn")
        model.update(parts[1])


def test_a_component_of_ones_own_is_put_on_other_graphs(make_model, adata, graph):
    components = ("mean", "gaussian_process", "median")
    edges = pd.concat([graph.edges, graph.edges.iloc[:1].assign(target="NEW")])
    wider = tx.graph.KnowledgeGraph.from_edges(edges, name=graph.name)
    register_component("median", description="Median effect")(LearningMedian)
    try:
        model = make_model(adata, components=components, decoding="low_rank")
        extended = model.with_graphs(wider)
        found = extended._ensemble().components
    finally:
        COMPONENTS.pop("median", None)
    assert [*found] == [*components]
    assert (found["median"].effects == len(extended.nodes)).all()


def test_what_does_not_fit_is_refused(make_model, parts):
    first, second, _ = parts
    model = make_model(first, **ENSEMBLE)
    with pytest.raises(ValueError, match="learned already"):
        model.update(first)
    with pytest.raises(ValueError, match="genes"):
        model.update(second[:, ::-1].copy())
    second.obs["perturbation"] = (
        second.obs["perturbation"].astype(str).replace({"GENE59": "NOGENE"})
    )
    if "NOGENE" in set(second.obs["perturbation"]):
        with pytest.raises(KeyError, match="with_graphs"):
            model.update(second)
    network = make_model(first, epochs=1, setup=False)
    with pytest.raises(ValueError, match="network alone"):
        network.update(second)


def test_genes_added_to_the_graph_after_training(make_model, adata, graph, tmp_path):
    model = make_model(adata, **EVERYTHING)
    trained = model.trained_on_[0][0]
    edges = pd.DataFrame(
        {
            "source": [*graph.nodes[graph.source], trained, "NEW"],
            "target": [*graph.nodes[graph.target], "NEW", trained],
            "weight": [*graph.weight, 1.0, 1.0],
        }
    )
    edges.loc[len(edges)] = ["FAR", "FARTHER", 1.0]
    wider = tx.graph.KnowledgeGraph.from_edges(edges, name=graph.name)
    extended = model.with_graphs(wider)
    with pytest.raises(KeyError, match="NEW"):
        model.predict("NEW", unknown="raise")
    found = extended.predict(["NEW", "FAR"])
    specific = found.obs.groupby("perturbation")["specific"].first()
    flagged = found.obs.groupby("perturbation")["nothing_specific"].first()
    assert specific["NEW"] > 0.01 > specific["FAR"]
    assert flagged["FAR"]
    assert not flagged["NEW"]
    new, far = (extended.predict(g).layers["delta"][0] for g in ("NEW", "FAR"))
    own = extended.predict(trained).layers["delta"][0]
    assert np.corrcoef(new, own)[0, 1] > np.corrcoef(far, own)[0, 1]
    extended.save(tmp_path / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = tx.TxPertModel.load(tmp_path / "model")
    np.testing.assert_allclose(delta(loaded, "NEW")[0], new, atol=1e-4)
    with pytest.raises(ValueError, match="must be named"):
        model.with_graphs(tx.graph.KnowledgeGraph.from_edges(edges, name="other"))


def test_an_unseen_line_is_predicted_with_a_warning(make_model, adata):
    model = make_model(adata, **ENSEMBLE)
    controls = adata[adata.obs["control"].to_numpy()].copy()
    controls.obs["cell_line"] = "HeLa"
    with pytest.warns(UserWarning, match=r"HeLa was not in training.*correlate by 1\.00"):
        found = model.predict("GENE10", controls=controls)
    known = model.predict("GENE10")
    np.testing.assert_allclose(
        found.layers["delta"].mean(axis=0), known.layers["delta"].mean(axis=0), atol=0.05
    )
