"""What a training that raises, or trains nothing, leaves behind."""

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

from txpert.model._ensemble import Ensemble

BOTH = ("mean", "network")
QUICK = {"max_epochs": 3, "enable_progress_bar": False}


class Fail(pl.Callback):
    """Raise an error in one of the fits."""

    def __init__(self, fit):
        self.left = fit

    def on_fit_start(self, trainer, plan):
        self.left -= 1

    def on_train_epoch_end(self, trainer, plan):
        if not self.left:
            raise RuntimeError("the power went")


def fail_between_fits(monkeypatch, model):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ensemble, "fit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            model.train(**QUICK)


def fail_in(number):
    def fail(monkeypatch, model):
        with pytest.raises(RuntimeError, match="the power went"):
            model.train(callbacks=[Fail(number)], **QUICK)

    return fail


@pytest.mark.parametrize(
    "fail",
    [fail_in(1), fail_in(2), fail_between_fits],
    ids=["choosing", "training on all", "between"],
)
def test_a_model_whose_first_training_fails_is_as_it_was(adata, make_model, monkeypatch, fail):
    clean, model = (make_model(adata.copy(), epochs=0, components=BOTH) for _ in range(2))
    before = torch.get_rng_state()
    clean.train(**QUICK)
    torch.set_rng_state(before)
    fail(monkeypatch, model)
    assert not model.is_trained
    left = model.trained_on_, model.ensemble_, model.history, model.training_
    assert left == ([], None, None, {})
    model.train(**QUICK)
    assert model.trained_on_ == clean.trained_on_
    assert model.ensemble_["weights"] == clean.ensemble_["weights"]
    np.testing.assert_array_equal(model.predict("GENE3").X, clean.predict("GENE3").X)


def test_a_further_training_that_fails_changes_nothing(adata, make_model, monkeypatch):
    model = make_model(adata, components=BOTH)
    expected, history = model.predict("GENE3").X, model.history
    fail_in(1)(monkeypatch, model)
    np.testing.assert_array_equal(model.predict("GENE3").X, expected)
    assert model.history is history


def test_a_network_without_a_step_is_not_trained(adata, make_model):
    model = make_model(adata, epochs=0, components=BOTH)
    with pytest.raises(ValueError, match="ended before the first step"):
        model.train(**QUICK, max_steps=0)
    assert not model.is_trained


def test_updates_are_not_forgotten_without_a_warning(adata, make_model):
    some = adata.obs["perturbation"].cat.categories[:3]
    new = adata.obs["perturbation"].isin(some) & ~adata.obs["control"]
    adata.obs.loc[new, "split"] = "train"
    model = make_model(adata[~new].copy(), components="mean")
    model.update(adata[new | adata.obs["control"]].copy())
    n_added = adata.obs.loc[new, "perturbation"].nunique()
    with pytest.warns(UserWarning, match=rf"{n_added} perturbations .* update\(\), .*joined data"):
        model.train(**QUICK)


def test_a_second_training_on_the_same_data_forgets_nothing(adata, make_model, recwarn):
    model = make_model(adata, components="mean")
    model.train(**QUICK)
    assert not [w for w in recwarn if "forgets" in str(w.message)]
