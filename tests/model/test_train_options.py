"""Options of train(): what works, and in one sentence what does not."""

import warnings
from datetime import timedelta

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, Timer

from txpert.model._plan import MONITOR, WarmUp
from txpert.model._train_options import TrainingOptions

ADAM = torch.optim.Adam


@pytest.mark.parametrize(
    ("plan", "error", "message"),
    [
        ({"warmup_steps": -5}, ValueError, "warmup_steps must be a whole number of at least 0"),
        ({"warmup_steps": "x"}, ValueError, "warmup_steps must be a whole number"),
        ({"weight_decay": "x"}, ValueError, "weight_decay must be a finite number of at least 0"),
        ({"lr": "x"}, ValueError, "lr must be a finite number above 0"),
        ({"lr": [1]}, ValueError, "lr must be a finite number above 0"),
        ({"eps": -1}, ValueError, "eps must be a finite number"),
        ({"similarity": "dot"}, ValueError, "similarity must be one of None, 'cosine', 'pearson'"),
        ({"similarity_weight": None}, ValueError, "similarity_weight must be a finite number"),
        ({"optimizer": "SGD"}, ValueError, "optimizer must be one of 'Adam', 'AdamW', 'Custom'"),
        ({"optimizer_creator": 3}, TypeError, "optimizer_creator is a function of the param"),
        ({"reduce_lr_on_plateau": True}, ValueError, "'reduce_lr_on_plateau' .* no effect"),
        ({"lr_patience": 3}, ValueError, "'lr_patience' in plan_kwargs would have no effect"),
        ({"update_only_decoder": True}, ValueError, "'update_only_decoder' .* no effect"),
        ({"max_kl_weight": 0.5}, ValueError, "'max_kl_weight' in plan_kwargs .* no effect"),
        ({"optimizer_creator": ADAM, "optimizer": "Adam"}, ValueError, "optimizer has no effect"),
        ({"optimizer_creator": ADAM, "lr": 0.1}, ValueError, "lr has no effect next to optimizer"),
        ({"optimizer_creator": ADAM, "eps": 0.1}, ValueError, "eps has no effect next to"),
    ],
)
def test_options_of_the_plan_are_refused(adata, make_model, plan, error, message):
    with pytest.raises(error, match=message):
        make_model(adata, train={"plan_kwargs": plan})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_time": {"seconds": 0}}, ValueError, "max_time must be above 0, or nothing"),
        ({"max_time": "soon"}, ValueError, "max_time must be text as DD:HH:MM:SS"),
        ({"max_time": 3}, ValueError, "max_time must be text as DD:HH:MM:SS"),
        ({"limit_train_batches": 0}, ValueError, "limit_train_batches must be above 0"),
        ({"limit_train_batches": 0.1}, ValueError, "0.1 .* < 1.*limit_train_batches"),
        ({"limit_val_batches": 0.1}, ValueError, "0.1 .* < 1.*limit_val_batches"),
        ({"accumulate_grad_batches": 0}, ValueError, "accumulate_grad_batches must be a whole"),
        ({"check_val_every_n_epoch": 0}, ValueError, "check_val_every_n_epoch must be a whole"),
        ({"val_check_interval": 99}, ValueError, "=99, but an epoch has 1 minibatches: check_val"),
        ({"barebones": True}, ValueError, "barebones is not taken"),
        ({"precision": "64"}, ValueError, "precision must be '32-true', '16-mixed' or"),
        ({"precision": "16-true"}, ValueError, "not '16-true'"),
        ({"precision": "bf16-true"}, ValueError, "not 'bf16-true'"),
        ({"early_stopping_monitor": "validation_loss"}, ValueError, "waits for the largest"),
        ({"early_stopping_mode": "min"}, ValueError, "early_stopping_mode='min' is not taken"),
        ({"early_stopping_min_delta": "x"}, ValueError, "early_stopping_min_delta must be a"),
        ({"early_stopping_warmup_epochs": -1}, ValueError, "warmup_epochs must be a whole"),
        ({"callbacks": ["x"]}, TypeError, r"LearningRateMonitor\(\), not 'x'"),
        ({"callbacks": Callback}, TypeError, "callbacks of Lightning"),
        ({"callbacks": [EarlyStopping(MONITOR)]}, ValueError, "early_stopping_patience and"),
        ({"callbacks": Timer({"hours": 1})}, ValueError, "max_time counts for each fit"),
        ({"callbacks": [ModelCheckpoint()]}, ValueError, "needs enable_checkpointing=True"),
        ({"use_distributed_sampler": False}, TypeError, "sets that itself"),
        ({"training_plan": 3}, TypeError, r"train\(\) takes no 'training_plan'"),
        ({"data_splitter": 3}, TypeError, r"train\(\) takes no 'data_splitter'"),
        ({"model": 3}, TypeError, r"train\(\) takes no 'model'"),
        ({"trainer_config": {"max_epochs": 2}}, TypeError, r"train\(max_epochs=...\)"),
        ({"trainer_config": {"lr": 2}}, TypeError, "trainer_config takes no 'lr', an argument of"),
    ],
)
def test_options_of_the_trainer_are_refused(adata, make_model, options, error, message):
    with pytest.raises(error, match=message):
        make_model(adata, train=options)


def test_options_that_say_what_is_so_anyway_are_taken(adata, make_model):
    stopping = {"early_stopping_monitor": MONITOR, "early_stopping_mode": "max"}
    plan = {"reduce_lr_on_plateau": False, "optimizer_creator": None, "eps": None}
    time = {"max_time": timedelta(hours=1)}
    assert make_model(adata, train={**stopping, **time, "plan_kwargs": plan}).is_trained


def test_no_warm_up():
    assert [WarmUp(0)(step) for step in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("optimizer", [{}, {"optimizer": "AdamW"}])
def test_eps_reaches_the_optimizer(adata, make_model, optimizer):
    model = make_model(adata, train={"plan_kwargs": {"eps": 1e-3, **optimizer}})
    assert model.trainer.optimizers[0].param_groups[0]["eps"] == 1e-3


def test_numbers_of_numpy_are_taken(adata, make_model):
    whole = {"batch_size": np.int32(8), "devices": np.int64(1), "accumulate_grad_batches": 1}
    model = make_model(
        adata,
        epochs=np.int64(2),
        train={**whole, "lr": np.float64(0.01), "early_stopping_patience": np.int16(3)},
    )
    assert len(model.history["train_loss"]) == 2
    assert type(model.training_["lr"]) is float
    assert type(TrainingOptions.of(**_given(refit=np.True_)).refit) is bool


@pytest.mark.parametrize(("callbacks", "found"), [(None, 0), (Callback(), 1), ((Callback(),), 1)])
def test_callbacks_need_no_list(callbacks, found):
    options = TrainingOptions.of(**_given(trainer_kwargs={"callbacks": callbacks}))
    assert len(options.trainer_kwargs["callbacks"]) == found


def test_each_epoch_is_validated_without_a_number_of_epochs(adata, make_model):
    model = make_model(adata, epochs=3, train={"check_val_every_n_epoch": None})
    assert len(model.history[MONITOR]) == 3


def test_no_warning_of_an_option_left_out(adata, make_model):
    model = make_model(adata, epochs=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.train(max_epochs=1, enable_progress_bar=False, callbacks=None)


def _given(**options):
    return {
        "max_epochs": 1,
        "lr": None,
        "batch_size": 8,
        "unit": None,
        "controls": "averaged",
        "early_stopping": True,
        "early_stopping_patience": None,
        "refit": True,
        "plan_kwargs": None,
        "trainer_kwargs": {},
        **options,
    }
