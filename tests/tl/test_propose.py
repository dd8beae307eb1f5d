"""Proposals of what to measure next."""

import warnings

import pytest

import txpert as tx


def proposed(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tx.tl.propose(*args, **options)


@pytest.mark.parametrize("strategy", ["variance", "d_optimal", "diverse", "random"])
def test_proposals_are_new_and_sum_up(model, strategy):
    found = proposed(model, n=5, strategy=strategy)
    measured = {label for label, _ in model.trained_on_}
    assert found["perturbation"].is_unique
    assert not measured & set(found["perturbation"])
    assert set(found.attrs["measured"]) == {label for label in measured if "+" not in label}
    left = 1 - found["gain"].cumsum()
    assert found["variance_left"].to_numpy() == pytest.approx(left.to_numpy())


def test_pairs_and_costs(model):
    first = proposed(model, ["GENE10", "GENE20", "GENE10+GENE20"], 1)
    label = first["perturbation"][0]
    dear = proposed(model, ["GENE10", "GENE20", "GENE10+GENE20"], 1, cost={label: 1e6})
    assert dear["perturbation"][0] != label


def test_costs_of_others_are_named(model):
    measured = next(label for label, _ in model.trained_on_ if "+" not in label)
    cost = {"GENE10": 2, measured: 3, "GENE1O": 4}
    with pytest.warns(
        UserWarning, match="1 of 3 labels in cost are no candidates, such as GENE1O"
    ):
        found = tx.tl.propose(model, ["GENE10", measured], 1, cost=cost)
    assert found["cost"].tolist() == [2]


def test_candidates_without_edges_are_listed(train_toy, graph):
    nodes = [*graph.nodes, "ALONE"]
    alone = tx.graph.KnowledgeGraph("toy", nodes, graph.source, graph.target, graph.weight)
    model = train_toy(("mean", "gaussian_process"), graphs=[alone])
    with pytest.warns(UserWarning, match="ALONE"):
        found = tx.tl.propose(model, ["GENE10", "ALONE"], 1)
    assert found.attrs["unsupported"] == ["ALONE"]
    assert found["perturbation"].tolist() == ["GENE10"]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"candidates": []}, ValueError, "no candidates"),
        ({"candidates": ["control"]}, ValueError, "control"),
        ({"candidates": ["NOGENE"]}, KeyError, "NOGENE"),
        ({"candidates": ["GENE10"], "n": 2}, ValueError, "n=2, but there are 1"),
        ({"n": 0}, ValueError, "n must be"),
        ({"strategy": "best"}, ValueError, "strategy must be one of"),
        ({"candidates": ["GENE10"], "cost": {"GENE10": 0}}, ValueError, "cost of GENE10"),
        ({"cost": {"NOGENE": 2}}, ValueError, "None of the labels in cost is a candidate: NOGENE"),
        ({"cell_line": "HeLa"}, KeyError, "HeLa"),
    ],
)
def test_what_makes_no_sense_is_refused(model, change, error, message):
    with pytest.raises(error, match=message):
        tx.tl.propose(model, **{"n": 1, **change})


def test_what_is_measured_is_no_candidate(model):
    labels = [label for label, _ in model.trained_on_]
    with pytest.raises(ValueError, match="have been measured"):
        tx.tl.propose(model, labels)
