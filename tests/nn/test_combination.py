"""How several targets act together."""

import pytest
import torch

from txpert.nn._combination import (
    InteractionCombination,
    SequentialCombination,
    SumCombination,
    make_combination,
)

NAMES = ["sum", "interaction", "sequential"]


def trained(name):
    """A combination whose terms beyond the sum are not zero."""
    torch.manual_seed(0)
    combination = make_combination(name, 4)
    for parameter in combination.parameters():
        torch.nn.init.normal_(parameter)
    return combination


def act(combination, state, *targets, order=3):
    filled = torch.zeros(len(state), order, 4)
    for i, target in enumerate(targets):
        filled[:, i] = target
    present = torch.zeros(len(state), order, dtype=torch.bool)
    present[:, : len(targets)] = True
    return combination(state, filled, present)


@pytest.fixture
def drawn():
    return torch.randn(4, 5, 4, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", NAMES)
def test_no_target_leaves_the_state_alone(name, drawn):
    torch.testing.assert_close(act(trained(name), drawn[0]), drawn[0])


@pytest.mark.parametrize("name", NAMES)
def test_all_start_as_the_sum(name, drawn):
    s, a, b, _ = drawn
    torch.testing.assert_close(act(make_combination(name, 4), s, a, b), s + a + b)


@pytest.mark.parametrize("name", NAMES)
def test_pairs_do_not_depend_on_their_order(name, drawn):
    s, a, b, _ = drawn
    combination = trained(name)
    torch.testing.assert_close(act(combination, s, a, b), act(combination, s, b, a))


@pytest.mark.parametrize("name", NAMES)
def test_room_for_more_targets_changes_nothing(name, drawn):
    s, a, b, _ = drawn
    combination = trained(name)
    for targets in ((a,), (a, b)):
        torch.testing.assert_close(
            act(combination, s, *targets, order=2), act(combination, s, *targets, order=4)
        )


def test_interaction_by_hand(drawn):
    s, a, b, c = drawn
    combination = trained("interaction")
    expected = s + a + b + c + combination.pair(a * b + a * c + b * c)
    torch.testing.assert_close(act(combination, s, a, b, c), expected)
    torch.testing.assert_close(act(combination, s, a), s + a)


def test_sequential_by_hand(drawn):
    s, a, b, _ = drawn
    combination = trained("sequential")

    def step(state, z):
        return state + z + combination.mlp(torch.cat([state, z], dim=1))

    forth, back = step(step(s, a), b), step(step(s, b), a)
    assert (forth - back).abs().max() > 1e-3
    torch.testing.assert_close(act(combination, s, a, b), (forth + back) / 2)
    torch.testing.assert_close(act(combination, s, a), step(s, a))


@pytest.mark.parametrize("name", ["interaction", "sequential"])
def test_gradients_reach_the_further_terms_from_the_start(name, drawn):
    combination = make_combination(name, 4)
    last = [*combination.parameters()][-1]
    act(combination, drawn[0], drawn[1], drawn[2]).square().sum().backward()
    assert last.grad.any()


def test_names():
    kinds = [type(make_combination(name, 4)) for name in NAMES]
    assert kinds == [SumCombination, InteractionCombination, SequentialCombination]
    with pytest.raises(ValueError, match="no combination 'product'; choose from sum, inter"):
        make_combination("product", 4)
