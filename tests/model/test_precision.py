import shutil

import numpy as np
import pytest


@pytest.mark.parametrize(
    "encoder",
    [
        {"name": "gat", "options": {"n_layers": 2, "n_channels": 8, "n_input": 8, "dropout": 0.0}},
        {"name": "exphormer", "options": {"n_layers": 1, "n_heads": 2, "dropout": 0.0}},
        "gcn",
        "sgc",
        {"name": "hybrid_bmp", "options": {"dropout": 0.0}},
        {"name": "bmp", "options": {"dropout": 0.0}},
    ],
)
@pytest.mark.parametrize("decoding", ["low_rank", "direct"])
def test_mixed_precision_predicts_what_single_precision_does(adata, make_model, encoder, decoding):
    single, mixed = (
        make_model(
            adata,
            encoder=encoder,
            decoding=decoding,
            dropout=0.0,
            train={"lr": 1e-3, "accelerator": "cpu", "precision": precision},
        )
        .predict(["GENE3", "GENE5", "GENE3+GENE7"])
        .layers["delta"]
        for precision in ("32-true", "bf16-mixed")
    )
    assert mixed.dtype == np.float32
    assert not np.array_equal(mixed, single)
    np.testing.assert_allclose(mixed, single, atol=0.05 * np.abs(single).max())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_module_predicts_the_same(adata, make_model):
    options = {"encoder": "free", "decoding": "low_rank"}
    plain = make_model(adata, **options)
    compiled = make_model(adata, train={"plan_kwargs": {"compile": True}}, **options)
    plain, compiled = (m.predict(["GENE3", "GENE5"]).X for m in (plain, compiled))
    np.testing.assert_allclose(compiled, plain, atol=1e-4)
