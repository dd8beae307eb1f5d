import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpert.data._tokens import canonical_label, encode_targets, parse_targets

GENES = st.text(st.characters(exclude_characters="+", exclude_categories=["Z", "C"]), min_size=1)


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


@pytest.mark.parametrize("label", ["", " ", "A+", "+A", "A++B", None, 3.0])
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
