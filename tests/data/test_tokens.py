import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpert.data._tokens import (
    canonical_label,
    drop_controls,
    encode_targets,
    is_control_name,
    is_missing_text,
    parse_targets,
)

GENES = st.text(
    st.characters(exclude_characters="+", exclude_categories=["Z", "C"]), min_size=1
).filter(lambda name: not is_missing_text(name))


@pytest.mark.parametrize(
    ("label", "targets"),
    [
        ("KLF1", ("KLF1",)),
        ("MAPK1+KLF1", ("KLF1", "MAPK1")),
        ("KLF1+ctrl", ("KLF1",)),
        ("ctrl+KLF1", ("KLF1",)),
        ("ctrl", ()),
        ("control", ()),
        ("A + B", ("A", "B")),
        ("A+A", ("A",)),
        ("C+A+B", ("A", "B", "C")),
    ],
)
def test_targets_of_labels(label, targets):
    assert parse_targets(label) == targets


@pytest.mark.parametrize(
    "label", ["", " ", "A+", "+A", "A++B", None, 3.0, "nan", "A+None", "<NA>+A"]
)
def test_malformed_labels_are_refused(label):
    with pytest.raises(ValueError, match="perturbation"):
        parse_targets(label)


@given(st.lists(GENES, min_size=1, max_size=4), st.randoms())
def test_order_of_targets_does_not_matter(targets, random):
    label = "+".join(targets)
    random.shuffle(targets)
    assert canonical_label("+".join(targets)) == canonical_label(label)
    assert canonical_label(canonical_label(label)) == canonical_label(label)


def test_encoding_pads_with_the_number_of_nodes():
    nodes = pd.Index(["A", "B", "C"])
    assert encode_targets(["B", "control", "C+A"], nodes).tolist() == [[1, 3], [3, 3], [0, 2]]


def test_unknown_target_is_named_with_a_suggestion():
    with pytest.raises(KeyError, match=r"'KFL1'.*Did you mean KLF1"):
        encode_targets(["KFL1"], pd.Index(["KLF1", "BAK1"]))


@pytest.mark.parametrize(
    "name",
    ["CTRL", "Control", "NT", "NTC", "NTg4", "non-targeting", "Non_Targeting_0012", "NegCtrl0",
     "negative control", "safe-targeting", "scrambled", "sgNT", "NT_2", "unperturbed"],
)  # fmt: skip
def test_names_of_controls_are_known_in_any_spelling(name):
    assert parse_targets(name) == ()
    assert parse_targets(f"KLF1+{name}") == ("KLF1",)


@pytest.mark.parametrize("name", ["NT5E", "NTN1", "NT-3", "CTL1", "WT1", "CTRC", "SAFB", "NAT1"])
def test_genes_that_look_like_controls_are_genes(name):
    assert not is_control_name(name)
    assert parse_targets(name) == (name,)


def test_labels_of_flagged_controls_drop_out():
    assert drop_controls("KLF1+AAVS1", {"AAVS1"}) == "KLF1"
    assert drop_controls("AAVS1", {"AAVS1"}) == "control"
    assert drop_controls("KLF1+BAK1", {"AAVS1"}) == "KLF1+BAK1"


@pytest.mark.parametrize("asked", ["nkx2-1", "NKX2.1", "NKX2_1"])
def test_another_spelling_is_suggested(asked):
    with pytest.raises(KeyError, match=r"Did you mean NKX2-1\?"):
        encode_targets([asked], pd.Index(["NKX2-2", "NKX2-1"]))
