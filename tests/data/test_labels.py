import re
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.data import ConditionTable
from txpert.data._labels import read_flags, read_names
from txpert.data._screen import Screen

KEYS = {n: n for n in ("perturbation", "control", "batch", "cell_line")}


def relabel(adata, names):
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["perturbation"] = labels.replace(names).astype(object)
    return adata


def screen_of(adata):
    return Screen.from_columns(
        adata.X, adata.var_names, {name: adata.obs[key] for name, key in KEYS.items()}
    )


@pytest.mark.parametrize("column", ["perturbation", "batch", "cell_line"])
@pytest.mark.parametrize("text", ["nan", "NaN", "None", "<NA>", "NA"])
def test_missing_values_as_text_are_refused(adata, column, text):
    values = adata.obs[column].astype(object)
    where = ~adata.obs["control"] & (np.arange(adata.n_obs) % 7 == 0)
    adata.obs[column] = values.where(~where, text)
    with pytest.raises(ValueError, match=rf"'{column}' has the text '{text}'.*{where.sum()}"):
        screen_of(adata)


@pytest.mark.parametrize("control", ["non-targeting", "NT", "CTRL", "AAVS1"])
def test_labels_of_controls_mean_no_target_in_combinations(adata, control):
    label = f"GENE11+{control}"
    screen = screen_of(relabel(adata, {"control": control, "GENE11": label}))
    assert "GENE11" in screen.perturbation.categories
    assert control in screen.control_labels
    assert not any("+" in name for name in screen.perturbation.categories)


@pytest.mark.parametrize("label", ["NT", "Non-Targeting", "negative control", "ctrl"])
def test_unflagged_controls_are_refused_by_name(adata, label):
    with pytest.raises(ValueError, match=f"'{label}', which means control.*= True"):
        screen_of(relabel(adata, {"GENE11": label}))


@pytest.mark.parametrize(
    "label",
    ["unassigned", "*", "no guide", "no-sgRNA", "multiple", "multi", "low_quality", "2+ guides",
     "multiplet", "Negative", "negative"],
)  # fmt: skip
def test_labels_without_a_target_are_refused(adata, label):
    with pytest.raises(ValueError, match=f"{re.escape(repr(label))}, which names no target") as e:
        screen_of(relabel(adata, {"GENE11": label}))
    assert ("flag them if they are controls" in str(e.value)) == (label.lower() == "negative")
    relabel(adata, {label: "GENE11"})
    assert label in screen_of(relabel(adata, {"control": label})).control_labels


@pytest.mark.parametrize("values", [[""], [np.nan], ["", np.nan], [" "]])
def test_the_cells_without_a_label_can_be_dropped_as_the_message_says(adata, values):
    labels = adata.obs["perturbation"].astype(object)
    gene = np.flatnonzero(labels == "GENE11")
    for i, value in enumerate(values):
        labels.iloc[gene[i]] = value
    adata.obs["perturbation"] = labels
    with pytest.raises(ValueError, match="is NaN or empty") as error:
        screen_of(adata)
    code = str(error.value).partition("drop the cells: ")[2]
    held = {"adata": adata}
    exec(code, held)
    assert held["adata"].n_obs == adata.n_obs - len(values)
    screen_of(held["adata"])


@pytest.mark.parametrize("label", ["multiplet", ""])
def test_the_remedy_for_data_on_disk_copies_them_to_a_file(adata, label, tmp_path, monkeypatch):
    relabel(adata, {"GENE11": label}).write_h5ad(tmp_path / "screen.h5ad")
    backed = ad.read_h5ad(tmp_path / "screen.h5ad", backed="r")
    with pytest.raises(ValueError, match=r"copy\('kept.h5ad'\)") as error:
        tx.TxPertModel.setup_anndata(backed)
    monkeypatch.chdir(tmp_path)
    held = {"adata": backed}
    exec(str(error.value)[str(error.value).index("adata = adata[") :], held)
    tx.TxPertModel.setup_anndata(held["adata"])


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        ({"control": "non-targeting"}, "== 'non-targeting'"),
        ({"control": "non-targeting", "GENE11": "NT-2"}, r".isin\(\['NT-2', 'non-targeting'\]\)"),
        ({"control": "mock"}, "== <label of controls>"),
    ],
)
def test_flags_are_remade_by_the_labels_that_are_there(adata, labels, code):
    adata.obs["control"] = np.where(adata.obs["control"], "yes", "no")
    with pytest.raises(ValueError, match=rf"Fix it by adata.obs\['control'\] = .*{code}"):
        screen_of(relabel(adata, labels))


def test_control_pairs_are_controls_with_a_label_and_with_a_flag(adata):
    relabel(adata, {"control": "NegCtrl0_NegCtrl0", "GENE11": "NegCtrl1_NegCtrl0"})
    with pytest.raises(ValueError, match="'NegCtrl1_NegCtrl0', which means control"):
        screen_of(adata)
    adata.obs.loc[adata.obs["perturbation"] == "NegCtrl1_NegCtrl0", "control"] = True
    assert "GENE11" not in screen_of(adata).perturbation.categories


def test_guides_of_a_flagged_control_are_warned_of(adata):
    relabel(adata, {"control": "mock", "GENE11": "mock-A"})
    with pytest.warns(UserWarning, match="begin with the label of a control: 'mock-A'"):
        tx.pp.pseudobulk(adata)
    tx.pp.harmonize_labels(adata, controls="mock-A")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        tx.pp.pseudobulk(adata)


@pytest.mark.parametrize("column", ["perturbation", "batch", "cell_line"])
def test_numbers_and_their_text_are_one_name(adata, column):
    values = adata.obs[column].astype(object)
    chosen = (values == values[~adata.obs["control"]].iloc[0]).to_numpy()
    if column != "perturbation":
        chosen = np.ones(adata.n_obs, dtype=bool)
    even = np.arange(adata.n_obs) % 2 == 0
    values[chosen & even], values[chosen & ~even] = 1, "1"
    adata.obs[column] = values
    screen = screen_of(adata)
    assert "1" in getattr(screen, column).categories


def test_a_float_counts_as_the_integer_beside_it():
    column = pd.Series([1.0, "1", 2.0, "x"], dtype=object, name="batch")
    assert list(read_names(column)) == ["1", "1", "2.0", "x"]


def test_a_column_that_occurs_twice_is_refused(adata):
    twice = pd.concat([adata.obs[["batch"]], adata.obs[["batch"]]], axis=1)["batch"]
    with pytest.raises(ValueError, match=r"'batch' occurs 2 times.*duplicated\(\)"):
        read_names(twice)


@pytest.mark.parametrize(
    "stored",
    [
        lambda flag: flag,
        lambda flag: flag.astype(str),
        lambda flag: flag.astype(int),
        lambda flag: flag.astype(float),
        lambda flag: flag.astype("category"),
        lambda flag: flag.astype("boolean"),
        lambda flag: flag.map({True: "TRUE", False: "false"}).astype("category"),
    ],
)
def test_flags_with_a_clear_meaning_are_read(stored):
    flag = pd.Series([True, False, False, True], name="control")
    assert read_flags(stored(flag), "…").tolist() == flag.tolist()


@pytest.mark.parametrize(
    "values", [["yes", "no"], [1.0, np.nan], [2, 0], [None, True], ["", "True"], ["t", "f"]]
)
def test_flags_without_a_clear_meaning_are_refused(values):
    with pytest.raises(ValueError, match="must be True or False for every cell"):
        read_flags(pd.Series(values, name="control"), "…")


@pytest.fixture
def mean(adata):
    return tx.baselines.MeanBaseline(tx.pp.pseudobulk(relabel(adata, {"control": "AAVS1"})))


def test_a_prediction_for_a_label_of_controls_is_no_change(mean):
    for label in ("AAVS1", "non-targeting", "NT+AAVS1"):
        assert not mean.predict(label).layers["delta"].any()
    alone, beside = mean.predict("GENE11"), mean.predict("GENE11+AAVS1")
    np.testing.assert_array_equal(alone.X, beside.X)
    assert set(beside.obs["perturbation"]) == {"GENE11"}


def test_labels_of_controls_are_kept_with_profiles(mean):
    state = mean.control_profiles.to_dict()
    assert type(mean.control_profiles).from_dict(state).labels == mean.control_profiles.labels


@pytest.mark.parametrize(
    "stored", [lambda f: f.astype(str), lambda f: f.astype("category"), lambda f: f.astype(int)]
)
def test_controls_of_a_user_are_read_as_in_setup(adata, mean, stored):
    cells = adata.copy()
    flag = cells.obs["control"].copy()
    cells.obs["control"] = stored(flag)
    own = cells[flag.to_numpy()].copy()
    np.testing.assert_allclose(
        mean.predict("GENE11", controls=own).X, mean.predict("GENE11").X, atol=1e-6
    )
    with pytest.raises(ValueError, match="control cells only"):
        mean.predict("GENE11", controls=cells)


def gaps(cells):
    cells.obs["control"] = np.where(np.arange(cells.n_obs) > 2, 1.0, np.nan)


def no_batch(cells):
    cells.obs["batch"] = cells.obs["batch"].astype(object)
    cells.obs.iloc[3, cells.obs.columns.get_loc("batch")] = "nan"


def repeated(cells):
    cells.var_names = [cells.var_names[0], *cells.var_names[:-1]]


def broken(cells):
    cells.X = cells.X.toarray()
    cells.X[5, 2] = np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (gaps, "must be True or False"),
        (no_batch, "'batch' has the text 'nan'"),
        (repeated, "of the control cells occurs more than once"),
        (broken, "NaN or infinite"),
    ],
)
def test_unusable_controls_of_a_user_are_refused(adata, mean, change, message):
    own = adata[adata.obs["control"].to_numpy()].copy()
    change(own)
    with pytest.raises(ValueError, match=message):
        mean.predict("GENE11", controls=own)


@pytest.mark.parametrize("name", ["perturbation", "batch", "cell_line", "control", "split"])
def test_an_index_may_have_the_name_of_a_column(adata, mean, name, capsys):
    adata.obs.index.name = name
    tx.pp.split(adata)
    assert not len(tx.pp.check_split(adata))
    table = tx.pp.pseudobulk(adata)
    table.obs.index.name = name
    ConditionTable.from_anndata(table).over_batches()
    mean.predict("GENE11", controls=adata[adata.obs["control"].to_numpy()].copy())


def test_a_batch_may_be_asked_for_by_number(adata):
    adata.obs["batch"] = adata.obs["batch"].astype("category").cat.codes
    mean = tx.baselines.MeanBaseline(tx.pp.pseudobulk(adata))
    assert set(mean.predict("GENE11", batch=1).obs["batch"]) == {"1"}
    with pytest.raises(KeyError, match="no controls of batch '9'"):
        mean.predict("GENE11", batch=9)


def test_a_table_without_the_controls_of_a_context_is_refused(adata):
    table = tx.pp.pseudobulk(adata)
    batch = str(table.obs["batch"].iloc[0])
    lost = table.obs["control"].to_numpy() & (table.obs["batch"] == batch).to_numpy()
    with pytest.raises(ValueError, match=f"no control row for 1 of its contexts.*{batch}"):
        ConditionTable.from_anndata(table[~lost].copy())
    with pytest.raises(ValueError, match="no control row"):
        ConditionTable.from_anndata(table[~table.obs["control"].to_numpy()].copy())
    doubled = table[[0, *range(table.n_obs), *np.flatnonzero(lost)]].copy()
    with pytest.raises(ValueError, match="several control rows"):
        ConditionTable.from_anndata(doubled)


def test_a_flag_that_became_text_in_a_file_is_read(adata):
    table = tx.pp.pseudobulk(adata)
    as_text = table.copy()
    as_text.obs["control"] = as_text.obs["control"].astype(str)
    np.testing.assert_array_equal(
        ConditionTable.from_anndata(as_text).delta, ConditionTable.from_anndata(table).delta
    )


@pytest.mark.parametrize("label", ["AAVS1", "sgAAVS1-2", "EGFP_1"])
def test_unflagged_cells_of_a_safe_locus_are_warned_of_by_name(adata, label):
    old = adata.obs["perturbation"].astype(str)
    gene = old[~adata.obs["control"]].iloc[0]
    adata.obs["perturbation"] = old.replace({gene: label})
    with pytest.warns(UserWarning, match=f"screens use as a control.*'{label}'.*controls="):
        tx.pp.pseudobulk(adata)
    tx.pp.harmonize_labels(adata, controls=label)
    assert adata.obs.loc[old == gene, "control"].all()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        tx.pp.pseudobulk(adata)
