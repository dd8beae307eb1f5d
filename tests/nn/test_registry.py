import pytest
import torch
from torch import nn

from txpert.nn import ENCODERS, make_encoder, register_encoder


def define(n_layers=1):
    class Own(nn.Module):
        def __init__(self, graphs, n_nodes, n_latent, *, scale=1.0):
            super().__init__()
            self.shape, self.scale, self.n_layers = (n_nodes, n_latent), scale, n_layers

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
    with pytest.raises(ValueError, match=r"no encoder 'gta'; choose from .*exphormer, gat, "):
        make_encoder("gta", [], 3, 2)


def test_users_register_their_own():
    own = define()
    assert register_encoder("own")(own) is own
    assert make_encoder("own", [], 3, 2, {"scale": 2.0})().tolist() == [[2.0, 2.0]] * 3


def test_defining_a_class_again_replaces_it():
    register_encoder("own")(define())
    register_encoder("own")(define(n_layers=2))
    assert make_encoder("own", [], 3, 2).n_layers == 2


def test_names_are_not_taken_twice():
    with pytest.raises(ValueError, match=r"an encoder 'gat' already, GATEncoder; take another"):
        register_encoder("gat")(define())
