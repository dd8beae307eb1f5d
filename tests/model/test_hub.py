"""A folder that scvi.hub.HubModel saves, shows and loads."""

import sys

import numpy as np
import pytest

import txpert as tx


def test_a_hub_model_is_saved_carded_and_loaded(adata, make_model, tmp_path):
    pytest.importorskip("huggingface_hub")
    from scvi.hub import HubModel

    model = make_model(adata)
    written = model.to_hub(tmp_path / "m", license="cc-by-4.0", description="A toy.")
    assert "A toy." in written.model_card.content
    hub_model = HubModel(str(tmp_path / "m"))
    assert hub_model.metadata.model_cls_name == "TxPertModel"
    assert hub_model.model_card.data.license == "cc-by-4.0"
    assert "- seed: 0" in hub_model.model_card.content
    hub_model.load_model()
    assert isinstance(hub_model.model, tx.TxPertModel)
    np.testing.assert_allclose(
        hub_model.model.predict("GENE3").X, model.predict("GENE3").X, rtol=1e-5
    )
    with pytest.raises(ValueError, match="exists"):
        model.to_hub(tmp_path / "m", license="cc-by-4.0")


def test_without_the_library_the_extra_is_named(adata, make_model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install 'txpert\[hub\]'"):
        make_model(adata).to_hub(tmp_path / "m", license="mit")
    assert not (tmp_path / "m").exists()
