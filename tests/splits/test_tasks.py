import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpert.data._tokens import parse_targets
from txpert.splits._assignment import split_by_fold, split_by_target
from txpert.splits._cell_lines import split_cell_lines
from txpert.splits._combinations import split_combinations
from txpert.splits._draw import deal
from txpert.splits._groups import held_out_groups, seen_elsewhere
from txpert.splits._hash import split_hash

COMBINATIONS = st.lists(
    st.sets(st.integers(0, 11), min_size=2, max_size=3).map(
        lambda genes: "+".join(sorted(f"G{i}" for i in genes))
    ),
    min_size=1,
    max_size=25,
    unique=True,
)
SINGLES = [f"G{i}" for i in range(12)]


def frame(split, line="K"):
    rows = [(line, label, part) for label, part in split.items()]
    return pd.DataFrame(rows, columns=["cell_line", "perturbation", "split"])


def labels_in(split, part):
    return [label for label, name in split.items() if name == part]


def targets_in(split, part):
    return {target for label in labels_in(split, part) for target in parse_targets(label)}


def test_groups_of_a_hand_worked_screen():
    split = {
        "A": "train",
        "B": "train",
        "C": "test",
        "D": "val",
        "A+B": "test",
        "A+C": "test",
        "C+D": "test",
        "A+D": "val",
        "A+E": "train",
        "B+E": "test",
        "A+B+C": "test",
        "A+B+E+F": None,
    }
    groups = dict(zip(split, held_out_groups(frame(split)), strict=True))
    assert groups == {
        "A": None,
        "B": None,
        "C": "unseen_single",
        "D": "unseen_single",
        "A+B": "seen_2",
        "A+C": "seen_1",
        "C+D": "seen_0",
        "A+D": "seen_1",
        "A+E": None,
        "B+E": "seen_1",  # E is trained on in company only, never as a single
        "A+B+C": "seen_2_of_3",
        "A+B+E+F": None,
    }


@given(combinations=COMBINATIONS, seed=st.integers(0, 99))
def test_combinations_never_leak_a_held_out_single(combinations, seed):
    try:
        split = split_combinations([*SINGLES, *combinations], seed=seed)
    except ValueError as error:
        assert "none of the" in str(error)  # noqa: PT017
        return
    held_out = {label for label in SINGLES if split[label] != "train"}
    assert not targets_in(split, "train") & held_out
    assert not targets_in(split, "val") & {label for label in SINGLES if split[label] == "test"}
    assert set(split) == {*SINGLES, *combinations}
    groups = dict(zip(split, held_out_groups(frame(split)), strict=True))
    for label in combinations:
        seen = sum(split[target] == "train" for target in parse_targets(label))
        n = len(parse_targets(label))
        expected = f"seen_{seen}" if n == 2 else f"seen_{seen}_of_{n}"
        assert groups[label] == (None if split[label] == "train" else expected)
        if seen < n:
            assert split[label] != "train"


def test_all_pairs_fill_every_group_in_the_shares_asked_for():
    genes = [f"G{i:02d}" for i in range(40)]
    pairs = [f"{a}+{b}" for i, a in enumerate(genes) for b in genes[i + 1 :]]
    split = split_combinations([*genes, *pairs], seed=1)
    assert [sum(split[g] == part for g in genes) for part in ("train", "val", "test")] == [
        22,
        8,
        10,
    ]
    kept = [p for p in pairs if all(split[t] == "train" for t in parse_targets(p))]
    assert len(kept) == 22 * 21 // 2
    assert sum(split[p] == "test" for p in kept) == round(231 * 0.25)
    assert sum(split[p] == "val" for p in kept) == round(231 * 0.1875)
    groups = pd.Series(held_out_groups(frame(split)), index=list(split))
    tested = groups[[split[label] == "test" for label in groups.index]]
    # Doubles with a test gene: 10 · 9 / 2 within and 10 · 8 with validation have seen none.
    assert tested.value_counts().to_dict() == {
        "seen_1": 10 * 22,
        "seen_0": 45 + 80,
        "seen_2": 58,
        "unseen_single": 10,
    }


def test_combinations_are_refused_where_there_are_none():
    with pytest.raises(ValueError, match="None of the 12 perturbations is a combination"):
        split_combinations([*SINGLES, "control", "G1+ctrl"][:13])
    with pytest.raises(ValueError, match=r"none of the 1 combinations is in test\. Take another"):
        split_combinations(["A", "B", "C", "D", "A+B"], fractions=(1.0, 0.0, 0.0))


@given(
    combinations=COMBINATIONS,
    n_folds=st.integers(2, 5),
    seed=st.integers(0, 20),
    val_fraction=st.sampled_from([0.0, 0.25, 0.5]),
    stratified=st.booleans(),
)
def test_folds_partition_and_never_leak(combinations, n_folds, seed, val_fraction, stratified):
    labels = [*SINGLES, *combinations]
    values = {label: float(i % 7) for i, label in enumerate(labels)} if stratified else None
    tested = []
    for fold in range(n_folds):
        split = split_by_fold(
            labels, fold, n_folds, val_fraction=val_fraction, seed=seed, values=values
        )
        held_out = set(SINGLES) & set(labels_in(split, "test"))
        assert len(held_out) in {12 // n_folds, -(-12 // n_folds)}
        assert not (targets_in(split, "train") | targets_in(split, "val")) & held_out
        assert not targets_in(split, "train") & set(labels_in(split, "val")) & set(SINGLES)
        assert labels_in(split, "train")
        assert bool(labels_in(split, "val")) == (val_fraction > 0)
        tested += labels_in(split, "test")
    assert sorted(tested) == sorted(labels)


@pytest.mark.parametrize(
    ("fold", "n_folds", "message"),
    [
        (3, 3, "no fold 3 of 3"),
        (-1, 3, "no fold -1 of 3"),
        (0, 1, "no fold 0 of 1"),
        (0, 13, "12 perturbed genes are too few for 13 folds"),
    ],
)
def test_folds_that_cannot_be(fold, n_folds, message):
    with pytest.raises(ValueError, match=message):
        split_by_fold(SINGLES, fold, n_folds)
    with pytest.raises(ValueError, match="val_fraction must be"):
        split_by_fold(SINGLES, 0, 3, val_fraction=1.0)


def test_two_folds_of_two_genes_leave_nothing_to_validate_on():
    assert split_by_fold(["A", "B"], 0, 2, val_fraction=0.0)
    with pytest.raises(ValueError, match="2 perturbed genes are too few for 2 folds"):
        split_by_fold(["A", "B"], 0, 2)


@pytest.fixture
def lines():
    shared = [("K", f"G{i}") for i in range(8)] + [("R", f"G{i}") for i in range(2, 10)]
    return pd.DataFrame(
        [*shared, ("T", "G0"), ("T", "G5"), ("T", "NEW")], columns=["cell_line", "perturbation"]
    )


def test_a_cell_line_is_left_out_whole(lines):
    lines["split"] = split_cell_lines(lines, "T", seed=3)
    test = lines["cell_line"] == "T"
    assert (lines.loc[test, "split"] == "test").all()
    assert set(lines.loc[~test, "split"]) == {"train", "val"}
    others = lines[~test]
    assert (others.groupby("perturbation")["split"].nunique() == 1).all()
    assert others.drop_duplicates("perturbation")["split"].value_counts()["val"] == round(10 / 4)
    trained = set(others.loc[others["split"] == "train", "perturbation"])
    expected = ["seen" if g in trained else "unseen" for g in ("G0", "G5", "NEW")]
    assert seen_elsewhere(lines)[-3:] == expected
    assert expected[-1] == "unseen"


def test_a_validation_line_leaves_all_other_perturbations_for_training(lines):
    lines["split"] = split_cell_lines(lines, "T", val_cell_line="R")
    assert dict(zip(lines["cell_line"], lines["split"], strict=True)) == {
        "K": "train",
        "R": "val",
        "T": "test",
    }
    groups = pd.Series(seen_elsewhere(lines), index=lines["cell_line"])
    assert groups["T"].tolist() == ["seen", "seen", "unseen"]
    assert groups["R"].tolist() == ["seen"] * 6 + ["unseen"] * 2
    assert groups["K"].isna().all()


@pytest.mark.parametrize(
    ("test", "val", "message"),
    [
        ("X", None, r"test_cell_line='X' is no cell line .*K, R, T"),
        ("T", "X", "val_cell_line='X'"),
        ("T", "T", "cannot be the cell line of validation and of test"),
    ],
)
def test_lines_that_cannot_be(lines, test, val, message):
    with pytest.raises(ValueError, match=message):
        split_cell_lines(lines, test, val_cell_line=val)


def test_a_line_is_needed_to_train_on(lines):
    one = lines[lines["cell_line"] == "K"]
    with pytest.raises(ValueError, match=r"No cell line is left .* besides K; there are K"):
        split_cell_lines(one, "K")
    two = lines[lines["cell_line"] != "R"]
    with pytest.raises(ValueError, match="besides T and K"):
        split_cell_lines(two, "T", val_cell_line="K")


def test_deals_spread_values_over_every_part():
    names = [f"G{i}" for i in range(100)]
    values = {name: float(i) for i, name in enumerate(names)}
    parts = deal(names, [25, 19, 56], np.random.default_rng(0), values)
    assert [len(part) for part in parts] == [25, 19, 56]
    assert set().union(*parts) == set(names)
    for part in parts:
        per_quarter = np.bincount([int(values[name] // 25) for name in part])
        assert np.ptp(per_quarter) <= 3
    others = deal(names, [25, 19, 56], np.random.default_rng(1), values)
    assert parts != others
    assert deal(names, [100, 0], np.random.default_rng(1), values) == [set(names), set()]
    assert deal([], [0, 0], np.random.default_rng(1), {}) == [set(), set()]


def test_strata_balance_the_splits():
    rng = np.random.default_rng(0)
    values = {f"G{i}": float(v) for i, v in enumerate(rng.lognormal(sigma=1.5, size=60))}

    def imbalance(seed, given):
        split = split_by_target(values, seed=seed, values=given)
        means = [
            np.mean([np.log(values[x]) for x in labels_in(split, p)])
            for p in ("train", "val", "test")
        ]
        return np.ptp(means)

    plain = np.mean([imbalance(seed, None) for seed in range(30)])
    strata = np.mean([imbalance(seed, values) for seed in range(30)])
    assert strata < plain / 2


def test_strata_keep_the_sizes_and_the_promise():
    labels = [*SINGLES, "G1+G2", "G2+NEW"]
    values = {label: float(len(label)) for label in labels}
    plain, strata = split_by_target(labels), split_by_target(labels, values=values)
    for part in ("val", "test"):
        assert len(targets_in(strata, part) & set(SINGLES)) <= len(targets_in(plain, part)) + 1
    held_out = {label for label in SINGLES if strata[label] != "train"}
    assert not targets_in(strata, "train") & held_out


@given(
    parts=st.lists(st.sampled_from(["train", "val", "test", None]), min_size=4, max_size=4),
    other=st.lists(st.sampled_from(["train", "val", "test", None]), min_size=4, max_size=4),
)
def test_hash_changes_if_and_only_if_the_split_does(parts, other):
    table = pd.DataFrame({"cell_line": list("KKRR"), "perturbation": list("ABAB")})
    one, two = table.assign(split=parts), table.assign(split=other)
    assert (split_hash(one) == split_hash(two)) == (parts == other)
    shuffled = pd.concat([one, one]).sample(frac=1, random_state=0)
    assert split_hash(shuffled) == split_hash(one)
    assert split_hash(one.assign(split=pd.Categorical(parts))) == split_hash(one)
    assert split_hash(one.assign(cell_line="K")) != split_hash(one)
