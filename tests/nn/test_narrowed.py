"""Training of the embeddings that are read, and of no others."""

import copy

import pytest
import torch

from txpert.nn import EncoderConfig, GraphTensors, Nodes
from txpert.nn._narrowed import narrowed
from txpert.nn._registry import make_encoder

N = 12
TARGETS = torch.tensor([1, 4])
EDGES = torch.tensor([[0, 2, 3, 4, 7, 9], [1, 1, 4, 5, 8, 10]])
READ = {0, 2, 3, 5}


def encoder(nodes=None, **options):
    torch.manual_seed(0)
    graph = GraphTensors(EDGES, torch.ones(EDGES.shape[1]))
    return make_encoder(EncoderConfig("bmp", options), [graph], nodes or Nodes(N), 4)


def trained(net, steps=5):
    target = torch.randn(len(TARGETS), 4, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.AdamW(
        [p for p in net.parameters() if p.requires_grad], lr=0.1, weight_decay=0
    )
    net.train()
    torch.manual_seed(2)
    for _ in range(steps):
        optimizer.zero_grad()
        (net(TARGETS) - target).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("refined", [True, False])
def test_what_is_learned_is_the_same(refined):
    whole, some = encoder(refined=refined), encoder(refined=refined)
    trained(whole)
    with narrowed(some, TARGETS):
        trained(some)
    assert some.state_dict().keys() == whole.state_dict().keys()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, some.state_dict()[name]), name
    assert torch.equal(whole.eval()(), some.eval()())
    assert all(parameter.requires_grad for parameter in some.parameters())


def test_only_what_is_read_has_a_gradient():
    net = encoder(refined=False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with narrowed(net, TARGETS):
        sizes = [len(p) for name, p in net.named_parameters() if name.endswith("some")]
        assert sorted(sizes) == [1, 3]
        trained(net)
        frozen = [p for p in net.parameters() if not p.requires_grad]
        assert [len(p) for p in frozen] == [N, N]
    after = net.state_dict()
    moved = {
        row
        for name in ("sources.learned", "targets.learned")
        for row in (after[name] != before[name]).any(dim=1).nonzero().flatten().tolist()
    }
    assert moved == READ


def test_predictions_while_training_read_what_was_learned_so_far():
    net = encoder()
    with narrowed(net, TARGETS):
        trained(net)
        with torch.no_grad():
            now, others = net.eval()(), net(torch.tensor([8, 10]))
    assert torch.equal(net(), now)
    torch.testing.assert_close(now[[8, 10]], others)


def test_states_are_whole_while_training():
    net = encoder()
    with narrowed(net, TARGETS):
        trained(net)
        best = copy.deepcopy(net.state_dict())
        trained(net)
        net.load_state_dict(best)
        assert copy.deepcopy(net).state_dict().keys() == best.keys()
        trained(net, steps=0)
    for name, value in net.state_dict().items():
        assert torch.equal(value, best[name]), name
    encoder().load_state_dict(best)


def test_the_draws_of_dropout_and_the_mode_stay():
    net = encoder().train()
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    with narrowed(net, TARGETS):
        assert net.training
        assert torch.equal(torch.rand(3), expected)


def test_a_failure_leaves_the_encoder_whole():
    net = encoder()

    def fail():
        with narrowed(net, TARGETS):
            trained(net)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert not [name for name, _ in net.named_parameters() if name.endswith("some")]
    assert net(torch.arange(N)).requires_grad


def test_given_features_alone_are_left_as_they_are():
    features = torch.randn(N, 3)
    net = encoder(Nodes(N, learned=False, features=(features,)))
    with narrowed(net, TARGETS):
        names = [name for name, _ in net.named_parameters()]
        assert not [name for name in names if name.endswith("some")]
        trained(net)


def test_an_encoder_that_reads_other_nodes_in_training_is_told_so():
    net = encoder()
    with narrowed(net, TARGETS), pytest.raises(RuntimeError, match="must read the same nodes"):
        net(torch.tensor([8]))
