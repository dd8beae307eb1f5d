"""Stored runs are those of the same content, whole, and never in the way."""

import errno
import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert import _files
from txpert._benchmark._store import Store
from txpert._stored import read_json
from txpert.baselines import MeanBaseline

FORMATS = Path(__file__).parents[1] / "formats"
CALLS = []


class Counted:
    """A recipe that counts its calls outside of what is hashed."""

    def __init__(self, **options):
        self.options = options

    def to_dict(self):
        return self.options

    def __call__(self, adata, seed):
        record()
        return MeanBaseline(tx.pp.pseudobulk(adata))


def record():
    globals()["CALLS"].append(1)
    if "HANG_IN" in os.environ:
        hang(Path(os.environ["HANG_IN"]))


def hang(folder):
    """Stop for good in the second run."""
    if list((folder / "runs").glob("m*.json")):
        (folder / "hangs").write_text("")
        time.sleep(60)


@pytest.fixture
def fits(adata, bench, tmp_path):
    """Return how often a benchmark of these cells fits its model."""

    def run(cells=adata, model=None, **options):
        CALLS.clear()
        model = Counted() if model is None else model
        run.result = bench(cells, {"m": model}, baseline=None, folder=tmp_path, **options)
        return len(CALLS)

    assert run() == 1
    assert run() == 0
    return run


def only_file(folder):
    (path,) = (folder / "runs").glob("m*.json")
    return path


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign", "another"])
def test_a_damaged_run_is_named_and_run_again(fits, tmp_path, damage):
    right, path = fits.result.scores, only_file(tmp_path)
    whole = path.read_bytes()
    place = whole.index(b"pearson_delta") + 20
    path.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "flipped": whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :],
            "empty": b"",
            "foreign": b'{"run": {}, "table": {}}',
            "another": (FORMATS / "graph_1.npz").read_bytes(),
        }[damage]
    )
    with pytest.warns(UserWarning, match=rf"{path.name} is not a run.* m seed 0 is run again"):
        assert fits() == 1
    pd.testing.assert_frame_equal(fits.result.scores, right)
    assert fits() == 0


def change_layer(adata):
    adata.layers["counts"] = adata.layers["counts"] * 2


def change_obsm(adata):
    adata.obsm["emb"] = np.ones((adata.n_obs, 2))


def change_obs(adata):
    adata.obs["age"] = 1.0


def change_var(adata):
    adata.var["length"] = 1.0


def swap_cells(adata):
    """Leave every mean as it is."""
    rows = np.flatnonzero((adata.obs["perturbation"] == "control").to_numpy())
    x = adata.X.toarray()
    same = adata.obs["batch"].to_numpy()[rows] == adata.obs["batch"].iloc[rows[0]]
    x[rows[same][:2]] = x[rows[same][:2]][::-1]
    adata.X = x


def change_group(adata):
    adata.obs["split_group"] = "easy"


@pytest.mark.parametrize(
    "change", [change_layer, change_obsm, change_obs, change_var, swap_cells, change_group]
)
def test_whatever_a_model_may_see_is_part_of_the_key(fits, adata, change):
    cells = adata.copy()
    cells.obsm["emb"] = np.zeros((cells.n_obs, 2))
    fits(cells)
    assert fits(cells) == 0
    change(cells)
    assert fits(cells) == 1
    assert fits(cells.copy()) == 0


def test_options_are_part_of_the_key(fits, graph):
    heavier = graph.derive(graph.arrays._replace(weight=graph.weight * 2), "changed")
    for options in (
        {"deep": [{"k": 1}]},
        {"deep": [{"k": 2}]},
        {"graphs": [graph]},
        {"graphs": [heavier]},
    ):
        assert fits(model=Counted(**options)) == 1
        assert fits(model=Counted(**options)) == 0


def test_what_cannot_be_hashed_is_run_again_with_a_note(fits):
    model = Counted(options=(i for i in range(3)))
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"'m' holds a generator.* is run again"):
            assert fits(model=model) == 1


def test_without_a_folder_nothing_is_hashed(adata, bench, recwarn):
    bench(adata, {"m": Counted(options=(i for i in range(3)))})
    assert not [w for w in recwarn if "cannot be hashed" in str(w.message)]


def test_a_full_disk_ends_no_benchmark(adata, bench, tmp_path, monkeypatch):
    right = bench(adata, {"m": Counted()})

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_files.os, "fsync", full)
    with pytest.warns(UserWarning, match=r"No space left.*") as told:
        result = bench(adata, {"m": Counted()}, folder=tmp_path)
    pd.testing.assert_frame_equal(result.scores, right.scores)
    messages = " ".join(str(w.message) for w in told)
    assert "m seed 0 would be run again" in messages
    assert "The result is returned all the same" in messages
    assert [path.name for path in tmp_path.rglob("*")] == ["runs"]


def test_a_folder_that_cannot_be_written_is_refused_before_a_run(adata, bench, tmp_path):
    (tmp_path / "file").write_text("")
    CALLS.clear()
    with pytest.raises(ValueError, match=r"Runs cannot be stored in .*file"):
        bench(adata, {"m": Counted()}, folder=tmp_path / "file")
    assert not CALLS


@pytest.mark.parametrize("name", ["基" * 90, "../../x", "=1+1", "<b>", "$x^$", "a/b", "."])
def test_models_of_any_name(adata, bench, tmp_path, name):
    folder = tmp_path / "in" / "here"
    result = bench(adata, {name: "mean"}, baseline=None, folder=folder)
    assert result.models == [name]
    assert tx.BenchmarkResult.load(folder).models == [name]
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == ["here"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]
    assert ("'=1+1" in (folder / "scores.csv").read_text()) == (name == "=1+1")


@pytest.mark.parametrize("table", ["scores", "runs", "ceiling"])
@pytest.mark.parametrize("damage", ["cut", "digit", "missing"])
def test_a_damaged_result_is_named(adata, bench, tmp_path, table, damage):
    bench(adata, folder=tmp_path, ceiling_repeats=1)
    path = tmp_path / f"{table}.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[:-40] if damage == "cut" else whole.replace(b"1", b"2", 1))
    if damage == "missing":
        path.unlink()
    with pytest.raises(ValueError, match=rf"{table}\.csv is (cut off|missing)"):
        tx.BenchmarkResult.load(tmp_path)


def test_the_first_format_is_read():
    result = tx.BenchmarkResult.load(FORMATS / "result_1")
    assert (result.task, result.baseline) == ("unseen_perturbation", "NA")
    assert result.models == ["=m"]
    assert result.scores["perturbation"].tolist() == ["A+B", "'x"]
    assert result.scores["pearson_delta"].isna().tolist() == [False, True]
    (path,) = (FORMATS / "store_1" / "runs").iterdir()
    stored = read_json(path, "a run", version=1)
    assert stored["run"] == {"status": "done", "seconds": 0.5}
    assert stored["table"]["model"] == ["=m", "NA"]


def test_a_key_without_a_hash_stores_nothing(tmp_path):
    store = Store(tmp_path)
    store.write("m", ("data", None), {}, pd.DataFrame())
    assert store.read("m", ("data", None)) is None
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_killed_benchmark_goes_on_from_its_last_run(adata, bench, tmp_path):
    options = {"task": "unseen_perturbation", "seeds": [0, 1, 2], "baseline": None}
    right = bench(adata, {"m": Counted()}, **options)
    child = os.fork()
    if not child:
        try:
            os.environ["HANG_IN"] = str(tmp_path)
            bench(adata, {"m": Counted()}, folder=tmp_path, **options)
        finally:
            os._exit(1)
    deadline = time.monotonic() + 60
    while not (tmp_path / "hangs").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(list((tmp_path / "runs").glob("m*.json"))) == 1
    CALLS.clear()
    result = bench(adata, {"m": Counted()}, folder=tmp_path, **options)
    assert len(CALLS) == 2
    pd.testing.assert_frame_equal(result.scores, right.scores)
