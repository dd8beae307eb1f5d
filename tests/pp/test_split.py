import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx


@pytest.fixture
def doubles(adata):
    """Twelve perturbations, five of them made doubles of the other seven."""
    labels = adata.obs["perturbation"].astype(str)
    names = sorted(set(labels) - {"control"})
    singles, rest = names[:7], names[7:]
    pairs = [f"{singles[i]}+{singles[i + 1]}" for i in range(5)]
    adata.obs["perturbation"] = labels.replace(dict(zip(rest, pairs, strict=True)))
    return adata


def split_of(adata, key="split"):
    perturbed = adata.obs[~adata.obs["control"]]
    condition = ["cell_line", "perturbation"]
    assert (perturbed.groupby(condition, observed=True)[key].nunique() <= 1).all()
    first = perturbed.drop_duplicates(condition)
    names = ["+".join(sorted(label.split("+"))) for label in first["perturbation"]]
    return first[key].set_axis(names)


def test_present_calls_give_the_splits_they_gave(adata):
    tx.pp.split(adata, task="unseen_perturbation", seed=0)
    test = split_of(adata)
    # The draw of version 0.1.0, so that splits of today can be made again.
    rng = np.random.default_rng(0).permutation(sorted(test.index))
    assert set(test.index[test == "test"]) == set(rng[:3])
    assert set(test.index[test == "val"]) == set(rng[3:5])


def test_combinations_get_their_groups(doubles):
    tx.pp.split(doubles, task="unseen_combination", seed=1)
    obs = doubles.obs
    assert obs.loc[obs["control"], ["split", "split_group"]].isna().all().all()
    part = split_of(doubles)
    group = split_of(doubles, "split_group")
    for label in part.index:
        targets = label.split("+")
        if part[label] == "train":
            assert pd.isna(group[label])
        elif len(targets) == 1:
            assert group[label] == "unseen_single"
        else:
            assert group[label] == f"seen_{sum(part[t] == 'train' for t in targets)}"
    record = doubles.uns["txpert_split"]
    assert record["task"] == "unseen_combination"
    assert record["n_train"] + record["n_val"] + record["n_test"] == 12


def test_a_cell_line_is_left_out_and_its_controls_are_not(two_lines):
    tx.pp.split(two_lines, task="unseen_cell_line", test_cell_line="RPE1", seed=0)
    obs = two_lines.obs
    assert obs.loc[obs["control"], "split"].isna().all()
    assert (obs["control"] & (obs["cell_line"] == "RPE1")).any()
    by_line = obs[~obs["control"]].groupby("cell_line", observed=True)["split"].unique()
    assert set(by_line["RPE1"]) == {"test"}
    assert set(by_line["K562"]) == {"train", "val"}
    trained = set(obs.loc[obs["split"] == "train", "perturbation"])
    tested = obs[obs["split"] == "test"]
    expected = np.where(tested["perturbation"].isin(trained), "seen", "unseen")
    assert (tested["split_group"].astype(str) == expected).all()
    assert len(trained) == 9  # three of twelve are validation
    assert two_lines.uns["txpert_split"]["test_cell_line"] == "RPE1"
    # Conditions are per line, so the split goes through pseudobulk and into training.
    pseudobulk = tx.pp.pseudobulk(two_lines)
    assert (pseudobulk.obs.loc[pseudobulk.obs["cell_line"] == "K562", "split"] != "test").all()


def test_a_validation_line(two_lines):
    third = two_lines[two_lines.obs["cell_line"] == "RPE1"].copy()
    third.obs["cell_line"] = "HepG2"
    third.obs_names = [f"h{name}" for name in third.obs_names]
    three = ad.concat([two_lines, third])
    tx.pp.split(
        three, task="unseen_cell_line", test_cell_line="RPE1", val_cell_line="HepG2", seed=0
    )
    found = three.obs[~three.obs["control"]].groupby("cell_line")["split"].unique()
    assert {line: list(parts) for line, parts in found.items()} == {
        "HepG2": ["val"],
        "K562": ["train"],
        "RPE1": ["test"],
    }
    assert set(three.obs.loc[three.obs["split"] == "test", "split_group"]) == {"seen"}


def test_every_perturbation_is_test_in_one_fold(doubles):
    for fold in range(3):
        tx.pp.split_fold(doubles, fold, n_folds=3, key_added=f"fold_{fold}")
    parts = pd.DataFrame({f: split_of(doubles, f"fold_{f}") for f in range(3)})
    assert ((parts == "test").sum(axis=1) == 1).all()
    assert (parts.loc[~parts.index.str.contains("+", regex=False)].notna()).all().all()
    assert doubles.uns["txpert_fold_2"]["fold"] == 2
    hashes = {doubles.uns[f"txpert_fold_{fold}"]["sha256"] for fold in range(3)}
    assert len(hashes) == 3


def test_effect_sizes_are_balanced():
    graph = tx.datasets.toy_graph()
    adata = tx.datasets.simulate(40, 60, 6, n_controls=40, n_batches=1, graph=graph)
    rng = np.random.default_rng(0)
    counts = adata.X.toarray()
    labels = adata.obs["perturbation"].astype(str).to_numpy()
    for label in sorted(set(labels) - {"control"}):  # effects from weak to very strong
        counts[labels == label] *= rng.integers(1, 30, counts.shape[1]) ** rng.integers(0, 2)
    adata.X = counts
    tx.pp.normalize(adata)
    bulk = tx.pp.pseudobulk(adata)
    bulk = bulk[~bulk.obs["control"].to_numpy()]
    size = pd.Series(
        np.linalg.norm(bulk.layers["delta"], axis=1), bulk.obs["perturbation"].astype(str)
    )

    def imbalance(seed, stratify):
        tx.pp.split(adata, seed=seed, stratify=stratify)
        return np.ptp(size.groupby(split_of(adata).astype(str)).mean())

    plain = np.mean([imbalance(seed, None) for seed in range(12)])
    assert np.mean([imbalance(seed, "effect_size") for seed in range(12)]) < plain / 2
    assert np.mean([imbalance(seed, size) for seed in range(12)]) < plain / 2
    assert adata.uns["txpert_split"]["stratify"] == "series"
    tx.pp.split(adata, seed=3, stratify="effect_size")
    by_name = split_of(adata)
    tx.pp.split(adata, seed=3, stratify=size)
    assert (split_of(adata) == by_name).all()  # one batch: the same numbers


@pytest.mark.parametrize(
    "options",
    [
        {"stratify": "effect_size"},
        {"task": "unseen_cell_line", "test_cell_line": "RPE1"},
        {"fractions": (1.0, 0.0, 0.0)},
    ],
)
def test_record_survives_a_file(two_lines, tmp_path, options):
    tx.pp.split(two_lines, **options)
    two_lines.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    record, written = back.uns["txpert_split"], two_lines.uns["txpert_split"]
    assert set(record) == set(written)
    for name in written:
        np.testing.assert_array_equal(record[name], written[name])
    assert tx.pp.check_split(back)["kind"].tolist() == []


def test_hash_is_that_of_labels_not_of_how_they_are_written(doubles):
    tx.pp.split(doubles, seed=2)
    first = doubles.uns["txpert_split"]["sha256"]
    swapped = doubles[::-1].copy()
    swapped.obs["perturbation"] = [
        "+".join(reversed(label.split("+"))) for label in swapped.obs["perturbation"]
    ]
    tx.pp.split(swapped, seed=2)
    assert swapped.uns["txpert_split"]["sha256"] == first
    for seed in range(5):
        tx.pp.split(swapped, seed=seed)
        same = split_of(swapped).sort_index().tolist() == split_of(doubles).sort_index().tolist()
        assert (swapped.uns["txpert_split"]["sha256"] == first) == same


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"task": "unseen"},
            "no task 'unseen'; .*'unseen_perturbation', 'unseen_comb.*cell_line'",
        ),
        ({"task": "unseen_combination"}, "None of the 12 perturbations is a combination"),
        ({"task": "unseen_cell_line"}, "needs test_cell_line, one of: K562, RPE1"),
        (
            {"task": "unseen_cell_line", "test_cell_line": "A"},
            "'A' is no cell line .*K562, RPE1",
        ),
        (
            {"test_cell_line": "RPE1"},
            "has no option 'test_cell_line'; .* belongs to 'unseen_cell_line' and 'few_shot",
        ),
        ({"stratify": "strength"}, "stratify takes 'effect_size' or"),
        ({"stratify": pd.Series({"GENE1": 1.0})}, "no finite number for 11 of the 12"),
    ],
)
def test_bad_input_names_the_remedy(two_lines, options, message):
    before = two_lines.obs.copy()
    with pytest.raises(ValueError, match=message):
        tx.pp.split(two_lines, **options)
    pd.testing.assert_frame_equal(two_lines.obs, before)


def test_one_cell_line_cannot_be_left_out(adata):
    with pytest.raises(ValueError, match="No cell line is left to train on besides simulated"):
        tx.pp.split(adata, task="unseen_cell_line", test_cell_line="simulated")
    del adata.obs["cell_line"]
    with pytest.raises(ValueError, match="No cell line is left to train on besides all"):
        tx.pp.split(adata, task="unseen_cell_line", test_cell_line="all")


def test_effect_sizes_want_log_values(adata):
    adata.X = adata.layers["counts"]
    with pytest.raises(ValueError, match="looks like raw counts"):
        tx.pp.split(adata, stratify="effect_size")
    with pytest.raises(ValueError, match="too few for 13 folds"):
        tx.pp.split_fold(adata, 0, n_folds=13)


@pytest.mark.parametrize("column", ["perturbation", "control", "cell_line"])
def test_a_column_that_is_read_is_not_written_over(column):
    adata = tx.datasets.toy()
    adata.obs["cell_line"] = "K562"
    before = adata.obs.copy()
    for write in (
        tx.pp.split,
        lambda adata, key_added: tx.pp.split_fold(adata, 0, 3, key_added=key_added),
        lambda adata, key_added: tx.pp.filter_perturbations(
            adata, min_cells=2, key_added=key_added
        ),
    ):
        with pytest.raises(ValueError, match=f"key_added='{column}' would overwrite"):
            write(adata, key_added=column)
    pd.testing.assert_frame_equal(adata.obs, before)
