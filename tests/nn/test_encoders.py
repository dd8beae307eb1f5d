"""What holds for all perturbation encoders."""

import pytest
import torch

from txpert.nn import EncoderConfig, GraphTensors, Nodes
from txpert.nn._registry import ENCODERS, make_encoder
from txpert.testing import check_encoder

N_NODES = 41  # no other size in the encoders below
GAT = {"n_layers": 2, "n_channels": 4, "n_input": 6}
FEATURES = torch.randn(N_NODES, 3, generator=torch.Generator().manual_seed(9))
CASES = {
    "bmp": ("bmp", {"n_input": 6, "n_hidden": 7}),
    "features": ("features", {"n_hidden": 7}),
    "exphormer": ("exphormer", {"n_layers": 2, "n_channels": 4}),
    "exphormer-local": ("exphormer", {"n_layers": 2, "n_channels": 4, "local": True}),
    "exphormer-weighted": (
        "exphormer",
        {"n_layers": 2, "n_channels": 4, "local": True, "edge_weights": True},
    ),
    "gat": ("gat", GAT),
    "gat-weighted": ("gat", {**GAT, "edge_weights": True}),
    "gat_hybrid": ("gat_hybrid", GAT),
    "gat_hybrid-concat": ("gat_hybrid", {**GAT, "combine": "concat"}),
    "gat_mlg": ("gat_mlg", GAT),
    "gat_mlg-weighted": ("gat_mlg", {**GAT, "edge_weights": True}),
    "gcn": ("gcn", {"n_input": 6, "n_layers": 2, "n_hidden": 7}),
    "hybrid_bmp": ("hybrid_bmp", {"n_input": 6, "n_hidden": 7}),
    "free": ("free", {}),
    "sgc": ("sgc", {"n_input": 6, "n_hops": 2}),
}
REGISTERED = set(ENCODERS)
ONE_WAY = ["gat", "gat_hybrid", "gat_mlg", "gcn", "sgc"]
NEED_GRAPHS = ["gat_hybrid", "gat_mlg", "hybrid_bmp"]
WITHOUT_GRAPHS = ["features", "free"]
WEIGHTED = [case for case in CASES if case.endswith("weighted")] + ["gcn", "sgc"]
PARTIAL = [
    "bmp",
    "hybrid_bmp",
    "features",
    "free",
    "gat",
    "gat-weighted",
    "gat_hybrid",
    "gat_hybrid-concat",
    "gat_mlg",
]

every_case = pytest.mark.parametrize("case", CASES)
with_graphs = pytest.mark.parametrize("case", [c for c in CASES if c not in WITHOUT_GRAPHS])


@pytest.fixture
def two_graphs(random_graph):
    return [random_graph(), random_graph(seed=1)]


def make(case, graphs, n_nodes=N_NODES, features=None, **options):
    torch.manual_seed(0)
    name, defaults = CASES[case]
    if name == "features" and features is None:
        features = FEATURES[:n_nodes]
    nodes = Nodes(n_nodes, features=() if features is None else (features,))
    return make_encoder(EncoderConfig(name, {**defaults, **options}), graphs, nodes, 5)


def embed(case, graphs, n_nodes=N_NODES, **options):
    return make(case, graphs, n_nodes, **options).eval()().detach()


def one_edge(source, target):
    return [GraphTensors(torch.tensor([[source], [target]]), torch.ones(1))]


def test_every_encoder_is_tested():
    assert {name for name, _ in CASES.values()} == REGISTERED


@every_case
def test_the_rules_are_kept(case):
    name, options = CASES[case]
    check_encoder(name, options=options)


@every_case
def test_no_graphs(case):
    if case.split("-")[0] in NEED_GRAPHS:
        with pytest.raises(ValueError, match="needs at least one graph"):
            make(case, [])
    else:
        assert embed(case, []).isfinite().all()


@every_case
def test_renaming_the_nodes_renames_the_output(case, two_graphs):
    permutation = torch.randperm(N_NODES, generator=torch.Generator().manual_seed(2))
    renamed_graphs = [GraphTensors(permutation[graph.edges], graph.weight) for graph in two_graphs]
    options = {"n_cycles": 0} if case.startswith("exphormer") else {}
    rows = torch.argsort(permutation)
    original = make(case, two_graphs, features=FEATURES, **options).eval()
    renamed = make(case, renamed_graphs, features=FEATURES[rows], **options).eval()
    renamed.load_state_dict(
        {k: v[rows] if len(v) == N_NODES else v for k, v in original.state_dict().items()}
    )
    torch.testing.assert_close(renamed()[permutation], original(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", WITHOUT_GRAPHS)
def test_encoders_without_graphs_know_none(case, two_graphs):
    assert torch.equal(embed(case, two_graphs), embed(case, []))


@pytest.mark.parametrize("case", WEIGHTED)
def test_weights_change_the_output(case, two_graphs):
    """Attention follows them from the first steps of training on: its exponents start at zero."""
    outputs = []
    for weight in (two_graphs[0].weight, two_graphs[0].weight.flip(0)):
        model = make(case, [two_graphs[0]._replace(weight=weight), two_graphs[1]]).eval()
        for name, parameter in model.named_parameters():
            if name.endswith("exponent"):
                assert not parameter.any()
                torch.nn.init.ones_(parameter)
        outputs.append(model())
    assert (outputs[0] - outputs[1]).abs().max() > 1e-6


@pytest.mark.parametrize("case", PARTIAL)
@pytest.mark.parametrize("wanted", [[0], [3, 17, 40], list(range(N_NODES))])
def test_some_embeddings_are_those_of_all(case, wanted, random_graph):
    """Values and gradients; nodes from 37 on are isolated."""
    model = make(case, [random_graph(n_edges=60), random_graph(n_edges=60, seed=1)]).eval()
    weight = torch.randn(len(wanted), 5)
    gradients = []
    for output in (model()[wanted], model(torch.tensor(wanted))):
        gradients.append(
            (output, *torch.autograd.grad((weight * output).sum(), list(model.parameters())))
        )
    for whole, part in zip(*gradients, strict=True):
        torch.testing.assert_close(part, whole, atol=1e-6, rtol=1e-4)


@every_case
def test_given_features_change_the_output(case, two_graphs):
    features = FEATURES.clone()
    before = embed(case, two_graphs, features=features)
    features[0] += 1
    assert (before - embed(case, two_graphs, features=features)).abs().max() > 1e-6


def test_features_alone_make_rows(two_graphs):
    nodes = Nodes(N_NODES, learned=False, features=(FEATURES, FEATURES[:, :1]))
    rows = nodes.embedding(4)
    expected = FEATURES @ rows.maps[0].weight.T + FEATURES[:, :1] @ rows.maps[1].weight.T
    torch.testing.assert_close(rows(), expected)
    assert len(list(rows.parameters())) == 2


def test_nodes_need_rows_of_some_kind():
    with pytest.raises(ValueError, match="learned embeddings or given features"):
        Nodes(3, learned=False).embedding(2)


def test_features_encoder_needs_features():
    with pytest.raises(ValueError, match="needs features of the genes"):
        make_encoder("features", [], Nodes(3), 5)


def test_a_gene_is_described_by_any_table():
    tables = (torch.tensor([[1.0], [0.0], [0.0]]), torch.tensor([[0.0], [2.0], [0.0]]))
    assert Nodes(3, features=tables).has_features().tolist() == [True, True, False]


@with_graphs
def test_direction_of_an_edge_matters(case):
    """In Exphormer, whose messages run both ways, it does through the provenance."""
    assert (embed(case, one_edge(0, 1), 3) - embed(case, one_edge(1, 0), 3)).abs().max() > 1e-6


@pytest.mark.parametrize("case", ONE_WAY)
def test_only_the_target_draws_on_an_edge(case):
    empty = GraphTensors(torch.empty(2, 0, dtype=torch.long), torch.empty(0))
    alone, linked = embed(case, [empty], 3), embed(case, one_edge(0, 1), 3)
    torch.testing.assert_close(linked[[0, 2]], alone[[0, 2]])
    assert (linked[1] - alone[1]).abs().max() > 1e-6


@every_case
def test_gradients_reach_every_parameter(case, two_graphs):
    model = make(case, two_graphs)
    model().square().sum().backward()
    unreached = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached


@every_case
def test_steps_lower_a_loss(case, two_graphs):
    model = make(case, two_graphs).eval()
    wanted = torch.randn(N_NODES, 5)[:37]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (model()[:37] - wanted).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.97 * losses[0]


@every_case
def test_same_seed_same_output(case, two_graphs):
    first = make(case, two_graphs)
    assert torch.equal(embed(case, two_graphs), embed(case, two_graphs))
    torch.manual_seed(0)
    first.reset_parameters()
    torch.manual_seed(1)
    second = make(case, two_graphs)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.eval()(), second.eval()())


@every_case
def test_reset_draws_every_parameter_anew(case, two_graphs):
    model = make(case, two_graphs)
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, 7.0)
    model.reset_parameters()
    assert not any((parameter == 7).any() for parameter in model.parameters())


@every_case
def test_weights_alone_are_in_the_state(case, two_graphs):
    model = make(case, two_graphs)
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}
    assert model.double()().dtype == torch.double
