import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import txpert as tx
from txpert.data._label_warnings import warn_of_labels
from txpert.data._reading import read_labels
from txpert.data._tokens import canonical_label, is_control_name, plain_name
from txpert.graph._names import _read

GENES = ["JAK2", "STAT1", "MYC", "KLF1", "HLA-A", "NKX2-1", "H1.0", "MT-CO1", "RP11-34P13.7",
         "NT5E", "TNFSF12", "TNFSF13", "TNFSF12-TNFSF13", "RARS"]  # fmt: skip


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
        ("JAK2_+_27.23-P1P2|JAK2_-_28.23-P1P2", ("JAK2",), "guide"),
        ("JAK2_-_27.23-ENST00000381652.4", ("JAK2",), "guide"),
        ("p_sgJAK2_3", ("JAK2",), "guide"),
        ("JAK2_A", ("JAK2",), "guide"),
        ("JAK2_b", ("JAK2",), "guide"),
        ("JAK2-gRNA1", ("JAK2",), "guide"),
        ("JAK2_guide_2", ("JAK2",), "guide"),
        ("SPI1_pDS255", ("SPI1",), "guide"),
        ("10005_ZBTB4_P1_ENSG00000174282", ("ZBTB4",), "guide"),
        ("10005_ZBTB4_P1P2_ENSG00000999999", ("ZBTB4",), "guide"),
        ("3_AHR_P1P2_ENSG00000000003", ("AHR",), "guide"),
        ("8_AARS_P1P2_ENSG00000090861", ("AARS",), "guide"),
        ("HLA-A_+_29910000.23-P1P2", ("HLA-A",), "guide"),
        ("tubg1_2", ("TUBG1",), "guide"),
        ("JAK2_ENSG00000115415", ("JAK2", "STAT1"), "separator"),
        ("JAK2_1_STAT1_2", ("JAK2", "STAT1"), "separator"),
        ("jak2", ("JAK2",), "spelling"),
        ("NKX2.1", ("NKX2-1",), "spelling"),
        ("NKX2_1", ("NKX2-1",), "spelling"),
        ("MLL_1", ("MLL",), "guide"),
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
     "BRAF_V600E", "EGFR_MUT", "Arg1", "Tubg1", "tubg1", "C4B_2", "c4b_2", "NT-3",
     "P_1", "gene_1", "AND1", "JAK2+STAT1", "KRTAP17-1", "AC004148.1"],
)  # fmt: skip
def test_names_of_genes_are_left_alone(label):
    reading = read_labels(["JAK2", "STAT1", label], GENES)
    assert label not in reading.kinds
    assert reading.label(label) == canonical_label(label)


SYMBOLS = sorted(_read()["symbol"])


@pytest.mark.parametrize("case", [str, str.lower, str.capitalize])
@pytest.mark.parametrize("measured", [[], SYMBOLS[::2], [name.lower() for name in SYMBOLS[::2]]])
def test_no_symbol_is_read_as_another_gene(case, measured):
    labels = [case(name) for name in SYMBOLS]
    reading = read_labels([label for label in labels if not is_control_name(label)], measured)
    wrong = {
        label: genes
        for label, genes in reading.genes.items()
        if [plain_name(gene) for gene in genes] != [plain_name(label)]
    }
    assert not wrong
    assert not {label for label, kind in reading.kinds.items() if kind != "spelling"}


@pytest.mark.parametrize(
    ("labels", "genes"),
    [
        (["Arg1", "Tubg1", "Stat1", "Klf1"], ["Ar", "Tub", "Klf1", "Stat1", "Myc"]),
        (["tubg1", "klf1", "ahr"], ["TUB", "KLF1", "AHR"]),
        (["elk3", "slit2"], ["JAK2", "NET", "ELK4"]),
    ],
)
def test_a_gene_is_not_named_by_the_beginning_of_its_symbol(labels, genes):
    reading = read_labels(labels, genes)
    for label in labels:
        assert reading.label(label).casefold() == label.casefold()


def test_guides_of_mouse_genes_keep_their_case():
    reading = read_labels(["Arg1_1", "sgArg1-2", "Stat1g3"], ["Ar", "Stat1", "Klf1"])
    assert [reading.label(label) for label in reading.genes] == ["Arg1", "Arg1", "Stat1"]


def test_a_label_of_which_a_part_is_not_understood_is_not_rewritten():
    reading = read_labels(["JAK2_1+FOO_BAR", "JAK2"], GENES)
    assert not reading.kinds
    assert reading.genes["JAK2_1+FOO_BAR"] == ("FOO_BAR", "JAK2")


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
        (["MYC_xx1", "MYC_xx2"], r"not understood.*'MYC_xx1' \(MYC\).*harmonize_labels"),
        (["BRAF", "BRAF_V600E"], r"1 perturbations are not understood.*'BRAF_V600E' \(BRAF\)"),
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


def test_the_same_is_said_once_of_the_same_data():
    genes = pd.Index(GENES)
    with pytest.warns(UserWarning, match="look like guides"):
        warn_of_labels(pd.Index(["MYC_1"]), genes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_labels(pd.Index(["MYC_1"]), genes)
    with pytest.warns(UserWarning, match="look like guides"):
        warn_of_labels(pd.Index(["MYC_2"]), genes)
    with pytest.warns(UserWarning, match="look like guides"):
        warn_of_labels(pd.Index(["MYC_2"]), pd.Index(GENES))


@pytest.mark.parametrize("label", ["MyControl-A", "mycontrol_2", "MyControl7", "sgMyControl_1"])
def test_labels_that_begin_with_that_of_a_flagged_control_are_told(label):
    with pytest.warns(
        UserWarning, match=f"begin with the label of a control: '{label}'.*controls="
    ):
        warn_of_labels(pd.Index(["JAK2", label]), pd.Index(GENES), ["MyControl"])


def test_neurotrophins_beside_a_control_called_nt_are_told_and_genes_are_not():
    with pytest.warns(UserWarning, match="begin with the label of a control: 'NT-3'") as found:
        warn_of_labels(pd.Index(["NT5E", "NTN1", "NT-3", "NTF3"]), pd.Index(GENES), ["NT"])
    assert "NTN1" not in str(found[0].message)


def test_the_fix_of_var_names_loses_no_gene():
    ids = ["ENSG00000096968", "ENSG00000115415", "ENSG00000251562"]
    var = pd.DataFrame({"n": [1, 2, 3], "gene_name": ["JAK2", "STAT1", "MALAT1"]}, index=ids)
    targets = pd.Index(["JAK2", "STAT1", "MALAT1"])
    for columns in (var, var[["n"]], None):
        with pytest.warns(UserWarning, match="To fix it") as found:
            warn_of_labels(targets, pd.Index(ids), var=columns)
        code = str(found[0].message).partition("To fix it: ")[2].rpartition(" stay: ")[2]
        adata = ad.AnnData(np.ones((1, 3)), var=var.copy())
        exec(code, {"adata": adata, "tx": tx})
        third = "MALAT1" if columns is var else ids[2]
        assert adata.var_names.tolist() == ["JAK2", "STAT1", third]


def test_var_names_that_are_numbers_are_told():
    var = pd.DataFrame({"symbol": ["JAK2", "STAT1"]}, index=["0", "1"])
    with pytest.warns(UserWarning, match=r"var_names are numbers, such as '0'.*var\['symbol'\]"):
        warn_of_labels(pd.Index(["JAK2", "STAT1"]), var.index, var=var)
    with pytest.warns(UserWarning, match="var_names are numbers.*Entrez ids"):
        warn_of_labels(pd.Index(["JAK2", "STAT1"]), pd.Index(["0", "1"]))


@pytest.mark.parametrize("file", ["papalexi", "norman_mcfaline", "replogle_up", "yeast_tf"])
def test_no_false_alarm_in_real_screens(shared, file):
    adata = ad.read_h5ad(shared(f"{file}.h5ad"), backed="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_labels(
            pd.Index(adata.obs["perturbation"].astype(str).map(canonical_label).unique()),
            adata.var_names.astype(str),
        )
