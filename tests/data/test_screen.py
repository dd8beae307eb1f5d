import numpy as np
import pandas as pd
import pytest

from txpert.data import ObsKeys
from txpert.data._screen import Screen

KEYS = ObsKeys()


def test_labels_become_canonical(adata, add_doubles):
    first, second = [p for p in adata.obs["perturbation"].unique() if p != "control"][:2]
    adata.obs["split"] = None
    screen = Screen.from_anndata(add_doubles(adata, first, second), KEYS)
    assert "+".join(sorted([first, second])) in screen.perturbation.categories
    assert (screen.perturbation == "control").tolist() == screen.control.tolist()


def test_default_columns_are_optional_and_others_are_not(adata):
    del adata.obs["batch"], adata.obs["cell_line"], adata.obs["split"]
    screen = Screen.from_anndata(adata, KEYS)
    assert list(screen.batch.categories) == ["all"]
    assert screen.split is None
    with pytest.raises(KeyError, match=r"'lane'.*batch_key"):
        Screen.from_anndata(adata, ObsKeys(batch="lane"))


def break_labels(value):
    def change(obs):
        labels = obs["perturbation"].astype(object)
        labels[obs.index[~obs["control"]][[4, 9]]] = value
        obs["perturbation"] = labels

    return change


def unclear_flag(obs):
    obs["control"] = obs["control"].map({True: "yes", False: "no"})


def flag_with_gaps(obs):
    obs["control"] = np.where(obs["control"], 1.0, np.nan)


def no_control(obs):
    obs["control"] = False


def unflagged_control(obs):
    cell = obs.index[~obs["control"]][0]
    obs["perturbation"] = obs["perturbation"].astype(str)
    obs.loc[cell, "perturbation"] = "ctrl"


def flagged_in_part(obs):
    obs.loc[
        obs.index[obs["perturbation"] == obs["perturbation"][~obs["control"]].iloc[0]][0],
        "control",
    ] = True


def lonely_batch(obs):
    obs["batch"] = obs["batch"].astype(str)
    obs.loc[~obs["control"] & (np.arange(len(obs)) % 5 == 0), "batch"] = "lane_9"


def missing_batch(obs):
    obs["batch"] = obs["batch"].astype(object)
    obs.loc[obs.index[3], "batch"] = None


def strange_split(obs):
    obs["split"] = "training"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (break_labels(np.nan), r"'perturbation' is NaN or empty for 2 cells"),
        (break_labels(""), r"'perturbation' is NaN or empty for 2 cells"),
        (break_labels(" "), r"'perturbation' is NaN or empty for 2 cells"),
        (break_labels("A++B"), r"'A\+\+B' has an empty part"),
        (unclear_flag, r"'control', must be True or False.*adata.obs\['control'\] ="),
        (flag_with_gaps, r"must be True or False.*such as nan"),
        (no_control, "No cell is a control"),
        (
            unflagged_control,
            "1 cells have perturbation = 'ctrl', which means control, but 'control' is False",
        ),
        (flagged_in_part, "flagged as controls in some rows"),
        (lonely_batch, r"simulated / lane_9.*batch_key=None"),
        (missing_batch, "'batch' is NaN or empty for 1 cells"),
        (strange_split, "has the value 'training'"),
    ],
)
def test_unusable_annotation_is_refused(adata, change, message):
    change(adata.obs)
    with pytest.raises(ValueError, match=message):
        Screen.from_anndata(adata, KEYS)


def test_missing_control_flag_says_how_to_make_it(adata):
    del adata.obs["control"]
    with pytest.raises(KeyError, match="To make it"):
        Screen.from_anndata(adata, KEYS)


def test_repeated_genes_are_refused(adata):
    adata.var_names = pd.Index(["G"] * 2 + [f"G{i}" for i in range(adata.n_vars - 2)])
    with pytest.raises(ValueError, match=r"'G' occurs more than once.*var_names_make_unique"):
        Screen.from_anndata(adata, KEYS)


def test_controls_may_have_any_label_of_their_own(adata):
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["perturbation"] = labels.replace({"control": "non-targeting"})
    screen = Screen.from_anndata(adata, KEYS)
    assert "non-targeting" not in screen.perturbation.categories
    assert "control" in screen.perturbation.categories
