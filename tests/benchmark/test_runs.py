"""Going on where it stopped, and several processes."""

import logging
import os
import sys
import warnings
from functools import partial
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert._benchmark._folds import Bench
from txpert._benchmark._processes import jobs_that_fit
from txpert._fingerprint import fingerprint
from txpert.baselines import MeanBaseline
from txpert.data import ObsKeys, _registrations
from txpert.evaluation._metrics import score_names
from txpert.model._callbacks import TrainingInterrupted

QUICK = {"max_epochs": 1, "enable_progress_bar": False, "accelerator": "cpu"}
SMALL = {"encoder": {"name": "gat", "options": {"n_layers": 1, "n_channels": 8, "n_input": 8}}}

ALL_METRICS = score_names()


class Counting:
    """A recipe that counts its calls and may stop at one."""

    def __init__(self, stop_at=None, error=KeyboardInterrupt):
        self.calls = []
        self.stop_at, self.error = stop_at, error

    def to_dict(self):
        return {"what": "counting"}

    def __call__(self, adata, seed):
        if len(self.calls) == self.stop_at:
            raise self.error
        self.calls.append(seed)
        return MeanBaseline(tx.pp.pseudobulk(adata))


def same(first, second):
    for name in ("scores", "ceiling"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))
    columns = ["model", "seed", "fold", "status", "reason", "split_sha256"]
    pd.testing.assert_frame_equal(first.runs[columns], second.runs[columns])


def test_a_second_call_fits_nothing(adata, bench, tmp_path):
    recipe = Counting()
    options = {"folder": tmp_path, "ceiling_repeats": 2, "baseline": None}
    first = bench(adata, {"m": recipe}, "unseen_perturbation", [0, 1], **options)
    assert recipe.calls == [0, 1]
    second = bench(adata, {"m": recipe}, "unseen_perturbation", [0, 1], **options)
    assert recipe.calls == [0, 1]
    same(first, second)
    pd.testing.assert_frame_equal(first.runs, second.runs)
    bench(adata, {"m": recipe}, "unseen_perturbation", [0, 1, 2], **options)
    assert recipe.calls == [0, 1, 2]


def test_what_was_finished_survives_a_stop(adata, bench, tmp_path):
    options = {"task": "unseen_perturbation", "seeds": [0, 1, 2], "folder": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        bench(adata, {"m": Counting(stop_at=1)}, **options)
    recipe = Counting()
    result = bench(adata, {"m": recipe}, **options)
    assert recipe.calls == [1, 2]
    same(result, bench(adata, {"m": Counting()}, "unseen_perturbation", [0, 1, 2]))


def test_interrupted_training_ends_it_and_is_not_stored(adata, bench, graph, tmp_path):
    class CtrlC(pl.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            raise KeyboardInterrupt

    options = {"task": "unseen_perturbation", "folder": tmp_path}
    recipe = partial(tx.tl.fit_txpert, graphs=graph, **SMALL)
    with pytest.raises(KeyboardInterrupt, match="interrupted in epoch 1"):
        bench(adata, {"m": partial(recipe, train={**QUICK, "callbacks": [CtrlC()]})}, **options)
    assert not list((tmp_path / "runs").glob("m_seed*"))


def _warns(adata, seed, *, category):
    warnings.warn("Training was interrupted.", category, stacklevel=1)
    return MeanBaseline().fit(adata)


def test_interruption_is_known_by_its_category_not_by_its_words(adata, bench):
    with pytest.raises(KeyboardInterrupt):
        bench(adata, {"m": partial(_warns, category=TrainingInterrupted)})
    with pytest.warns(UserWarning, match="interrupted"):
        runs = bench(adata, {"m": partial(_warns, category=UserWarning)}).runs
    assert set(runs["status"]) == {"done"}


def _fails_after_setup(adata, seed, *, graph, made):
    tx.TxPertModel.setup_anndata(adata)
    if made:
        tx.TxPertModel(adata, graph, components="mean")
    raise RuntimeError("as asked")


def test_no_run_leaves_its_cells_registered_nor_a_logger_changed(adata, bench, graph):
    fit = partial(tx.tl.fit_txpert, graphs=graph, components="mean")
    models = {
        "works": partial(fit, train={"enable_progress_bar": False}),
        "fails": partial(fit, train={"max_epochs": -1}),
        **{
            f"own {made}": partial(_fails_after_setup, graph=graph, made=made)
            for made in (True, False)
        },
    }
    logger = logging.getLogger("lightning.fabric.utilities.seed")
    level = logger.level
    cls = tx.TxPertModel
    before = set(cls._setup_adata_manager_store), set(_registrations._registered)
    models_before = set(cls._per_instance_manager_store)
    runs = bench(adata, models).runs.set_index("model")["status"]
    assert runs.to_dict() == {
        **dict.fromkeys(models, "failed"), "works": "done", "general": "done"
    }  # fmt: skip
    assert (set(cls._setup_adata_manager_store), set(_registrations._registered)) == before
    made = set(cls._per_instance_manager_store) - models_before
    assert not any(cls._per_instance_manager_store[of] for of in made)
    assert logger.level == level


def test_failed_runs_are_tried_again(adata, bench, tmp_path):
    failed = bench(adata, {"m": Counting(stop_at=0, error=RuntimeError)}, folder=tmp_path)
    assert failed.runs["status"][0] == "failed"
    recipe = Counting()
    assert bench(adata, {"m": recipe}, folder=tmp_path).runs["status"][0] == "done"
    assert recipe.calls == [0]


def test_other_data_or_options_are_run_anew(adata, bench, tmp_path, graph):
    first = bench(adata, {"m": Counting()}, folder=tmp_path)
    other = adata.copy()
    other.X = other.X * 0.5
    recipe = Counting()
    assert not bench(other, {"m": recipe}, folder=tmp_path).scores.equals(first.scores)
    assert recipe.calls == [0]
    few, many = (
        bench(adata, {"k": partial(tx.tl.fit_baseline, kind="neighbors", graphs=graph, k=k)},
              folder=tmp_path)
        for k in (1, 5)
    )  # fmt: skip
    assert not few.scores.equals(many.scores)


def test_results_are_saved_and_read(adata, bench, tmp_path):
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["perturbation"] = labels.replace(
        labels[adata.obs["split"] == "test"].iloc[0], "TRUE"
    )
    result = bench(adata, {"zero": "no_change"}, folder=tmp_path, ceiling_repeats=1)
    back = tx.BenchmarkResult.load(tmp_path)
    same(back, result)
    pd.testing.assert_frame_equal(back.runs, result.runs)
    assert "TRUE" in set(back.scores["perturbation"])
    assert (back.task, back.baseline) == (None, "general")
    pd.testing.assert_frame_equal(back.summary(), result.summary())
    bench(adata, folder=tmp_path)
    assert tx.BenchmarkResult.load(tmp_path).ceiling.empty
    with pytest.raises(FileNotFoundError, match="holds no benchmark"):
        tx.BenchmarkResult.load(tmp_path / "runs")


class Deadly:
    """Kills the process that reads it."""

    def __reduce__(self):
        return os._exit, (1,)

    def __call__(self, adata, seed):
        raise AssertionError("this is run in another process")


class Quitting:
    """Exits the interpreter as soon as it is read or called."""

    def __reduce__(self):
        return sys.exit, ("no license",)

    def __call__(self, adata, seed):
        sys.exit()


def test_a_model_that_exits_fails_its_run_only(adata, bench):
    runs = bench(adata, {"quits": Quitting(), "mean": "mean"}).runs.set_index("model")
    assert runs["status"].to_dict() == {"quits": "failed", "mean": "done", "general": "done"}
    assert runs.loc["quits", "reason"] == "SystemExit"


@pytest.mark.slow
def test_processes_give_what_one_gives(adata, bench, graph, tmp_path):
    models = {
        "TxPert": partial(tx.tl.fit_txpert, graphs=graph, train=QUICK, n_hidden=8, **SMALL),
        "unrelated": partial(tx.tl.fit_baseline, kind="kernel", graphs=_unrelated()),
    }
    options = {"folder": tmp_path, "baseline": None}
    one = bench(adata, models, baseline=None)
    ending = {"deadly": Deadly(), "quits": Quitting()}
    several = bench(adata, models | ending, n_jobs=2, **options)
    runs = several.runs.set_index("model")
    assert runs["status"].to_dict() == {
        "TxPert": "done",
        "unrelated": "failed",
        "deadly": "failed",
        "quits": "failed",
    }
    assert "SystemExit: no license" in runs.loc["quits", "reason"]
    assert "out of memory, perhaps" in runs.loc["deadly", "reason"]
    assert "hold none of the" in runs.loc["unrelated", "reason"]
    assert runs.loc["TxPert", "peak_memory_mb"] > 0
    assert list(runs.index) == [*models, *ending]
    kept = several.scores[~several.scores["model"].isin(ending)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, one.scores, rtol=1e-4)
    again = bench(adata, {"TxPert": models["TxPert"]}, **options)
    done = kept[kept["model"] != "unrelated"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again.scores, done)


def _unrelated():
    edges = pd.DataFrame({"source": ["X1"], "target": ["X2"], "weight": [1.0]})
    return tx.graph.KnowledgeGraph.from_edges(edges, name="unrelated")


def test_what_cannot_be_sent_is_refused(adata, bench):
    with pytest.raises(ValueError, match="'inner' cannot be sent to another process"):
        bench(adata, {"inner": lambda *_: None}, n_jobs=2)


def test_automatic_number_of_processes(adata, monkeypatch):
    screen = Bench.read(adata, ObsKeys(), None)
    module = "txpert._benchmark._processes"
    monkeypatch.setattr(f"{module}.n_cores", lambda: 8)
    for memory, expected in ((1e9, 8), (3_100, 2), (10, 1)):
        monkeypatch.setattr(f"{module}.available_memory", lambda m=memory: m)
        assert jobs_that_fit(screen, 100) == expected
    monkeypatch.setattr(f"{module}.available_memory", lambda: np.inf)
    assert jobs_that_fit(screen, 3) == 3


def test_fingerprints_tell_recipes_apart():
    def recipe(k=3, seed=0):
        graph = tx.datasets.toy_graph(seed)
        return partial(tx.tl.fit_baseline, kind="neighbors", graphs=graph, k=k)

    assert fingerprint(recipe()) == fingerprint(recipe())
    others = [recipe(k=2), recipe(seed=1), partial(tx.tl.fit_baseline, kind="ridge")]
    assert len({fingerprint(r) for r in [recipe(), *others]}) == 4

    def closing(value):
        return lambda adata, seed: value

    assert fingerprint(closing(1)) == fingerprint(closing(1))
    assert fingerprint(closing(1)) != fingerprint(closing(2))
    assert fingerprint(lambda a, s: a + 1) != fingerprint(lambda a, s: a + 2)
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=["x", "y"])
    assert fingerprint(frame) == fingerprint(frame.copy())
    assert fingerprint(frame) != fingerprint(frame.rename(columns={"a": "b"}))
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])
    assert fingerprint(Path("a")) == fingerprint(Path("a")) != fingerprint(Path("b"))


def test_all_metrics_are_in_the_summary(adata, bench):
    summary = bench(adata).summary()
    assert list(dict.fromkeys(summary["metric"])) == list(ALL_METRICS)
