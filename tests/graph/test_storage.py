"""Files of graphs: whole, damaged, foreign, of another format."""

import random
from pathlib import Path

import numpy as np
import pytest

import txpert as tx
from txpert.graph import KnowledgeGraph, _storage

FORMATS = Path(__file__).parents[1] / "formats"


@pytest.fixture
def saved(tmp_path):
    graph = KnowledgeGraph("g", ["A", "B", "Δ"], [0, 1], [1, 2], [0.5, 2.0], ["made()"], ["K|A"])
    graph.save(tmp_path / "graph.npz")
    return graph, tmp_path / "graph.npz"


def test_a_damaged_file_is_named_or_read_right(saved):
    graph, path = saved
    whole = path.read_bytes()
    draw = random.Random(0)
    damaged = [whole[: len(whole) * i // 40] for i in range(40)]
    for _ in range(400):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        damaged.append(bytes(flipped))
    n_refused = n_read = 0
    for data in damaged:
        path.write_bytes(data)
        try:
            loaded = KnowledgeGraph.load(path)
        except ValueError as error:
            n_refused += str(path) in str(error)
        else:
            # Such as a bit of the date in the archive.
            n_read += 1
            assert loaded == graph
            assert loaded.provenance == graph.provenance
            assert loaded.learned_from == graph.learned_from
    assert n_refused + n_read == len(damaged)
    assert n_refused > 200


@pytest.mark.parametrize(
    "changed",
    [
        {"source": np.array([0, 7])},
        {"source": np.array([0.5, 1.0])},
        {"target": np.array(["0", "1"])},
        {"weight": np.array([1.0])},
        {"weight": np.array(["a", "b"])},
        {"nodes": np.array(["A", "A", "C"])},
    ],
    ids=str,
)
def test_arrays_of_another_program_are_refused_by_name(saved, changed):
    graph, path = saved
    np.savez(path, **{**graph.to_dict(), **changed})
    with pytest.raises(ValueError, match=r"graph\.npz is not a graph written by"):
        KnowledgeGraph.load(path)


def test_arrays_without_a_digest_are_read(saved):
    graph, path = saved
    np.savez(path, **graph.to_dict())
    assert KnowledgeGraph.load(path) == graph


def test_a_digest_finds_what_was_changed_in_a_whole_archive(saved):
    _, path = saved
    with np.load(path) as archive:
        state = dict(archive)
    np.savez(path, **{**state, "weight": state["weight"] + 1})
    with pytest.raises(ValueError, match=r"graph\.npz .* does not match its digest"):
        KnowledgeGraph.load(path)


def test_a_later_format_asks_for_an_update(saved, monkeypatch):
    graph, path = saved
    monkeypatch.setattr(_storage, "_VERSION", 2)
    graph.save(path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"graph\.npz has format 2, .* update txpert"):
        KnowledgeGraph.load(path)


def test_the_first_format_is_read():
    assert KnowledgeGraph.load(FORMATS / "graph_1.npz") == tx.datasets.toy_graph()
