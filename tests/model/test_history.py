"""``model.history`` with what scvi-tools and Lightning do to it."""

import warnings

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

BOTH = ("mean", "network")


@pytest.mark.parametrize("callbacks", [None, ModelCheckpoint()])
def test_checkpoints_of_scvi_do_not_lose_a_fit(adata, make_model, tmp_path, callbacks):
    folder = {"default_root_dir": tmp_path, "enable_checkpointing": True}
    train = {"refit": True, "early_stopping": False, "callbacks": callbacks, **folder}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scvi.settings.logging_dir", str(tmp_path))
        patch.chdir(tmp_path)
        model = make_model(adata, epochs=3, train=train, components=BOTH)
    assert model.is_trained
    nothing = {"enable_checkpointing": False, "callbacks": None}
    plain = make_model(adata.copy(), epochs=3, components=BOTH, train={**train, **nothing})
    assert {name: len(values) for name, values in model.history.items()} == {
        name: len(values) for name, values in plain.history.items()
    }
    assert model.history["fit"]["fit"].nunique() == 2


@pytest.mark.parametrize("how", ["fast_dev_run", "csv", "none"])
def test_without_the_logger_of_scvi_there_is_no_history(adata, make_model, tmp_path, how):
    logger = {"csv": CSVLogger(tmp_path), "none": False}
    options = {"fast_dev_run": True} if how == "fast_dev_run" else {"logger": logger[how]}
    model = make_model(adata, epochs=0, components=BOTH)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Training history cannot be updated")
        model.train(max_epochs=2, enable_progress_bar=False, **options)
    assert model.is_trained
    assert not model.history
