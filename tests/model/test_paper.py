import numpy as np
import pytest
import torch

import txpert as tx
from txpert.model._paper import ARCHITECTURES


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_network_as_published(two_lines, graph, architecture):
    tx.TxPertModel.setup_anndata(two_lines)
    model = tx.TxPertModel.paper(two_lines, graph, architecture, n_hidden=16)
    assert model.components == ("network",)
    model.train(max_epochs=1, limit_train_batches=2, **model.paper_training())
    assert np.isfinite(model.predict(["GENE1"]).X).all()
    assert model.module.control_node.abs().sum() > 0
    again = tx.TxPertModel.paper(two_lines, graph, architecture, control_node=False)
    assert again.module.control_node is None


def test_activation_reaches_skip_path_and_embeddings(two_lines, graph):
    tx.TxPertModel.setup_anndata(two_lines)
    module = tx.TxPertModel.paper(two_lines, graph, "gat").module.eval()
    embeddings = module.encoder()
    encoder = module.encoder
    plain = encoder.project(encoder.stack(encoder.nodes(), encoder.edges))
    torch.testing.assert_close(embeddings, torch.nn.functional.leaky_relu(plain))
    inputs = module.encoder.nodes()
    through = module.encoder.stack(inputs, module.encoder.edges)[:, : inputs.shape[1]]
    assert not torch.allclose(through, inputs)


def test_no_other_architecture(two_lines, graph):
    tx.TxPertModel.setup_anndata(two_lines)
    with pytest.raises(ValueError, match="architecture must be one of 'gat'"):
        tx.TxPertModel.paper(two_lines, graph, "transformer")
