import pytest
import torch
from torch import nn

from txpert.nn import EncoderConfig, Nodes, register_encoder
from txpert.nn._registry import ENCODERS, make_encoder


def define(n_layers=1):
    class Own(nn.Module):
        def __init__(self, graphs, nodes, n_latent, *, scale=1.0):
            super().__init__()
            self.shape, self.scale, self.n_layers = (nodes.n, n_latent), scale, n_layers

        def forward(self):
            return torch.full(self.shape, self.scale)

    return Own


@pytest.fixture(autouse=True)
def _leaves_no_trace():
    known = dict(ENCODERS)
    yield
    ENCODERS.clear()
    ENCODERS.update(known)


def test_unknown_encoders_list_the_known_ones():
    with pytest.raises(ValueError, match=r"no encoder 'gta'; choose from .*features, free, gat, "):
        EncoderConfig("gta")


def test_users_register_their_own():
    own = define()
    assert register_encoder("own")(own) is own
    assert (
        make_encoder(EncoderConfig("own", {"scale": 2.0}), [], Nodes(3), 2)().tolist()
        == [[2.0, 2.0]] * 3
    )


def test_defining_a_class_again_replaces_it():
    register_encoder("own")(define())
    register_encoder("own")(define(n_layers=2))
    assert make_encoder("own", [], Nodes(3), 2).n_layers == 2


def test_names_are_not_taken_twice():
    with pytest.raises(ValueError, match=r"already the encoder 'gat', GATEncoder; take another"):
        register_encoder("gat")(define())


def test_unknown_options_list_the_known_ones():
    with pytest.raises(
        ValueError, match=r"'gat' has no option 'depth'; it has: n_input, n_layers"
    ):
        EncoderConfig("gat", {"depth": 3})
    with pytest.raises(ValueError, match="'free' has no option 'depth'; it has: none"):
        EncoderConfig("free", {"depth": 3})


def test_a_seed_is_added_where_there_is_room():
    config = EncoderConfig("exphormer", {"n_layers": 2})
    assert config.seeded(5).options == {"n_layers": 2, "seed": 5}
    assert config.seeded(5).seeded(6).options["seed"] == 5
    assert EncoderConfig("gat").seeded(5) == EncoderConfig("gat")


def test_configurations_survive_being_plain():
    config = EncoderConfig("gat", {"n_layers": 2})
    assert EncoderConfig.of(config.to_dict()) == EncoderConfig.of(config) == config
    assert EncoderConfig.of("gat") == EncoderConfig("gat")


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("gat", "n_heads", 0),
        ("gat", "n_channels", 0),
        ("gat", "n_layers", 0),
        ("gat", "n_layers", -1),
        ("gat", "n_layers", 1.5),
        ("gat", "n_layers", None),
        ("gat", "n_layers", True),
        ("gat", "edge_weights", "x"),
        ("gat", "dropout", 1.0),
        ("gat", "dropout", -0.1),
        ("gat_hybrid", "n_queries", 0),
        ("gcn", "n_hidden", 0),
        ("sgc", "n_hops", -1),
        ("exphormer", "n_cycles", -1),
        ("exphormer", "seed", None),
        ("exphormer", "local", 1),
        ("bmp", "n_input", 0),
        ("bmp", "n_input", "a"),
        ("bmp", "refined", "x"),
        ("hybrid_bmp", "activate_output", None),
    ],
)
def test_values_of_options_are_checked(name, option, value):
    with pytest.raises(ValueError, match=f"option {option} must be .*not"):
        EncoderConfig(name, {option: value})


def test_options_of_users_encoders_are_theirs():
    class Own(nn.Module):
        def __init__(self, graphs, nodes, n_latent, *, n_layers="many", dropout=None):
            super().__init__()

    register_encoder("own")(Own)
    make_encoder(EncoderConfig("own", {"n_layers": "few", "dropout": 2}), [], Nodes(3), 2)


def test_what_is_no_configuration_is_refused():
    with pytest.raises(TypeError, match=r"options is a dictionary .* not None"):
        EncoderConfig("gat", None)
    for encoder in ({"foo": "gat"}, {"name": "gat", "n_layers": 2}):
        with pytest.raises(ValueError, match=r"encoder as a dictionary is \{'name'"):
            EncoderConfig.of(encoder)
