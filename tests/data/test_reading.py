import warnings
from pathlib import Path

import anndata as ad
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpert.data._label_warnings import warn_of_labels
from txpert.data._reading import read_labels
from txpert.data._tokens import canonical_label

GENES = ["JAK2", "STAT1", "MYC", "KLF1", "HLA-A", "NKX2-1", "H1.0", "MT-CO1", "RP11-34P13.7",
         "NT5E", "TNFSF12", "TNFSF13", "TNFSF12-TNFSF13", "RARS"]  # fmt: skip
DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("label", "genes", "kind"),
    [
        ("JAK2_STAT1", ("JAK2", "STAT1"), "separator"),
        ("JAK2__STAT1", ("JAK2", "STAT1"), "separator"),
        ("JAK2 || STAT1", ("JAK2", "STAT1"), "separator"),
        ("JAK2|STAT1", ("JAK2", "STAT1"), "separator"),
        ("JAK2&STAT1", ("JAK2", "STAT1"), "separator"),
        ("JAK2, STAT1", ("JAK2", "STAT1"), "separator"),
        ("JAK2;STAT1/MYC", ("JAK2", "MYC", "STAT1"), "separator"),
        ("JAK2 and STAT1", ("JAK2", "STAT1"), "separator"),
        ("KLF1_NT", ("KLF1",), "separator"),
        ("KLF1_ctrl", ("KLF1",), "separator"),
        ("HLA-A_JAK2", ("HLA-A", "JAK2"), "separator"),
        ("SOX2_POU5F1", ("POU5F1", "SOX2"), "separator"),
        ("JAK2_1", ("JAK2",), "guide"),
        ("JAK2-2", ("JAK2",), "guide"),
        ("JAK2.3", ("JAK2",), "guide"),
        ("JAK2g4", ("JAK2",), "guide"),
        ("JAK2_sg1", ("JAK2",), "guide"),
        ("sgJAK2-2", ("JAK2",), "guide"),
        ("sgNKX2-1_2", ("NKX2-1",), "guide"),
        ("JAK2_P1P2", ("JAK2",), "guide"),
        ("JAK2_+_27022895.23-P1P2", ("JAK2",), "guide"),
        ("JAK2_GATTACAGATTACAGATTA", ("JAK2",), "guide"),
        ("JAK2_1_STAT1_2", ("JAK2", "STAT1"), "separator"),
        ("jak2", ("JAK2",), "spelling"),
        ("NKX2.1", ("NKX2-1",), "spelling"),
        ("RARS1", ("RARS",), "alias"),
        ("ENSG00000115415.12", ("STAT1",), "alias"),
    ],
)
def test_labels_that_stand_for_genes(label, genes, kind):
    canonical = canonical_label(label)
    reading = read_labels(["JAK2", "STAT1", "KLF1", "MYC", canonical], GENES)
    assert reading.genes[canonical] == genes
    assert reading.kinds[canonical] == kind


@pytest.mark.parametrize(
    "label",
    [*GENES, "HLA-B", "NKX2-2", "H1-2", "MT-ND1", "RP11-1.2", "DUR1,2", "MF(ALPHA)2", "YRF1-7",
     "BRAF_V600E", "P_1", "gene_1", "AND1", "JAK2+STAT1", "KRTAP17-1", "AC004148.1"],
)  # fmt: skip
def test_names_of_genes_are_left_alone(label):
    reading = read_labels(["JAK2", "STAT1", label], GENES)
    assert label not in reading.kinds
    assert reading.label(label) == canonical_label(label)


def test_two_genes_that_are_measured_are_two():
    reading = read_labels(["Dl", "dl"], ["Dl", "dl"])
    assert not reading.kinds


NAMES = st.sampled_from(["JAK2", "STAT1", "MYC", "KLF1", "HLA-A", "NKX2-1"])


@given(
    st.lists(NAMES, min_size=2, max_size=3, unique=True),
    st.sampled_from(["_", "|", "&", ",", ";", "/"]),
)
def test_any_combination_is_found_with_any_separator(names, sign):
    label = sign.join(names)
    assert read_labels(["JAK2", label], GENES).genes[label] == tuple(sorted(names))


@given(
    NAMES, st.sampled_from(["{}_{}", "sg{}_{}", "{}_g{}", "{}_sg{}", "{} {}"]), st.integers(0, 99)
)
def test_any_guide_is_found(name, form, number):
    label = form.format(name, number)
    assert read_labels([label], GENES).genes[label] == (name,)


@given(st.lists(st.text(st.characters(categories=["L", "N", "P"]), min_size=1), max_size=4))
def test_any_text_is_read(names):
    labels = []
    for name in names:
        try:
            labels.append(canonical_label(name))
        except ValueError:
            continue
    reading = read_labels(labels, GENES)
    assert set(reading.genes) == set(labels)
    for label in labels:
        assert canonical_label(reading.label(label)) == reading.label(label)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["JAK2", "JAK2_STAT1"], r"1 perturbations look like combinations.*'JAK2_STAT1' \(JAK2\+"),
        (["MYC_1", "MYC_2"], r"2 perturbations look like guides: 'MYC_1' \(MYC\).*harmonize"),
        (["jak2", "JAK2"], "differ from others by case, spaces or punctuation only: 'jak2'"),
        (["MLL", "KMT2A"], r"other names of genes that are perturbed, too: 'MLL' \(KMT2A\)"),
        (["1", "2"], "2 perturbations are numbers: '1', '2'.*Entrez"),
        (["RARS1"], "1 of 1 targets are no var_names.*'RARS1' is 'RARS'"),
    ],
)
def test_each_kind_is_warned_of_with_the_remedy(labels, message):
    with pytest.warns(UserWarning, match=message):
        warn_of_labels(pd.Index(labels), pd.Index(GENES))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["ENSG00000096968", "ENSG00000115415"], "'JAK2' is 'ENSG00000096968'.*map_genes"),
        (["ENSG00000096968.12"], "1 of 2 targets.*'JAK2' is 'ENSG00000096968.12'"),
        (["jak2", "stat1"], "'JAK2' is 'jak2'.*harmonize_labels"),
        (["JAK2 ", "STAT1 "], "2 of 2 targets.*'JAK2' is 'JAK2 '"),
    ],
)
def test_targets_and_var_names_that_do_not_meet_are_told(names, message):
    with pytest.warns(UserWarning, match=message):
        warn_of_labels(pd.Index(["JAK2", "STAT1"]), pd.Index(names))


@pytest.mark.parametrize("file", ["papalexi", "norman_mcfaline", "replogle_up", "yeast_tf"])
def test_no_false_alarm_in_real_screens(file):
    path = DATA / f"{file}.h5ad"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    adata = ad.read_h5ad(path, backed="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_labels(
            pd.Index(adata.obs["perturbation"].astype(str).map(canonical_label).unique()),
            adata.var_names.astype(str),
        )
