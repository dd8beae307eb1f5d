import pytest
import torch

from txpert.model._torch_datasets import CONTROL_PROFILE, EXPRESSION, PERTURBATION, WEIGHT
from txpert.nn._registry import ENCODERS


@pytest.mark.parametrize("encoder", [name for name in ENCODERS if name != "features"])
@pytest.mark.parametrize("decoding", ["low_rank", "direct"])
def test_new_tensors_are_made_where_the_module_is(adata, make_model, encoder, decoding):
    """A tensor made without saying where would be on the meta device, and not mix."""
    module = make_model(adata, encoder=encoder, decoding=decoding, epochs=1).module
    n_genes = adata.n_vars
    batch = {
        EXPRESSION: torch.rand(3, n_genes),
        CONTROL_PROFILE: torch.rand(3, n_genes),
        PERTURBATION: torch.tensor([[0, 1], [2, len(module.trained)], [1, 3]]),
        WEIGHT: torch.tensor([1.0, 2.0, 3.0]),
    }
    with torch.device("meta"):
        module.train()
        module(batch, loss_kwargs={"similarity": "pearson"})[2].loss.backward()
        module.eval()
        assert module.embed().device.type == "cpu"
        assert module(batch)[2].loss.device.type == "cpu"
