from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import txpert as tx
from txpert.data._tokens import parse_targets
from txpert.splits._cell_lines import split_few_shot
from txpert.splits._draw import nested_order
from txpert.splits._groups import seen_elsewhere
from txpert.splits._task import make_task
from txpert.splits._tasks import FewShotCellLine


def screen(n=40, doubles=()):
    genes = [f"G{i:02d}" for i in range(n)]
    rows = [("K", gene) for gene in genes[: n - 5]] + [("T", gene) for gene in genes]
    rows += [(line, label) for line in "KT" for label in doubles]
    return pd.DataFrame(rows, columns=["cell_line", "perturbation"])


def parts_of_line(conditions, **options):
    split = split_few_shot(conditions, "T", **options)
    here = (conditions["cell_line"] == "T").to_numpy()
    assert {part for part, own in zip(split, here, strict=True) if not own} == {"train"}
    labels = conditions["perturbation"].to_numpy()[here]
    return dict(zip(labels, np.array(split, dtype=object)[here], strict=True))


def labels_in(parts, *names):
    return {label for label, part in parts.items() if part in names}


@given(
    seed=st.integers(0, 50),
    stratified=st.booleans(),
    pairs=st.lists(st.tuples(st.integers(0, 19), st.integers(20, 39)), max_size=12, unique=True),
)
def test_what_is_measured_is_nested_and_what_is_tested_the_same(seed, stratified, pairs):
    conditions = screen(doubles=[f"G{i:02d}+G{j:02d}" for i, j in pairs])
    labels = conditions["perturbation"]
    values = {label: float(i % 7) for i, label in enumerate(labels)} if stratified else None
    found = [
        parts_of_line(conditions, measured=measured, seed=seed, values=values)
        for measured in (0.1, 0.5, 0.75)
    ]
    for small, large in pairwise(found):
        assert labels_in(small, "test") == labels_in(large, "test")
        assert labels_in(small, "train") <= labels_in(large, "train")
        assert labels_in(small, "val") <= labels_in(large, "val")
    singles = [
        {label: part for label, part in parts.items() if "+" not in label} for parts in found
    ]
    assert [len(labels_in(parts, "train", "val")) for parts in singles] == [4, 20, 30]
    assert [len(labels_in(parts, "val")) for parts in singles] == [1, 5, 8]
    assert {len(labels_in(parts, "test")) for parts in singles} == {10}
    for parts in found:
        known = {t for label in labels_in(parts, "train", "val") for t in parse_targets(label)}
        assert not known & labels_in(parts, "test")


def test_a_number_may_be_measured_and_all_of_it_trained_on():
    parts = parts_of_line(screen(), measured=7, fractions=(0.8, 0.0, 0.2))
    assert len(labels_in(parts, "train")) == 7
    assert not labels_in(parts, "val")
    assert len(labels_in(parts, "test")) == 8
    assert parts_of_line(screen(), measured=7, seed=1) != parts_of_line(screen(), measured=7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measured": 0}, "whole number of perturbed genes from 1 on, not 0; where none"),
        ({"measured": True}, "not True"),
        ({"measured": 1.0}, r"not 1\.0"),
        ({"measured": float("nan")}, "not nan"),
        ({"measured": 35}, "has 40 perturbed genes, of which 10 are test"),
        ({"measured": 0.9}, "measured=0.9 leaves too few"),
        ({"fractions": (0.8, 0.2, 0.0)}, "leave nothing to test"),
        ({"fractions": (0.0, 0.0, 1.0)}, "leave nothing to train on"),
    ],
)
def test_parts_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        split_few_shot(screen(), "T", **options)


def test_lines_that_cannot_be():
    with pytest.raises(ValueError, match="'X' is no cell line"):
        split_few_shot(screen(), "X")
    one = screen()
    with pytest.raises(ValueError, match="No cell line is left"):
        split_few_shot(one[one["cell_line"] == "T"], "T")
    with pytest.raises(ValueError, match="needs test_cell_line, one of: K, T"):
        FewShotCellLine().assign(one, seed=0)


def test_any_stretch_of_a_nested_order_spreads_over_the_values():
    names = [f"G{i}" for i in range(200)]
    values = {name: float(i) for i, name in enumerate(names)}
    order = nested_order(names, np.random.default_rng(0), values)
    assert sorted(order) == sorted(names)
    for stretch in (order[:20], order[:100], order[-50:]):
        per_quarter = np.bincount([int(values[name] // 50) for name in stretch], minlength=4)
        assert np.ptp(per_quarter) <= 3
    assert order != nested_order(names, np.random.default_rng(1), values)


def test_split_of_a_screen(two_lines):
    found = {}
    for measured in (0.25, 0.75):
        tx.pp.split(
            two_lines, "few_shot_cell_line", test_cell_line="RPE1", measured=measured, seed=2
        )
        obs = two_lines.obs[~two_lines.obs["control"]]
        assert set(obs.loc[obs["cell_line"] == "K562", "split"]) == {"train"}
        here = obs[obs["cell_line"] == "RPE1"]
        parts = here.drop_duplicates("perturbation").set_index("perturbation")["split"]
        assert parts.value_counts(dropna=False)["test"] == 3
        assert parts.isin(["train", "val"]).sum() == 12 * measured
        assert parts.isna().sum() == 9 - 12 * measured
        assert set(here.loc[here["split"].isin(["val", "test"]), "split_group"]) == {"seen"}
        found[measured] = parts
        assert tx.pp.check_split(two_lines).empty
        assert tx.pp.pseudobulk(two_lines).obs["split"].notna().any()
    assert (found[0.25] == "test").equals(found[0.75] == "test")
    record = two_lines.uns["txpert_split"]
    assert (record["task"], record["measured"]) == ("few_shot_cell_line", 0.75)


def test_a_test_perturbation_trained_on_in_its_line_is_a_leak(two_lines):
    tx.pp.split(two_lines, "few_shot_cell_line", test_cell_line="RPE1", seed=2)
    del two_lines.uns["txpert_split"]
    obs = two_lines.obs
    held = obs.loc[obs["split"] == "test", "perturbation"].iloc[0]
    known = obs.loc[(obs["split"] == "train") & (obs["cell_line"] == "RPE1"), "perturbation"].iloc[
        0
    ]
    obs["perturbation"] = obs["perturbation"].astype(str)
    rows = (obs["perturbation"] == known) & (obs["cell_line"] == "RPE1")
    obs.loc[rows, "perturbation"] = f"{known}+{held}"
    problems = tx.pp.check_split(two_lines, task="few_shot_cell_line")
    assert problems["kind"].tolist() == ["target_in_training"]
    assert problems["value"].tolist() == [held]
    # In another line the same perturbation may be trained on: that is what the task is about.
    assert held in set(obs.loc[(obs["split"] == "train"), "perturbation"])
    assert "perturbation_in_training" in set(tx.pp.check_split(two_lines)["kind"])


def test_a_perturbation_of_one_line_only_is_unseen():
    conditions = screen(10)
    conditions["split"] = make_task("few_shot_cell_line", test_cell_line="T").assign(
        conditions, seed=1
    )
    groups = pd.Series(seen_elsewhere(conditions))
    tested = conditions["split"] == "test"
    elsewhere = conditions["perturbation"].isin([f"G{i:02d}" for i in range(5)])
    assert groups[tested & elsewhere].eq("seen").all()
    assert groups[tested & ~elsewhere].eq("unseen").all()
