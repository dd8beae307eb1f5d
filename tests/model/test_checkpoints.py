import contextlib
import warnings
from functools import partial

import lightning.pytorch as pl
import pandas as pd
import pytest
import torch

from txpert.model import _checkpoints

ALL = ("mean", "gaussian_process", "network")
FAST = ("mean", "network")


@pytest.fixture(autouse=True)
def _every_epoch(monkeypatch):
    monkeypatch.setattr(_checkpoints, "_APART", 0)


class Break(pl.Callback):
    """Break training off in the n-th of all its epochs."""

    def __init__(self, epoch, error=KeyboardInterrupt):
        self.left, self.error = epoch, error

    def on_train_batch_end(self, trainer, plan, outputs, batch, batch_idx):
        self.left -= batch_idx == 0
        if not self.left:
            raise self.error


@pytest.fixture
def train(adata, make_model):
    """Train a model with dropout in several steps an epoch."""

    def make(data=adata, components=FAST, setup=None):
        return make_model(data, epochs=0, components=components, **(setup or {}))

    def run(model=None, *, epochs=12, lr=0.02, data=adata, components=FAST, setup=None, **options):
        model = model or make(data, components, setup)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Training was interrupted")
            options = {"refit": False, **options}
            model.train(epochs, lr=lr, batch_size=4, enable_progress_bar=False, **options)
        return model

    run.make = make
    return run


@pytest.fixture
def all_trained(adata):
    adata.obs.loc[~adata.obs["control"], "split"] = "train"
    return adata


def assert_same(first, second):
    for name, value in first.module.state_dict().items():
        torch.testing.assert_close(value, second.module.state_dict()[name], rtol=0, atol=0)
    for name, values in first.history.items():
        frame = second.history[name]
        pd.testing.assert_frame_equal(values.astype(float), frame.astype(float), check_names=False)
    assert first.ensemble_["weights"] == second.ensemble_["weights"]


@pytest.mark.parametrize("setup", [{}, {"encoder": "bmp"}])
@pytest.mark.parametrize(
    ("error", "same_object"),
    [(KeyboardInterrupt, True), (SystemError, False), (SystemError, True)],
)
def test_a_training_broken_off_ends_as_it_would_have(train, tmp_path, error, same_object, setup):
    options = {"components": ALL, "setup": setup}
    whole = train(**options)
    model = train.make(**options)
    with contextlib.suppress(SystemError):
        train(model, checkpoint=tmp_path, callbacks=[Break(8, error)], **options)
    torch.rand(3)
    again = train(model if same_object else None, checkpoint=tmp_path, **options)
    assert_same(whole, again)


def test_ctrl_c_says_that_training_can_be_taken_up(adata, make_model, tmp_path):
    model = make_model(adata, epochs=0)
    with pytest.warns(UserWarning, match=r"interrupted in epoch 2;.*train takes it up"):
        model.train(
            3, checkpoint=tmp_path, callbacks=[Break(2)], enable_progress_bar=False, batch_size=4
        )


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [9, 17])
def test_fits_that_came_to_their_end_are_not_repeated(train, all_trained, tmp_path, epoch):
    whole = train(epochs=3)
    train(epochs=3, checkpoint=tmp_path, callbacks=[Break(epoch)])
    torch.rand(3)
    counted = Break(1_000)
    again = train(epochs=3, checkpoint=tmp_path, callbacks=[counted])
    assert_same(whole, again)
    n_epochs = len(whole.history["train_loss"])
    assert 1_000 - counted.left == n_epochs - epoch + 1
    idle = Break(1_000)
    assert_same(whole, train(epochs=3, checkpoint=tmp_path, callbacks=[idle]))
    assert idle.left == 1_000


def test_checkpoints_of_another_training_are_refused(train, adata, tmp_path):
    train(checkpoint=tmp_path)
    with pytest.raises(
        ValueError, match=r"another training \(lr 0.02, not 0.01\).*another folder"
    ):
        train(lr=0.01, checkpoint=tmp_path)
    other = adata[5:].copy()
    with pytest.raises(ValueError, match=r"another training \(another data\)"):
        train(data=other, checkpoint=tmp_path)


def test_another_model_is_refused(train, adata, make_model, tmp_path):
    train(checkpoint=tmp_path)
    other = make_model(adata, epochs=0, components=FAST, n_latent=8)
    with pytest.raises(ValueError, match=r"another training \(another model\)"):
        train(other, checkpoint=tmp_path)


def test_a_damaged_checkpoint_is_named(train, tmp_path):
    train(checkpoint=tmp_path, callbacks=[Break(8)])
    path = tmp_path / "fit_0.pt"
    path.write_bytes(path.read_bytes()[:1_000])
    with pytest.raises(ValueError, match=r"fit_0.pt' cannot be read.*delete it"):
        train(checkpoint=tmp_path)
    path.unlink()
    assert_same(train(), train(checkpoint=tmp_path))


def test_a_folder_that_cannot_be_written_is_refused_before_training(train, tmp_path):
    (tmp_path / "file").touch()
    idle = Break(1_000)
    with pytest.raises(
        ValueError, match=r"cannot be written to .*Not a directory.*folder that you"
    ):
        train(checkpoint=tmp_path / "file" / "folder", callbacks=[idle])
    assert idle.left == 1_000


def test_a_read_only_folder_is_refused(train, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_checkpoints, "TemporaryFile", refuse)  # a superuser is refused nothing
    with pytest.raises(ValueError, match=r"cannot be written to .*Permission denied"):
        train(checkpoint=tmp_path)


def test_a_full_disk_does_not_end_training(train, tmp_path, monkeypatch):
    whole = train()

    def fail(state, path):
        path.write_bytes(b"begun")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.warns(UserWarning, match=r"could not be written .*No space left.*goes on"):
        model = train(checkpoint=tmp_path)
    assert_same(whole, model)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_checkpoints_are_rare_when_writing_takes_long(train, tmp_path, monkeypatch):
    monkeypatch.setattr(_checkpoints, "_APART", 1e9)
    written = []
    write = _checkpoints.write
    monkeypatch.setattr(
        _checkpoints, "write", lambda state, path: (written.append(path.name), write(state, path))
    )
    train(checkpoint=tmp_path)
    assert written == ["start.pt", "fit_0.pt", "fit_0.pt"]


def test_functions_are_described_by_name(train, tmp_path):
    """Their text has an address, which is another in each session."""

    def plan(creator):
        return {"plan_kwargs": {"optimizer_creator": creator}, "lr": None}

    def sgd():
        def creator(parameters):
            return torch.optim.SGD(parameters, lr=0.01)

        return creator

    whole = train(**plan(sgd()))
    train(checkpoint=tmp_path, callbacks=[Break(8)], **plan(sgd()))
    torch.rand(3)
    assert_same(whole, train(checkpoint=tmp_path, **plan(sgd())))
    with pytest.raises(ValueError, match=r"another training .*locals.*creator.*not .*optim.sgd"):
        train(checkpoint=tmp_path, **plan(partial(torch.optim.SGD, lr=0.01)))
