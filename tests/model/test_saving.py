import random
import warnings

import numpy as np
import pytest

import txpert as tx


def load(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tx.TxPertModel.load(folder)


def test_a_full_disk_leaves_the_old_model_and_names_it(adata, make_model, tmp_path, full_disk):
    model = make_model(adata)
    model.save(tmp_path / "m", save_anndata=True)
    expected = model.predict("GENE3").X
    model.train(max_epochs=1, enable_progress_bar=False)
    with full_disk(20_000), pytest.raises(OSError, match=r"m could not be written.*unchanged"):
        model.save(tmp_path / "m", overwrite=True)
    with full_disk(20_000), pytest.raises(OSError, match="new could not be written"):
        model.save(tmp_path / "new")
    np.testing.assert_array_equal(load(tmp_path / "m").predict("GENE3").X, expected)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["adata.h5ad", "model.pt"]


def test_a_killed_save_leaves_a_whole_model(adata, make_model, tmp_path, killed_while):
    models = [make_model(adata, epochs=epochs) for epochs in (1, 2)]
    expected = [model.predict("GENE3").X for model in models]
    models[0].save(tmp_path / "m")
    draw = random.Random(0)
    for _ in range(6):
        killed_while(
            lambda: [model.save(tmp_path / "m", overwrite=True) for model in models],
            draw.uniform(0.01, 0.15),
        )
        found = load(tmp_path / "m").predict("GENE3").X
        assert any(np.array_equal(found, values) for values in expected)


def test_a_folder_is_written_over_only_when_asked(adata, make_model, tmp_path):
    model = make_model(adata, epochs=1)
    model.save(tmp_path / "deep" / "m", prefix="a_")
    with pytest.raises(ValueError, match=r"m' exists.*overwrite=True"):
        model.save(tmp_path / "deep" / "m")
    model.save(tmp_path / "deep" / "m", prefix="b_", overwrite=True)
    names = sorted(path.name for path in (tmp_path / "deep" / "m").iterdir())
    assert names == ["a_model.pt", "b_model.pt"]
