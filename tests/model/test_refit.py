"""Choosing on held-out perturbations and training on all; splits written in any order."""

import numpy as np
import pytest
import scvi

import txpert as tx

ALL = ("mean", "gaussian_process", "network")
QUICK = {"max_epochs": 3, "enable_progress_bar": False}


def pairs(adata, *splits):
    rows = adata.obs[adata.obs["split"].isin(splits).to_numpy()]
    return set(zip(rows["perturbation"].astype(str), rows["cell_line"].astype(str), strict=True))


@pytest.mark.parametrize("components", ["network", "gaussian_process", ALL])
@pytest.mark.parametrize("refit", [True, False])
def test_the_final_model_is_trained_on_validation_perturbations_too(
    adata, make_model, components, refit
):
    model = make_model(adata, components=components, train={"refit": refit})
    expected = pairs(adata, "train", "val") if refit else pairs(adata, "train")
    assert {label for label, _ in model.trained_on_} == {label for label, _ in expected}
    assert np.isfinite(model.predict("GENE3").X).all()


def test_poisoned_test_cells_change_nothing(adata, make_model):
    models = []
    for value in (0.5, 9.5):
        other = adata.copy()
        other.X = other.X.toarray()
        test = (other.obs["split"] == "test").to_numpy()
        noise = np.random.default_rng(0).random((int(test.sum()), other.n_vars))
        other.X[test] = value * noise
        models.append(make_model(other, components=ALL, train={"refit": True}))
    a, b = (model.predict(["GENE3", "GENE40"]).X for model in models)
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("order", ["before setup", "before model", "before training"])
def test_a_split_is_used_whenever_it_was_written(adata, graph, order):
    split = adata.obs.pop("split")
    steps = {
        "setup": lambda: tx.TxPertModel.setup_anndata(adata),
        "model": lambda: tx.TxPertModel(adata, [graph], components="network", decoding="delta"),
    }
    model = None
    for name, step in steps.items():
        if order == f"before {name}":
            adata.obs["split"] = split
        scvi.settings.seed = 0
        model = step()
    if order == "before training":
        adata.obs["split"] = split
        with pytest.warns(UserWarning, match="written or changed after the model was made"):
            model.train(refit=False, **QUICK)
    else:
        model.train(refit=False, **QUICK)
    assert {label for label, _ in model.trained_on_} == {
        label for label, _ in pairs(adata, "train")
    }


def test_training_on_after_the_split_changed_is_refused(adata, make_model):
    model = make_model(adata)
    swapped = adata.obs["split"].astype(object).replace({"train": "test", "test": "train"})
    adata.obs["split"] = swapped
    with (
        pytest.warns(UserWarning, match="changed after the model was made"),
        pytest.raises(ValueError, match="split changed since the model was trained"),
    ):
        model.train(**QUICK)


def test_options_are_checked_and_a_failure_changes_nothing(adata, make_model):
    model = make_model(adata, components=ALL)
    before = model.predict("GENE3").X
    for options, message in {
        "batch_size": ({"batch_size": 0}, "batch_size must be a whole number"),
        "lr": ({"lr": "1e-3"}, "lr must be a finite number"),
        "plan": ({"plan_kwargs": {"foo": 1}}, "plan_kwargs has no 'foo'"),
        "devices": ({"devices": 999, "accelerator": "cpu"}, "devices=999"),
    }.values():
        with pytest.raises(ValueError, match=message):
            model.train(**{**QUICK, **options})
    np.testing.assert_array_equal(before, model.predict("GENE3").X)
    with pytest.raises(ValueError, match="batch_size must be a whole number"):
        model.predict("GENE3", batch_size=-1)
    model.train(plan_kwargs={"lr": 1e-3, "weight_decay": 0.01}, **QUICK)


@pytest.mark.parametrize("decoding", ["direct", "delta", "low_rank"])
def test_one_batch_will_do(adata, make_model, decoding):
    adata.obs["batch"] = "one"
    model = make_model(adata, decoding=decoding, epochs=40, basal="mlp", train={"lr": 0.01})
    predicted = model.predict(["GENE3", "GENE40"])
    assert np.abs(predicted.layers["delta"]).max() < 10
