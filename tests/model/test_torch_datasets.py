import numpy as np
import pandas as pd
import pytest
import torch

from txpert.data import ConditionTable, ObsKeys
from txpert.data._screen import Screen
from txpert.data._tokens import encode_targets
from txpert.model._data_splitter import PerturbationSplitter
from txpert.model._torch_datasets import CellDataset

KEYS = ObsKeys()


@pytest.fixture
def screen(two_lines):
    return Screen.from_anndata(two_lines, KEYS)


@pytest.fixture
def nodes(screen):
    return pd.Index([c for c in screen.perturbation.categories if c != "control"])


def splitter(screen, nodes, **options):
    table = ConditionTable.from_screen(screen)
    return PerturbationSplitter(screen, table, nodes, **{"batch_size": 16, **options})


def labels(dataset, nodes, rows):
    positions = dataset[rows]["perturbation"].numpy().ravel()
    return {"control" if p == len(nodes) else nodes[p] for p in positions}


@pytest.mark.parametrize("unit", ["pseudobulk", "cell"])
def test_training_sees_training_perturbations_and_controls_only(screen, nodes, unit, two_lines):
    data = splitter(screen, nodes, unit=unit).training
    train = two_lines.obs.loc[two_lines.obs["split"] == "train", "perturbation"].unique()
    assert labels(data, nodes, np.arange(len(data))) == {*train, "control"}


def test_validation_sees_validation_perturbations_only(screen, nodes, two_lines):
    data = splitter(screen, nodes).validation
    val = two_lines.obs.loc[two_lines.obs["split"] == "val", "perturbation"].unique()
    assert labels(data, nodes, np.arange(len(data))) == set(val)


def test_cells_and_indices_by_split(screen, nodes, two_lines):
    data = splitter(screen, nodes, unit="cell")
    for name, part in {"train": "train", "val": "val", "test": "test"}.items():
        assert (two_lines.obs["split"].iloc[getattr(data, f"{name}_idx")] == part).all()
    assert not set(data.training.cells) & set(data.test_idx) | set(data.training.cells) & set(
        data.val_idx
    )


def test_a_minibatch_of_cells_is_aligned(screen, nodes):
    data = splitter(screen, nodes, unit="cell").training
    rows = np.array([5, 2, 60, 2])
    batch = data[rows]
    cells = data.cells[rows]
    np.testing.assert_allclose(batch["X"], np.asarray(screen.X)[cells], rtol=1e-6)
    expected = encode_targets(screen.perturbation[cells], nodes)
    np.testing.assert_array_equal(batch["perturbation"], expected)


@pytest.mark.parametrize("matching", ["batch", "cell_line"])
def test_averaged_controls_are_means_of_the_batch_or_the_line(screen, nodes, matching):
    group = (screen.batch if matching == "batch" else screen.cell_line).codes
    X = np.asarray(screen.X, dtype=np.float32)
    data = splitter(screen, nodes, unit="cell", matching=matching).training
    rows = np.arange(0, len(data), 7)
    profile = data[rows]["control_profile"].numpy()
    for i, cell in enumerate(data.cells[rows]):
        mean = X[screen.control & (group == group[cell])].mean(axis=0)
        np.testing.assert_allclose(profile[i], mean, rtol=1e-4, atol=1e-5)
    table = splitter(screen, nodes, matching=matching).training.table
    conditions = splitter(screen, nodes, matching=matching).training
    by_condition = conditions[np.arange(len(conditions))]["control_profile"].numpy()
    of_line = table.obs["cell_line"] == "K562"
    n_profiles = len(np.unique(by_condition[of_line].round(5), axis=0))
    assert n_profiles == (2 if matching == "batch" else 1)


def test_controls_sampled_by_line_come_from_all_its_batches(screen, nodes):
    data = splitter(screen, nodes, unit="cell", controls="sampled", matching="cell_line").training
    X = np.asarray(screen.X, dtype=np.float32)
    rows = np.arange(len(data))
    profiles = data[rows]["control_profile"].numpy()
    other_batch = 0
    for row in rows[::5]:
        cell = data.cells[row]
        drawn = (np.abs(X - profiles[row]).max(axis=1) == 0) & screen.control
        assert (screen.cell_line.codes[drawn] == screen.cell_line.codes[cell]).any()
        other_batch += (screen.batch.codes[drawn] != screen.batch.codes[cell]).all()
    assert 0.2 < other_batch / len(rows[::5]) < 0.8


def test_sampled_controls_are_controls_of_the_same_context_and_vary(screen, nodes):
    data = splitter(screen, nodes, unit="cell", controls="sampled").training
    rows = np.arange(len(data))
    batch = data[rows]["control_profile"].numpy()
    X = np.asarray(screen.X, dtype=np.float32)
    context = screen.batch.codes
    for row in rows[::9]:
        matched = X[screen.control & (context == context[data.cells[row]])]
        assert (np.abs(matched - batch[row]).max(axis=1) == 0).any()
    assert not np.array_equal(batch, data[rows]["control_profile"].numpy())
    torch.manual_seed(1)
    again = data[rows]["control_profile"]
    torch.manual_seed(1)
    assert torch.equal(again, data[rows]["control_profile"])


def test_averaged_controls_of_cells_are_the_context_means(screen, nodes):
    data = splitter(screen, nodes, unit="cell", controls="averaged").training
    assert isinstance(data, CellDataset)
    table = ConditionTable.from_screen(screen)
    rows = np.arange(0, len(data), 7)
    expected = table.controls.mean[table.context_of(screen)[data.cells[rows]]]
    np.testing.assert_array_equal(data[rows]["control_profile"], expected)


def test_trained_nodes(screen, nodes, two_lines):
    trained = splitter(screen, nodes).trained_nodes(len(nodes)).numpy()
    train = two_lines.obs.loc[two_lines.obs["split"] == "train", "perturbation"].unique()
    assert set(nodes[trained]) == set(train)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"controls": "sampled"}, "no single control cell"),
        ({"unit": "cells"}, "unit must be"),
        ({"controls": "mean"}, "controls must be"),
    ],
)
def test_options_that_make_no_sense(screen, nodes, options, message):
    with pytest.raises(ValueError, match=message):
        splitter(screen, nodes, **options)
