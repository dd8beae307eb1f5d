"""Ranking all perturbations and all pairs equals brute force."""

import pickle
import signal
import subprocess
import sys
import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert._ranking import Kept, Scorer, top_pairs


def brute_force(model, labels, signature, score):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        delta = model.predict(labels).layers["delta"].astype(float)
    wanted = signature.to_numpy()
    if score == "pearson":
        delta, wanted = delta - delta.mean(axis=1, keepdims=True), wanted - wanted.mean()
    along = delta @ wanted
    if score != "dot":
        along /= np.linalg.norm(delta, axis=1) * np.linalg.norm(wanted)
    return pd.Series(along, index=labels).sort_values(ascending=False)


def ranked(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tx.tl.screen(*args, enable_progress_bar=False, **options)


@pytest.mark.parametrize("score", ["dot", "cosine", "pearson"])
@pytest.mark.parametrize("network", [False, True])
def test_pairs_are_ranked_as_by_brute_force(model, networked, signature, score, network):
    model = networked if network else model
    genes = sorted({t for label, _ in model.trained_on_ for t in label.split("+")})
    genes = [*genes, "GENE10", "GENE20", "GENE30"]
    labels = ["+".join(sorted(pair)) for pair in combinations(genes, 2)]
    expected = brute_force(model, labels, signature, score)
    found = ranked(model, signature, order=2, score=score, genes=genes, min_specific=0, top=60)
    assert found.attrs["additive"]
    assert found.attrs["n_ranked"] == len(labels)
    np.testing.assert_allclose(found["score"], expected.iloc[:60], rtol=1e-4, atol=1e-5)
    of_label = expected[found["perturbation"]].to_numpy()
    np.testing.assert_allclose(found["score"], of_label, rtol=1e-4, atol=1e-5)


def test_singles_are_ranked_and_reversed(model, signature):
    expected = brute_force(model, list(model.nodes), signature, "pearson")
    options = {"score": "pearson", "min_specific": 0}
    found = ranked(model, signature, top=5, **options)
    np.testing.assert_allclose(found["score"], expected.iloc[:5], atol=1e-5)
    against = ranked(model, signature, top=5, reverse=True, **options)
    np.testing.assert_allclose(against["score"], -expected.iloc[::-1].iloc[:5], atol=1e-5)


def test_pairs_that_are_not_additive_are_predicted_by_themselves(make_model, adata, signature):
    model = make_model(adata)  # direct decoding by an MLP
    genes = ["GENE3", "GENE10", "GENE20", "GENE30", "GENE40"]
    labels = ["+".join(sorted(pair)) for pair in combinations(genes, 2)]
    expected = brute_force(model, labels, signature, "cosine")
    found = ranked(model, signature, order=2, genes=genes, top=3)
    assert not found.attrs["additive"]
    assert found.attrs["missed_at_most"] == 0  # all are on the shortlist
    np.testing.assert_allclose(found["score"], expected.iloc[:3], atol=1e-4)


def test_what_a_shortlist_misses_is_bounded(make_model, adata, signature, monkeypatch):
    model = make_model(adata)
    genes = list(model.nodes)[:24]
    labels = ["+".join(sorted(pair)) for pair in combinations(genes, 2)]
    expected = brute_force(model, labels, signature, "dot")
    monkeypatch.setattr("txpert.tl._screen_ranking._SHORTLIST", 1)
    found = ranked(model, signature, order=2, score="dot", genes=genes, top=40, min_specific=0)
    assert not found.attrs["additive"]
    better = expected[expected > found["score"].iloc[-1] + 1e-4].index
    missed = set(better) - set(found["perturbation"])
    assert missed
    assert len(missed) <= found.attrs["missed_at_most"] * len(labels)
    assert found.attrs["missed_at_most"] > 0


KILLED = """
import os, pickle, signal, sys
import txpert as tx
from txpert._ranking import Kept, _top
from txpert.model import _additive

with open(sys.argv[1], "rb") as file:
    model, signature, options, kind = pickle.load(file)
_top._BLOCK = 8
if kind == "other":
    _additive._CHUNK = 16
store, stages = Kept.store, []

def killed(self, stage, *args, **arrays):
    store(self, stage, *args, **arrays)
    stages.append(stage)
    if len(stages) == 3 if kind == "additive" else stages.count("shortlist") == 2:
        os.kill(os.getpid(), signal.SIGKILL)

Kept.store = killed
tx.tl.screen(model, signature, file=sys.argv[2], enable_progress_bar=False, **options)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
@pytest.mark.parametrize("kind", ["additive", "other"])
def test_a_killed_ranking_goes_on_with_the_same_result(
    kind, model, make_model, adata, signature, tmp_path, monkeypatch
):
    if kind == "other":
        model = make_model(adata)
        monkeypatch.setattr("txpert.model._additive._CHUNK", 16)
    monkeypatch.setattr("txpert._ranking._top._BLOCK", 8)
    options = {"order": 2, "genes": list(model.nodes)[:24], "top": 4, "min_specific": 0}
    whole = ranked(model, signature, **options)
    file, store, calls = tmp_path / "ranking.npz", Kept.store, []

    def counted(self, *args, **arrays):
        store(self, *args, **arrays)
        calls.append(args[0])

    # A process of its own: one that is forked from this may wait for a thread it did not inherit.
    (tmp_path / "task").write_bytes(pickle.dumps((model, signature, options, kind)))
    child = [sys.executable, "-c", KILLED, tmp_path / "task", file]
    assert subprocess.run(child, capture_output=True).returncode == -signal.SIGKILL
    monkeypatch.setattr(Kept, "store", counted)
    again = ranked(model, signature, file=file, **options)
    pd.testing.assert_frame_equal(again, whole)
    assert again.attrs == whole.attrs
    n_rest = len(calls)
    ranked(model, signature, file=tmp_path / "other.npz", **options)
    assert 0 < n_rest < len(calls) - n_rest
    assert ("shortlist" in calls[:n_rest]) == (kind == "other")
    assert "new" in calls[n_rest:]


def test_a_file_of_another_ranking_is_refused(model, networked, signature, tmp_path):
    file = tmp_path / "ranking.npz"
    options = {"order": 2, "genes": ["GENE10", "GENE20", "GENE30"], "min_specific": 0}
    first = ranked(model, signature, file=file, **options)
    pd.testing.assert_frame_equal(ranked(model, signature, file=file, **options), first)
    for change in ({"top": 7}, {"score": "dot"}, {"reverse": True}, {"genes": ["GENE3", "GENE5"]}):
        with pytest.raises(ValueError, match="another model, signature or choice"):
            ranked(model, signature, file=file, **{**options, **change})
    with pytest.raises(ValueError, match="another model, signature or choice"):
        ranked(networked, signature, file=file, **options)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="no file of a ranking"):
        ranked(model, signature, file=tmp_path / "notes.txt", **options)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(FileNotFoundError, match="no folder"):
        ranked(model, signature, file=tmp_path / "missing" / "ranking.npz", **options)


def test_what_nothing_is_known_of_is_not_ranked(train_toy, graph, signature):
    alone = tx.graph.KnowledgeGraph(
        graph.name, [*graph.nodes, "LONELY", "CTRL"], graph.source, graph.target, graph.weight
    )
    model = train_toy(("mean", "gaussian_process"), graphs=[alone])
    with pytest.warns(UserWarning, match="nothing specific is known of them"):
        found = tx.tl.screen(model, signature, enable_progress_bar=False)
    assert "LONELY" in found.attrs["not_specific"]
    assert not {"LONELY", "CTRL"} & set(found["perturbation"])
    everything = ranked(model, signature, min_specific=0)
    assert everything.set_index("perturbation").loc["LONELY", "specific"] == 0
    with pytest.raises(ValueError, match="too few for order=1, since nothing specific"):
        tx.tl.screen(model, signature, genes=["LONELY"], enable_progress_bar=False)


def test_excluded_targets_and_missing_genes_are_reported(model, signature):
    first = ranked(model, signature, top=1)["perturbation"][0]
    assert first not in set(ranked(model, signature, exclude=[first])["perturbation"])
    more = pd.concat([signature, pd.Series({"NOT_THERE": 1.0})])
    with pytest.warns(UserWarning, match="1 of the 61 genes"):
        found = tx.tl.screen(model, more, min_specific=0, enable_progress_bar=False)
    assert found.attrs["missing_genes"] == ["NOT_THERE"]


def test_two_groups_of_cells_are_a_signature(model):
    adata = model.adata
    is_control = adata.obs["control"].to_numpy()
    label = next(label for label, _ in model.trained_on_ if "+" not in label)
    groups = adata[is_control], adata[(adata.obs["perturbation"] == label).to_numpy()]
    found = ranked(model, groups, min_specific=0)
    assert found["perturbation"].tolist().index(label) < 5


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"order": 3}, ValueError, "order must be 1"),
        ({"file": "pairs.npz"}, ValueError, "file keeps blocks of pairs"),
        ({"file": 3, "order": 2}, TypeError, "file must be a path"),
        ({"order": 2, "genes": ["GENE3"]}, ValueError, "1 targets to rank"),
        ({"genes": []}, ValueError, "0 targets to rank"),
        ({"genes": ["GENE3+GENE5"]}, ValueError, "single targets"),
        ({"genes": ["CTRL"]}, ValueError, "reads as a control"),
        ({"genes": ["NOGENE"]}, KeyError, "NOGENE"),
        ({"score": "euclid"}, ValueError, "score must be one of"),
        ({"top": 0}, ValueError, "top must be"),
        ({"cell_line": "HeLa"}, KeyError, "HeLa"),
        ({"signature": {"GENE3": np.nan}}, ValueError, "no finite weight for 'GENE3'"),
        ({"signature": {"GENE3": 0.0}}, ValueError, "All weights"),
        ({"signature": {"A": 1, "B": 1, "GENE3": 1}}, ValueError, "Only 1 of the 3 genes"),
        ({"signature": ["GENE3"]}, TypeError, "A signature is"),
    ],
)
def test_what_makes_no_sense_is_refused(model, signature, change, error, message):
    options = {"signature": signature, "enable_progress_bar": False, **change}
    with pytest.raises(error, match=message):
        tx.tl.screen(model, options.pop("signature"), **options)


@pytest.mark.parametrize("score", ["dot", "cosine", "pearson"])
def test_blocks_find_the_best_pairs(score, monkeypatch):
    monkeypatch.setattr("txpert._ranking._top._BLOCK", 16)
    rng = np.random.default_rng(1)
    scorer = Scorer.of(score, rng.normal(size=30))
    prepared = scorer.prepare(rng.normal(size=(101, 30)))
    first, second = np.triu_indices(101, 1)
    left_out = rng.random(101) < 0.3
    kept = ~(left_out[first] & left_out[second])
    scores = scorer.exact(prepared[first[kept]] + prepared[second[kept]])
    found = top_pairs(prepared, scorer, 25, left_out=left_out)
    np.testing.assert_allclose(found.score, np.sort(scores)[::-1][:25], rtol=1e-6)
    assert not (left_out[found.first] & left_out[found.second]).any()
