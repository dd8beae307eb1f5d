import math
from contextlib import nullcontext
from types import SimpleNamespace

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException

import txpert as tx
from txpert.model._callbacks import BestWeights
from txpert.model._held_out import best_epoch
from txpert.model._module import TxPertModule
from txpert.model._plan import MONITOR


class Spoil(pl.Callback):
    """Training that goes wrong: no weights in the last epoch."""

    def on_train_epoch_start(self, trainer, plan):
        if trainer.current_epoch == trainer.max_epochs - 1:
            for weights in plan.module.parameters():
                torch.nn.init.constant_(weights, math.nan)


def test_best_weights_are_kept_and_their_score_is_reproduced(adata, make_model):
    options = {"early_stopping": False, "lr": 0.005, "callbacks": [Spoil()]}
    model = make_model(adata, epochs=40, train=options)
    score = model.history["pearson_delta_validation"].iloc[:, 0].astype(float)
    assert score.idxmax() != score.index[-1]
    summary = tx.tl.evaluate(adata, model, split="val")
    assert summary.loc["TxPert", "pearson_delta"] == pytest.approx(score.max(), abs=1e-4)


def test_the_best_of_several_validations_in_an_epoch_is_kept():
    module = torch.nn.Linear(1, 1)
    best = BestWeights(module)
    for epoch, score in ((0, 0.1), (1, 0.5), (1, math.nan), (1, 0.3), (2, 0.4)):
        torch.nn.init.constant_(module.weight, score)
        trainer = SimpleNamespace(current_epoch=epoch, callback_metrics={MONITOR: score})
        best.on_validation_end(trainer, None)
    best.on_fit_end(None, None)
    assert module.weight.item() == 0.5
    assert best.scores == {1: 0.1, 2: 0.5, 3: 0.4}


def test_early_stopping_watches_pearson_delta(adata, make_model, capsys):
    model = make_model(adata, epochs=400, train={"lr": 0.02, "early_stopping_patience": 3})
    score = model.history["pearson_delta_validation"].iloc[:, 0].astype(float)
    assert len(score) < 400
    assert score.iloc[-4] == score.max() or score.iloc[-4:].max() < score.max()
    assert capsys.readouterr().out == ""  # scvi-tools prints why it stopped, for every fit


def test_an_epoch_that_max_steps_cuts_short_is_an_end_like_another(adata, make_model):
    """Lightning raises a RuntimeError where early stopping finds no score."""
    model = make_model(adata, components="network", train={"unit": "cell", "max_steps": 1})
    assert len(model.history["train_loss"]) == 1
    assert "pearson_delta_validation" not in model.history


def test_overfit_batches_is_refused(adata, make_model):
    with pytest.raises(ValueError, match="overfit_batches is not taken"):
        make_model(adata, train={"overfit_batches": 1})


@pytest.mark.parametrize(
    ("epochs", "options", "apart"),
    [(60, {}, 3), (120, {}, 5), (30, {}, 1), (60, {"check_val_every_n_epoch": 2}, 2)],
)
def test_epochs_of_one_step_are_not_each_validated(adata, make_model, epochs, options, apart):
    model = make_model(adata, epochs=epochs, train={"early_stopping": False, **options})
    validated = model.history["pearson_delta_validation"].index
    assert (np.diff(validated) == apart).all()
    assert len(validated) == epochs // apart


def test_patience_is_in_epochs_however_seldom_the_network_is_validated(adata, make_model):
    train = {"lr": 0.02, "early_stopping_patience": 20, "early_stopping_min_delta": 10.0}
    model = make_model(adata, epochs=400, train=train)
    assert np.diff(model.history["validation_loss"].index).tolist() == [4] * 5


def test_validations_stand_at_the_epochs_of_their_fit(adata, make_model):
    """scvi-tools would let those of a second fit follow by their number."""
    train = {"early_stopping": False, "refit": True}
    model = make_model(adata, epochs=100, train=train, components=["mean", "network"])
    fit = model.history["fit"]["fit"]
    validated = fit[model.history["validation_loss"].index]
    n_fits = fit.max()
    assert validated.value_counts().to_dict() == dict.fromkeys(range(1, n_fits), 20)
    for number, epochs in validated.groupby(validated):
        first = fit.index[fit == number][0]
        assert ((epochs.index - first) % 5 == 4).all()
    assert (model.history["pearson_delta_validation"].index == validated.index).all()


def test_ctrl_c_keeps_the_best_weights_and_goes_on(adata, make_model):
    class CtrlC(pl.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            if trainer.current_epoch == 12:
                raise KeyboardInterrupt

    model = make_model(adata, epochs=0)
    with pytest.warns(UserWarning, match="interrupted in epoch 13.*best epoch"):
        model.train(max_epochs=30, lr=0.02, callbacks=[CtrlC()], enable_progress_bar=False)
    assert model.is_trained
    score = model.history["pearson_delta_validation"].iloc[:, 0].astype(float)
    summary = tx.tl.evaluate(adata, model, split="val")
    assert summary.loc["TxPert", "pearson_delta"] == pytest.approx(score.max(), abs=1e-4)


def test_a_scheduler_that_ends_the_job_is_not_taken_for_ctrl_c(adata, make_model):
    class Terminated(pl.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            raise SIGTERMException

    model = make_model(adata, epochs=0)
    with pytest.raises(SystemExit) as end:
        model.train(max_epochs=30, callbacks=[Terminated()], enable_progress_bar=False)
    assert end.value.code == 143
    assert not model.is_trained


def test_a_second_training_goes_on(adata, make_model):
    model = make_model(adata, epochs=3)
    before = model.module.decoder.output.weight.clone()
    model.train(max_epochs=3, refit=False, enable_progress_bar=False)
    assert len(model.history["train_loss"]) == 6
    assert not torch.equal(before, model.module.decoder.output.weight)


def test_training_after_a_prediction_uses_dropout_and_batch_statistics(adata, make_model):
    plain, after_prediction = make_model(adata, epochs=0), make_model(adata, epochs=0)
    after_prediction.predict("GENE3")
    modes = []

    class Record(pl.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            modes.append(pl_module.module.training)

    for model in (plain, after_prediction):
        model.train(2, refit=False, callbacks=[Record()], enable_progress_bar=False)
    assert modes == [True] * 4


def test_weights_do_not_decay_and_the_rate_warms_up(adata, make_model):
    rates = []

    class Record(pl.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            group = trainer.optimizers[0].param_groups[0]
            rates.append(group["lr"])
            assert isinstance(trainer.optimizers[0], torch.optim.AdamW)
            assert group["eps"] == 1e-8
            assert group["weight_decay"] == 0

    make_model(
        adata, epochs=8, train={"callbacks": [Record()], "plan_kwargs": {"warmup_steps": 4}}
    )
    np.testing.assert_allclose(rates[:5], [5e-4, 1e-3, 1.5e-3, 2e-3, 2e-3])


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_notebook"])
def test_strategies_that_leave_the_model_untrained_are_refused(adata, make_model, strategy):
    with pytest.raises(ValueError, match=r"notebook.*script with strategy='ddp'"):
        make_model(adata, train={"accelerator": "cpu", "devices": 2, "strategy": strategy})


@pytest.mark.parametrize(
    ("curves", "best"),
    [
        ([{1: 0.5, 2: 0.1}, {1: 0.1, 2: 0.2, 3: 0.6}], 3),
        ([{1: 0.5, 2: 0.1}, {1: 0.1, 2: 0.2, 3: 0.3}], 1),
        ([{5: 0.1, 10: 0.3}], 10),
        ([{1: math.nan, 2: 0.1}, {1: math.nan, 2: 0.0, 3: math.nan}], 2),
        ([{1: math.nan, 2: math.nan}], 1),
    ],
    ids=["one stopped", "no signal in one", "each fifth epoch", "undefined at first", "undefined"],
)
def test_the_number_of_epochs_is_best_on_average_over_folds(curves, best):
    assert best_epoch(curves) == best


@pytest.mark.parametrize("encoder", ["bmp", "hybrid_bmp", "gat"])
def test_embeddings_that_training_does_not_read_are_no_parameters_of_it(
    adata, make_model, monkeypatch, encoder
):
    options = {"components": ["network"], "encoder": encoder, "epochs": 4}
    some = make_model(adata, train={"refit": True}, **options)
    monkeypatch.setattr(TxPertModule, "narrowed", lambda module: nullcontext())
    whole = make_model(adata.copy(), train={"refit": True}, **options)
    labels = ["GENE3", "GENE30", "GENE3+GENE5"]
    np.testing.assert_array_equal(some.predict(labels).X, whole.predict(labels).X)
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, some.module.state_dict()[name]), name


def test_weight_decay_reaches_all_embeddings(adata, make_model):
    decay = {"plan_kwargs": {"weight_decay": 0.5}, "lr": 0.1, "early_stopping": False}
    model = make_model(adata, encoder="bmp", components=["network"], epochs=0)
    before = {name: value.clone() for name, value in model.module.encoder.named_parameters()}
    model.train(max_epochs=2, refit=False, enable_progress_bar=False, **decay)
    learned = {name: p for name, p in model.module.encoder.named_parameters() if "learned" in name}
    assert learned
    for name, value in learned.items():
        assert (value != before[name]).any(dim=1).all(), name
