"""No change, the mean and the matching mean."""

import pytest

from txpert.baselines import MatchingMeanBaseline, MeanBaseline, NoChangeBaseline

ROWS = [
    ("A", "K", 1, "train", [1.0]),
    ("A", "R", 3, "train", [3.0]),
    ("B", "K", 4, "train", [-2.0]),
    ("B+C", "K", 2, "train", [7.0]),
    ("D", "K", 5, "test", [99.0]),
]


@pytest.mark.parametrize("label", ["A", "D", "A+B", "X+Y"])
def test_no_change(make_table, delta_of, label):
    assert delta_of(NoChangeBaseline(make_table(ROWS)), label) == [0]


@pytest.mark.parametrize("label", ["A", "D", "A+B", "X+Y"])
def test_the_mean_is_the_same_for_all(make_table, delta_of, label):
    # A is (1 × 1 + 3 × 3) / 4; each perturbation counts once.
    assert delta_of(MeanBaseline(make_table(ROWS)), label) == pytest.approx((2.5 - 2 + 7) / 3)


@pytest.mark.parametrize(
    ("label", "effect"),
    [
        ("A", 2.5),
        ("C+B", 7.0),  # trained on
        ("A+B", (2.5 - 2 + 7) / 3),
        ("B+X", (-2 + 7) / 2),
        ("C", 7.0),
        ("A+X", 2.5),
        ("D", (2.5 - 2 + 7) / 3),  # nothing shares a target: the mean of all
    ],
)
def test_matching_mean(make_table, delta_of, label, effect):
    assert delta_of(MatchingMeanBaseline(make_table(ROWS)), label) == pytest.approx(effect)
