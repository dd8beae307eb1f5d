import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import txpert as tx
from txpert.data import ConditionTable, ObsKeys
from txpert.data._batches import average_over_batches
from txpert.data._conditions import context_names, pairs
from txpert.data._screen import Screen

KEYS = ObsKeys()


def by_hand(adata):
    """Condition means and their batch-matched control means, by pandas."""
    dense = adata.X.toarray() if sparse.issparse(adata.X) else np.asarray(adata.X)
    frame = pd.DataFrame(dense, index=adata.obs_names, columns=adata.var_names)
    keys = [adata.obs[c].astype(str) for c in ("cell_line", "batch", "perturbation")]
    means = frame.groupby(keys).mean()
    context = means.index.droplevel("perturbation")
    controls = means.xs("control", level="perturbation").loc[context]
    return means, means - controls.to_numpy()


@pytest.mark.parametrize("storage", ["csr", "csc", "dense"])
def test_means_and_deltas_match_a_plain_computation(two_lines, storage):
    convert = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "dense": np.asarray}
    two_lines.X = convert[storage](two_lines.X)
    means, deltas = by_hand(two_lines)
    table = tx.pp.pseudobulk(two_lines)
    index = pd.MultiIndex.from_frame(table.obs[["cell_line", "batch", "perturbation"]].astype(str))
    np.testing.assert_allclose(table.X, means.loc[index], atol=1e-5)
    np.testing.assert_allclose(table.layers["delta"], deltas.loc[index], atol=1e-5)
    assert table.obs["n_cells"].sum() == two_lines.n_obs


def test_backed_file_with_shuffled_cells_gives_the_same_table(adata, tmp_path):
    import anndata as ad

    expected = tx.pp.pseudobulk(adata)
    shuffled = adata[np.random.default_rng(3).permutation(adata.n_obs)].copy()
    shuffled.write_h5ad(tmp_path / "x.h5ad")
    backed = tx.pp.pseudobulk(ad.read_h5ad(tmp_path / "x.h5ad", backed="r"))
    assert expected.obs.equals(backed.obs)
    np.testing.assert_allclose(expected.X, backed.X, atol=1e-6)


def test_controls_are_matched_within_their_batch_and_line(two_lines):
    """A shift of one batch's controls moves the Δ of that batch and no other."""
    before = tx.pp.pseudobulk(two_lines)
    batch = two_lines.obs["batch"].iloc[0]
    chosen = (two_lines.obs["control"] & (two_lines.obs["batch"] == batch)).to_numpy()
    two_lines.X[chosen] += 1.0
    after = tx.pp.pseudobulk(two_lines)
    moved = ~np.isclose(before.layers["delta"], after.layers["delta"]).all(axis=1)
    expected = (before.obs["batch"] == batch) & ~before.obs["control"]
    assert moved.tolist() == expected.tolist()


def test_table_survives_anndata_and_back(two_lines):
    table = ConditionTable.from_screen(Screen.from_anndata(two_lines, KEYS))
    back = ConditionTable.from_anndata(table.to_anndata())
    np.testing.assert_array_equal(back.delta, table.delta)
    np.testing.assert_array_equal(back.context, table.context)
    with pytest.raises(KeyError, match="no pseudobulk"):
        ConditionTable.from_anndata(two_lines)


def test_positions_of_cells(two_lines):
    screen = Screen.from_anndata(two_lines, KEYS)
    table = ConditionTable.from_screen(screen)
    rows = table.obs.iloc[table.condition_of(screen)]
    assert rows["perturbation"].tolist() == list(screen.perturbation)
    contexts = table.controls.obs.iloc[table.context_of(screen)]
    assert contexts["batch"].tolist() == list(screen.batch)


def test_average_over_batches_weighs_by_cells():
    obs = pd.DataFrame(
        {"perturbation": ["A", "A", "B"], "cell_line": "K562", "n_cells": [1, 3, 5]}
    )
    values = np.array([[0.0], [4.0], [7.0]], dtype=np.float32)
    means, frame = average_over_batches(values, obs)
    assert means.ravel().tolist() == [3.0, 7.0]
    assert frame["n_cells"].tolist() == [4, 5]


def test_one_condition_in_two_splits_is_refused(adata):
    label = adata.obs.loc[adata.obs["split"] == "train", "perturbation"].iloc[0]
    first = adata.obs_names[adata.obs["perturbation"] == label][0]
    adata.obs.loc[first, "split"] = "test"
    with pytest.raises(ValueError, match=f"'{label}'.*more than one split"):
        tx.pp.pseudobulk(adata)


def test_nan_deep_in_the_data_is_named(adata):
    adata.X = adata.X.toarray()
    cell = np.flatnonzero(~adata.obs["control"])[7]
    adata.X[cell, 5] = np.nan
    screen = Screen.from_anndata(adata, KEYS)
    with pytest.raises(ValueError, match=f"gene '{adata.var_names[5]}' is NaN or infinite"):
        ConditionTable.from_screen(screen)


def test_no_condition_over_batches_of_a_screen_with_many_perturbations():
    """As where no perturbation validates."""
    adata = tx.datasets.simulate(140, 20, 2, n_controls=10, n_batches=1)
    tx.pp.normalize(adata)
    table = ConditionTable.from_anndata(tx.pp.pseudobulk(adata))
    none = table.subset(np.zeros(len(table.obs), dtype=bool)).over_batches()
    assert none.mean.shape == (0, 20)
    assert table.over_batches().obs["control"].sum() == 1


def test_training_rows_are_perturbed_ones_in_training_or_all(two_lines):
    table = ConditionTable.from_screen(Screen.from_anndata(two_lines, KEYS))
    rows = table.training().obs
    assert not rows["control"].any()
    assert (rows["split"] == "train").all()
    assert len(rows) == ((table.obs["split"] == "train") & ~table.obs["control"]).sum()
    everything = ConditionTable.from_screen(Screen.from_anndata(two_lines, ObsKeys(split=None)))
    assert len(everything.training().obs) == (~everything.obs["control"]).sum()
    two_lines.obs["split"] = "test"
    tested = ConditionTable.from_screen(Screen.from_anndata(two_lines, KEYS))
    with pytest.raises(ValueError, match="No perturbation is in training"):
        tested.training()


def test_a_table_is_read_from_cells_and_from_a_pseudobulk(adata):
    table = ConditionTable.of(adata)
    assert ConditionTable.of(table) is table
    counted = adata.copy()
    counted.obs["n_cells"] = 7  # a column of the user's own does not make cells a pseudobulk
    for data in (tx.pp.pseudobulk(adata), counted):
        again = ConditionTable.of(data)
        np.testing.assert_allclose(again.mean, table.mean, atol=1e-6)
        assert list(again.obs["n_cells"]) == list(table.obs["n_cells"])
    training = table.training()
    assert (training.obs["split"] == "train").all()
    assert not training.obs["control"].any()


def test_contexts_are_named_by_line_and_modality():
    obs = pd.DataFrame({"perturbation": ["A", "B"], "cell_line": ["K562", "RPE1"]})
    assert context_names(obs).tolist() == ["K562", "RPE1"]
    obs["modality"] = ["CRISPRi", "CRISPRa"]
    assert context_names(obs).tolist() == ["K562|CRISPRi", "RPE1|CRISPRa"]
    assert pairs(obs) == [("A", "K562|CRISPRi"), ("B", "RPE1|CRISPRa")]
