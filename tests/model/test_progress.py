"""One bar over a training, one over a long prediction, and no advertising."""

import io
import logging
import warnings

import numpy as np
import pytest
import scvi

import txpert as tx
from txpert.model import _chunks, _progress


@pytest.fixture
def bars(monkeypatch):
    """Keep the bars that are made, each writing to a buffer."""
    made = []
    for module in (_progress, _chunks):

        class Bar(module.tqdm):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **{**kwargs, "file": io.StringIO()})
                made.append(self)

        monkeypatch.setattr(module, "tqdm", Bar)
    return made


def test_one_bar_over_all_fits(adata, graph, bars):
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graph, n_hidden=16)
    model.train(max_epochs=3)
    (bar,) = bars
    assert bar.n == bar.total >= len(model.history["train_loss"])
    text = bar.fp.getvalue()
    assert "Training to choose epochs and weights, 1 of" in text
    assert "Training on all" in text


@pytest.mark.parametrize(
    "options", [{"enable_progress_bar": False}, {"progress_bar_refresh_rate": 0}]
)
def test_the_bar_can_be_left_out(adata, make_model, bars, options):
    model = make_model(adata, epochs=0)
    model.train(max_epochs=1, refit=False, **options)
    assert not bars


def test_early_stopping_is_silent(adata, make_model, capfd):
    model = make_model(adata, epochs=0)
    stopping = {"early_stopping_patience": 1, "early_stopping_min_delta": 10.0}
    model.train(max_epochs=9, refit=False, enable_progress_bar=False, **stopping)
    assert len(model.history["train_loss"]) < 9
    assert capfd.readouterr() == ("", "")
    model.train(max_epochs=9, refit=False, **stopping)
    assert not capfd.readouterr().out


def test_long_predictions_have_a_bar_and_short_ones_none(adata, make_model, bars, monkeypatch):
    model = make_model(adata)
    labels = [f"GENE{i}" for i in range(30)]
    labels[0] = "GENE30"
    whole = model.predict(labels).X
    assert not bars
    monkeypatch.setattr(_chunks, "_PATIENCE", 0)
    monkeypatch.setattr(_chunks, "_MOST_CONDITIONS", 7)
    chunked = model.predict(labels).X
    assert bars[-1].n == len(labels)
    assert "Predicting" in bars[-1].fp.getvalue()
    np.testing.assert_allclose(chunked, whole, atol=1e-5)


def test_no_advertising(adata, make_model, caplog):
    model = make_model(adata, epochs=0)
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.INFO)
    scvi.settings.verbosity = logging.INFO
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.train(max_epochs=1, enable_progress_bar=False)
        logger.info("said by the user's own code")
    finally:
        logger.removeHandler(caplog.handler)
        logger.setLevel(logging.NOTSET)
    said = {r.getMessage() for r in caplog.records if r.name == logger.name}
    assert said == {"said by the user's own code"}


def test_no_word_of_registration_when_other_cells_are_read(adata, make_model, caplog):
    model = make_model(adata, components=("mean", "gaussian_process"), decoding="low_rank")
    named, unnamed = adata.copy(), adata.copy()
    for name in [name for name in unnamed.uns if "scvi" in name]:
        del unnamed.uns[name]
    logger = logging.getLogger("scvi.model.base._base_model")
    logger.addHandler(caplog.handler)
    scvi.settings.verbosity = logging.INFO
    try:
        for cells in (named, unnamed):
            tx.tl.evaluate(cells, model)
    finally:
        logger.removeHandler(caplog.handler)
    assert not [record for record in caplog.records if record.name == logger.name]
