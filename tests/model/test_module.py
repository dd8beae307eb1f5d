import copy

import pytest
import torch

from txpert.data import ConditionTable, ObsKeys
from txpert.data._screen import Screen
from txpert.data._tokens import encode_targets
from txpert.model._module import TxPertModule
from txpert.model._torch_datasets import CellDataset, ConditionDataset
from txpert.nn import EncoderConfig, GraphTensors, Nodes

KEYS = ObsKeys()
GAT = EncoderConfig("gat", {"n_layers": 1, "n_channels": 4, "n_input": 4})
TINY = {"encoder": GAT, "n_hidden": 8, "decoding": "direct"}


def module(n_genes=9, n_nodes=6, edges=((0, 1, 2), (1, 2, 0)), **options):
    torch.manual_seed(0)
    edge_index = torch.tensor(edges, dtype=torch.long)
    graph = GraphTensors(edge_index, torch.ones(edge_index.shape[1]))
    return TxPertModule(n_genes, [graph], Nodes(n_nodes), **{**TINY, **options})


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


@pytest.mark.parametrize("decoding", ["low_rank", "delta"])
def test_gradient_over_pooled_batches_is_that_of_the_conditions(two_lines, graph, decoding):
    """Where Δ does not depend on the batch: one row per cell line and perturbation will do."""
    screen = Screen.from_anndata(two_lines, KEYS)
    table = ConditionTable.from_screen(screen)
    pooled = table.over_batches()
    assert len(pooled.obs) == len(table.obs) / 2
    edges = [[*graph.source], [*graph.target]]
    net = module(two_lines.n_vars, len(graph.nodes), edges, decoding=decoding).double().eval()
    gradients = []
    for rows in (table, pooled):
        perturbed = rows.subset(~rows.obs["control"].to_numpy())
        data = ConditionDataset(
            perturbed, encode_targets(perturbed.obs["perturbation"], graph.nodes)
        )
        batch = data[range(len(data))]
        net.zero_grad()
        net({k: v.double() if v.is_floating_point() else v for k, v in batch.items()})[
            2
        ].loss.backward()
        gradients.append(torch.cat([p.grad.ravel() for p in net.parameters()]))
    a, b = gradients
    assert (a - b).norm() / a.norm() < 1e-5
    assert a.norm() > 1e-6


def test_low_rank_decoding_starts_from_mean_and_components():
    effects = torch.randn(5, 9, generator=torch.Generator().manual_seed(0))
    net = module(decoding="low_rank")
    net.decoder.start_from(effects)
    torch.testing.assert_close(net.decoder.mean.data, effects.mean(0))
    centered = effects - effects.mean(0)
    # The components span the effects, and their lengths are the standard deviations along them.
    basis = net.decoder.components.data[:4]
    onto = torch.linalg.lstsq(basis.T, centered.T).solution.T @ basis
    torch.testing.assert_close(onto, centered, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(basis.norm(dim=1)[0], torch.linalg.svdvals(centered)[0] / 5**0.5)


def test_loss_by_hand():
    net = module()
    batch = {"X": torch.zeros(2, 9), "n_cells": torch.tensor([1.0, 3.0])}
    predicted = {"expression": torch.stack([torch.ones(9), torch.full((9,), 2.0)])}
    assert net.loss(batch, {}, predicted).loss.item() == pytest.approx((1 * 1 + 3 * 4) / 4)


def test_targets_are_looked_up_and_controls_have_none():
    embeddings = torch.tensor([[1.0, 2.0], [10.0, 20.0], [5.0, 5.0]])
    targets, present = module().targets(embeddings, torch.tensor([[0, 1], [2, 3], [3, 3]]))
    assert targets[:, 0].tolist() == [[1.0, 2.0], [5.0, 5.0], [0.0, 0.0]]
    assert targets[:, 1].tolist() == [[10.0, 20.0], [0.0, 0.0], [0.0, 0.0]]
    assert present.tolist() == [[True, True], [True, False], [False, False]]


def one_target(n=3):
    return {"targets": torch.randn(n, 1, 64), "present": torch.ones(n, 1, dtype=torch.bool)}


def test_delta_decoding_adds_to_the_control_and_has_no_basal_encoder():
    net = module(decoding="delta").eval()
    target, control = one_target(), torch.randn(3, 9)
    change = net.generative(control, **target)["expression"] - control
    shifted = net.generative(control + 5, **target)["expression"] - control - 5
    torch.testing.assert_close(change, shifted, atol=1e-5, rtol=1e-5)
    assert net.basal is None


def test_direct_decoding_uses_the_control_profile():
    net = module().eval()
    target, control = one_target(), torch.randn(3, 9)
    a, b = (net.generative(c, **target)["expression"] for c in (control, control + 5))
    assert (a - b).abs().max() > 1e-4


@pytest.mark.parametrize("decoding", ["direct", "delta"])
def test_a_basal_encoder_of_an_embedding_reads_nothing_else(decoding):
    net = module(basal="embedding", n_embedding=2, decoding=decoding).eval()
    target, control, embedding = one_target(), torch.randn(3, 9), torch.randn(3, 2)

    def change(control, embedding):
        predicted = net.generative(control, **target, control_embedding=embedding)["expression"]
        return predicted - control if decoding == "delta" else predicted

    before = change(control, embedding)
    torch.testing.assert_close(change(control + 5, embedding), before, atol=1e-5, rtol=1e-5)
    assert (change(control, embedding + 1) - before).abs().max() > 1e-4


def test_training_embeds_the_targets_only_with_the_same_result():
    net = module()
    batch = torch.tensor([[1, 6], [3, 1], [6, 6]])
    net.encoder.stack.dropout.p = 0.0
    some = net.train().inference(batch)
    net.trained[:] = True
    every = net.eval().inference(batch)
    for name in ("targets", "present"):
        torch.testing.assert_close(some[name], every[name])


@pytest.mark.parametrize("encoder", [{"name": "bmp"}, {"name": "gcn"}, GAT])
def test_validation_embeds_the_nodes_it_needs_with_the_same_result(encoder):
    """3 → 4 is apart from what is trained, so 4 has the mean of the trained nodes."""
    net = module(edges=((0, 1, 3), (1, 2, 4)), encoder=EncoderConfig.of(encoder)).eval()
    net.trained[[0, 1]] = True
    wanted = torch.tensor([2, 4])
    torch.testing.assert_close(net.embed(wanted)[wanted], net.embed()[wanted])
    torch.testing.assert_close(net.embed(wanted)[4], net.embed()[:2].mean(0))


def test_similarity_is_added_for_perturbed_rows_alone():
    net = module()
    control = torch.ones(2, 9)
    observed = control + torch.arange(9.0)
    batch = {"X": observed, "control_profile": control, "n_cells": torch.tensor([1.0, 3.0])}
    predicted = {"expression": control - torch.arange(9.0)}
    inferred = {"present": torch.tensor([[True], [False]])}
    plain = net.loss(batch, inferred, predicted).loss
    for similarity in ("cosine", "pearson"):
        mixed = net.loss(
            batch, inferred, predicted, similarity=similarity, similarity_weight=0.5
        ).loss
        torch.testing.assert_close(mixed, plain + 0.5 * 2 * 1 / 4)


def test_unknown_similarity_and_basal():
    batch = {"X": torch.ones(1, 9), "control_profile": torch.ones(1, 9), "n_cells": torch.ones(1)}
    with pytest.raises(ValueError, match="'cosine' or 'pearson', not 'dot'"):
        module().loss(batch, {}, {"expression": torch.ones(1, 9)}, similarity="dot")
    with pytest.raises(ValueError, match="'mlp', 'embedding', 'none' or a trained"):
        module(basal="pca")
    with pytest.raises(ValueError, match="another decoding with basal='none'"):
        module(basal="none")


@torch.inference_mode()
@pytest.mark.parametrize(
    "change",
    [
        lambda net: next(net.encoder.parameters()).mul_(2),
        lambda net: next(net.encoder.parameters()).data.add_(1),
        lambda net: setattr(net, "encoder", module(edges=((0, 3), (1, 2))).encoder.eval()),
        lambda net: net.trained.__setitem__(5, True),
        lambda net: net.double(),
    ],
)
def test_nodes_are_embedded_again_once_anything_changed(change):
    net = module(encoder="gat").eval()
    net.trained[:2] = True
    before = net.embed()
    assert net.embed() is before
    assert copy.deepcopy(net).embed().equal(before)
    change(net)
    again = net.embed()
    assert again.dtype != before.dtype or not again.equal(before)
    net._last = None
    assert net.embed().equal(again)


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
        ("bmp", {"n_input": 4, "n_hidden": 4}),
        ("hybrid_bmp", {"n_input": 4, "n_hidden": 4}),
    ],
)
def test_messages_that_run_both_ways_inform_both_ends(encoder, options):
    """0 → 1 ← 2 and 3 → 4: with 2 trained, all three of the first part are informed."""
    net = module(edges=((0, 2, 3), (1, 1, 4)), encoder=EncoderConfig(encoder, options)).eval()
    raw = net.embed()
    net.trained[2] = True
    embeddings = net.embed()
    torch.testing.assert_close(embeddings[:3], raw[:3])
    torch.testing.assert_close(embeddings[3:], raw[2].expand(3, -1))


def test_gradients_can_follow_a_prediction():
    net = module().eval()
    net.trained[1] = True
    with torch.inference_mode():
        net.embed()
    net.embed().sum().backward()
    assert net.encoder.nodes.learned.grad.abs().sum() > 0


def test_direct_decoding_starts_from_the_controls():
    mean = torch.arange(9.0)
    assert torch.equal(module(mean_control=mean).decoder.output.bias, mean)
    assert not torch.equal(module(decoding="delta", mean_control=mean).decoder.output.bias, mean)


def test_unknown_decoding():
    with pytest.raises(ValueError, match="one of 'low_rank', 'delta', 'direct', not 'both'"):
        module(decoding="both")
