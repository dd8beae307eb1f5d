"""How times to the best epoch are read off, without GEARS."""

import importlib
import json
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SIZES = {"perturbations": 30, "cells": 20, "genes": 200, "epochs": 3}


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("gears_time")


@pytest.fixture
def peer(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS / "peers"))
    return importlib.import_module("run_gears")


def curve(*scores):
    seconds = 2.0 * np.arange(1, len(scores) + 1)
    return pd.DataFrame({"validation": scores, "seconds": seconds, "cpu_seconds": seconds / 4})


def reported(*_, **__):
    """Return what a run of the peer leaves behind."""
    report = {"curve": curve(0.4, 0.2, 0.3), "data_seconds": 5.0, "training_seconds": 7.5}
    report |= {"n_cells": 100, "version": "0.1.2"}
    return ad.AnnData(np.zeros((1, 1)), uns={"peer": report})


def test_txpert_keeps_its_highest_score_and_gears_its_lowest(script):
    scores = curve(0.3, 0.1, 0.4, 0.2)
    assert script.to_best("TxPert", scores) == {
        "n_epochs": 4,
        "best_epoch": 3,
        "best_validation": 0.4,
        "seconds_per_epoch": 2.0,
        "seconds_to_best": 6.0,
        "cpu_seconds_to_best": 1.5,
    }
    assert script.to_best("GEARS", scores)["best_epoch"] == 2


@pytest.mark.parametrize("tool", ["TxPert", "GEARS"])
def test_the_first_of_equal_epochs_is_the_best_and_undefined_ones_are_not(script, tool):
    assert script.to_best(tool, curve(np.nan, 0.2, 0.2))["seconds_to_best"] == 4


def test_epochs_note_the_score_that_gears_picks_by(peer):
    epochs = peer.Epochs()
    epochs.log({"training_loss": 3.0})
    epochs.log({"train_de_mse": 0.1, "val_mse": 0.2, "val_de_mse": np.float32(0.5)})
    epochs.log({"val_de_pearson": 0.9})
    epochs.log({"val_de_mse": 0.25})
    assert [seen["validation"] for seen in epochs.seen] == [0.5, 0.25]
    first, second = (seen["seconds"] for seen in epochs.seen)
    assert 0 <= first <= second


def test_seconds_of_gears_are_those_of_its_epochs_and_the_rest_is_preparation(script, monkeypatch):
    monkeypatch.setattr(script, "run_peer", reported)
    _, row = script.fit_gears("python", None, None)
    assert row["seconds"] == 6
    assert row["preparation_seconds"] == 5 + 7.5 - 6
    assert row["curve"][1] == {"seconds": 4, "cpu_seconds": 1, "validation": 0.2}
    json.dumps(row)


def test_ratios_compare_the_same_screen(script):
    rows = [
        {**script.case(SIZES, seed), "tool": tool, **dict.fromkeys(script.TIMES, seconds)}
        for tool, times in {"GEARS": (30.0, 80.0), "TxPert": (10.0, 2.0)}.items()
        for seed, seconds in enumerate(times)
    ]
    found = script.ratios(rows[::-1])["seconds_to_best"]
    assert found.groupby("seed").first().to_dict() == {0: 3, 1: 40}


def test_a_second_call_fits_only_what_is_not_there(script, monkeypatch, tmp_path):
    fitted = []

    def measure(tool, python, sizes, seed):
        fitted.append((tool, sizes["epochs"], seed))
        row = dict.fromkeys([*script.COLUMNS, "n_cells", "test_pearson_delta"], 1.0)
        return row | {"tool": tool}

    monkeypatch.setattr(script, "measure", measure)
    monkeypatch.setattr(script, "quiet", lambda: None)
    for options in (["--seeds", "0"], ["--seeds", "0", "1"], ["--epochs", "2"]):
        arguments = ["gears_time.py", "--gears", "python", "--results", str(tmp_path), *options]
        monkeypatch.setattr(sys, "argv", arguments)
        script.main()
    settings = [(10, 0), (10, 1), (2, 0)]
    assert fitted == [(tool, *these) for these in settings for tool in ("TxPert", "GEARS")]
    assert len(json.loads((tmp_path / "gears_time.json").read_text())["rows"]) == 6
