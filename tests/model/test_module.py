import pytest
import torch

from txpert.data import CellDataset, ConditionDataset, ConditionTable, Screen, encode_targets
from txpert.model import TxPertModule
from txpert.nn import GraphTensors

KEYS = {n: n for n in ("perturbation", "control", "batch", "cell_line", "split")}
TINY = {"encoder_options": {"n_layers": 1, "n_channels": 4, "n_input": 4}, "n_hidden": 8}


def module(n_genes=9, n_nodes=6, edges=((0, 1, 2), (1, 2, 0)), **options):
    torch.manual_seed(0)
    edge_index = torch.tensor(edges, dtype=torch.long)
    graph = GraphTensors(edge_index, torch.ones(edge_index.shape[1]))
    return TxPertModule(n_genes, [graph], n_nodes, **{**TINY, **options})


@pytest.mark.parametrize("decoding", ["direct", "delta"])
def test_pseudobulk_gradient_is_that_of_the_cells(two_lines, graph, decoding):
    """With averaged controls, dropout off and norm statistics frozen (DESIGN, section 2)."""
    screen = Screen.from_anndata(two_lines, KEYS)
    table = ConditionTable.from_screen(screen)
    nodes = graph.nodes
    edges = [[*graph.source], [*graph.target]]
    net = module(two_lines.n_vars, len(nodes), edges, decoding=decoding).double().eval()
    labels = encode_targets(screen.perturbation.categories, nodes)
    cells = torch.arange(two_lines.n_obs).numpy()
    by_cell = CellDataset(screen, table, cells, labels, "averaged")[cells]
    conditions = ConditionDataset(table, encode_targets(table.obs["perturbation"], nodes))
    by_condition = conditions[range(len(conditions))]
    assert len(by_condition["X"]) < len(by_cell["X"]) / 4

    def gradient(batch):
        net.zero_grad()
        batch = {k: v.double() if v.is_floating_point() else v for k, v in batch.items()}
        net(batch)[2].loss.backward()
        return torch.cat([p.grad.ravel() for p in net.parameters()])

    a, b = gradient(by_cell), gradient(by_condition)
    assert (a - b).norm() / a.norm() < 1e-5
    assert a.norm() > 1e-4


def test_loss_by_hand():
    net = module()
    batch = {"X": torch.zeros(2, 9), "n_cells": torch.tensor([1.0, 3.0])}
    predicted = {"expression": torch.stack([torch.ones(9), torch.full((9,), 2.0)])}
    assert net.loss(batch, {}, predicted).loss.item() == pytest.approx((1 * 1 + 3 * 4) / 4)


def test_effects_are_summed_and_controls_have_none():
    embeddings = torch.tensor([[1.0, 2.0], [10.0, 20.0], [5.0, 5.0]])
    positions = torch.tensor([[0, 1], [2, 3], [3, 3]])
    effects = TxPertModule.combine(embeddings, positions)
    assert effects.tolist() == [[11.0, 22.0], [5.0, 5.0], [0.0, 0.0]]


def test_delta_decoding_adds_to_the_control_and_has_no_basal_encoder():
    net = module(decoding="delta").eval()
    effect, control = torch.randn(3, 64), torch.randn(3, 9)
    change = net.generative(control, effect)["expression"] - control
    shifted = net.generative(control + 5, effect)["expression"] - control - 5
    torch.testing.assert_close(change, shifted, atol=1e-5, rtol=1e-5)
    assert net.basal is None


def test_direct_decoding_uses_the_control_profile():
    net = module().eval()
    effect, control = torch.randn(3, 64), torch.randn(3, 9)
    a, b = (net.generative(c, effect)["expression"] for c in (control, control + 5))
    assert (a - b).abs().max() > 1e-4


def test_untrained_isolated_nodes_fall_back_to_the_mean_of_the_trained():
    net = module().eval()
    raw = net.embed()
    net.trained[[1, 4]] = True
    embeddings = net.embed()
    torch.testing.assert_close(embeddings[3], raw[[1, 4]].mean(0))
    torch.testing.assert_close(embeddings[5], raw[[1, 4]].mean(0))
    torch.testing.assert_close(embeddings[:3], raw[:3])
    torch.testing.assert_close(embeddings[4], raw[4])


def test_nodes_that_training_said_nothing_about():
    """0 → 1 → 2 and 3 → 4: with 1 trained, 0 feeds it and 2 draws on it; 3, 4, 5 learn nothing."""
    net = module(edges=((0, 1, 3), (1, 2, 4))).eval()
    raw = net.embed()
    net.trained[1] = True
    embeddings = net.embed()
    torch.testing.assert_close(embeddings[:3], raw[:3])
    torch.testing.assert_close(embeddings[3:], raw[1].expand(3, -1))


@pytest.mark.parametrize(
    ("encoder", "options"),
    [
        ("exphormer", {"n_layers": 1, "n_channels": 4}),
        ("hybrid_bmp", {"n_input": 4, "n_hidden": 4}),
    ],
)
def test_messages_that_run_both_ways_inform_both_ends(encoder, options):
    """0 → 1 ← 2 and 3 → 4: with 2 trained, all three of the first part are informed."""
    net = module(edges=((0, 2, 3), (1, 1, 4)), encoder=encoder, encoder_options=options).eval()
    raw = net.embed()
    net.trained[2] = True
    embeddings = net.embed()
    torch.testing.assert_close(embeddings[:3], raw[:3])
    torch.testing.assert_close(embeddings[3:], raw[2].expand(3, -1))


def test_direct_decoding_starts_from_the_controls():
    mean = torch.arange(9.0)
    assert torch.equal(module(mean_control=mean).decoder.output.bias, mean)
    assert not torch.equal(module(decoding="delta", mean_control=mean).decoder.output.bias, mean)


def test_unknown_decoding():
    with pytest.raises(ValueError, match="'direct' or 'delta'"):
        module(decoding="both")
