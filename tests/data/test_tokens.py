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
    names_no_target,
    parse_targets,
)
from txpert.graph._names import _read

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
     "negative control", "safe-targeting", "scrambled", "sgNT", "NT_2", "unperturbed", "NT-2",
     "NT2", "sgNT-1",
     "sgNT-3", "NTC2", "NTC-A", "NT_A", "negative_3", "intergenic_3", "ONE_SITE_1", "NO_SITE_1",
     "ONE_NON-GENE_SITE_12", "NegCtrl0_NegCtrl0", "non-targeting|non-targeting", "NT|NT",
     "NT || NT", "NegCtrl1_NT", "negative control|negative control", "p_INTERGENIC393453",
     "non-targeting_00089|non-targeting_00025", "10749_non-targeting_non-targeting"],
)  # fmt: skip
def test_names_of_controls_are_known_in_any_spelling(name):
    assert parse_targets(name) == ()
    assert parse_targets(f"KLF1+{name}") == ("KLF1",)


@pytest.mark.parametrize("name", ["NT5E", "NTN1", "NT-3", "CTL1", "WT1", "CTRC", "SAFB", "NAT1",
                                  "NTF3", "NTS", "NT3", "NTG1", "NTG2", "ntg1", "NEGR1",
                                  "Negative"])  # fmt: skip
def test_genes_that_look_like_controls_are_genes(name):
    assert not is_control_name(name)
    assert parse_targets(name) == (name,)


def test_no_symbol_is_a_control_or_names_no_target():
    symbols = _read()["symbol"]
    names = [case(name) for name in symbols for case in (str, str.lower, str.capitalize)]
    assert {name.upper() for name in names if is_control_name(name)} == {"CTRL"}
    assert not [name for name in names if names_no_target(name)]


@pytest.mark.parametrize(
    "label", ["NTG1+OGG1", "KLF1_+_12.23-P1P2", "KLF1_+_12.23-P1P2|KLF1_-_13.23-P1P2"]
)
def test_genes_and_strands_are_kept_in_labels(label):
    assert canonical_label(label) == label


def test_labels_of_flagged_controls_drop_out():
    assert drop_controls("AAVS1_AAVS1", {"AAVS1"}) == "control"
    assert drop_controls("AAVS1|NT", {"AAVS1"}) == "control"
    assert drop_controls("KLF1_AAVS1", {"AAVS1"}) == "KLF1_AAVS1"
    assert drop_controls("KLF1+AAVS1", {"AAVS1"}) == "KLF1"
    assert drop_controls("AAVS1", {"AAVS1"}) == "control"
    assert drop_controls("KLF1+BAK1", {"AAVS1"}) == "KLF1+BAK1"


@pytest.mark.parametrize("asked", ["nkx2-1", "NKX2.1", "NKX2_1"])
def test_another_spelling_is_suggested(asked):
    with pytest.raises(KeyError, match=r"Did you mean NKX2-1\?"):
        encode_targets([asked], pd.Index(["NKX2-2", "NKX2-1"]))
