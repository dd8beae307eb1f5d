"""Nobody can write into a graph, so that graphs share arrays."""

import copy
import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from txpert.graph import KnowledgeGraph, _arrays, to_pyg, to_scipy
from txpert.graph._arrays import EdgeArrays, computed_edges

NODES = ["A", "B", "C"]
ENDS = ("source", "target", "weight")


def arrays():
    return [np.array([1, 2, 0]), np.array([0, 0, 1]), np.array([1, 2, 3], dtype=np.float32)]


def graph():
    return KnowledgeGraph("g", NODES, *arrays())


def is_read_only(graph):
    return not any(array.flags.writeable for array in graph.arrays)


def through_a_file(graph, tmp_path):
    graph.save(tmp_path / "graph.npz")
    return KnowledgeGraph.load(tmp_path / "graph.npz")


@pytest.mark.parametrize("end", ENDS)
def test_writing_raises(end):
    with pytest.raises(ValueError, match="read-only"):
        getattr(graph(), end)[:] = 0
    with pytest.raises(ValueError, match="read-only"):
        getattr(graph().top_k(10), end)[0] += 1
    with pytest.raises(ValueError, match="read-only"):
        graph().to_dict()[end].sort()


@pytest.mark.parametrize(
    "change",
    [
        lambda array: array,
        lambda array: np.stack([array, array], axis=1)[:, 0],
        lambda array: array.astype(np.float64),
        lambda array: pd.Series(array, copy=False),
        torch.from_numpy,
        memoryview,
    ],
    ids=["own", "view", "other dtype", "series", "tensor", "memoryview"],
)
def test_the_callers_arrays_are_not_the_graphs(change):
    given = [change(array) for array in arrays()]
    made = KnowledgeGraph("g", NODES, *given)
    for array in given:
        array[0] = 2  # still possible
    assert made == graph()
    assert is_read_only(made)


def test_an_array_that_looks_read_only_may_be_a_view_of_one_that_is_not():
    owned = arrays()
    views = [array.view() for array in owned]
    for view in views:
        view.flags.writeable = False
    made = KnowledgeGraph("g", NODES, *views)
    for array in owned:
        array[:] = 7
    assert made == graph()


def test_empty_slices_of_the_callers_arrays_stay_the_callers():
    owned = arrays()
    assert KnowledgeGraph("g", NODES, *(array[:0] for array in owned)).n_edges == 0
    assert all(array.flags.writeable for array in owned)


def test_graphs_share_arrays_that_nobody_can_write_into():
    first = graph()
    for other in (
        first.top_k(10),
        first.rename({"A": "Z"}),
        KnowledgeGraph.from_dict(first.to_dict()),
    ):
        assert all(one is two for one, two in zip(first.arrays, other.arrays, strict=True))


@pytest.mark.parametrize(
    "again",
    [
        *[
            partial(lambda protocol, g, _: pickle.loads(pickle.dumps(g, protocol)), protocol)
            for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
        ],
        lambda g, _: copy.copy(g),
        lambda g, _: copy.deepcopy(g),
        through_a_file,
        lambda g, _: g.reverse().reverse(),
    ],
)
def test_copies_are_read_only_too(again, tmp_path):
    made = again(graph(), tmp_path)
    assert made == graph()
    assert is_read_only(made)


def test_memory_maps_and_kept_edges_are_not_copied(tmp_path, monkeypatch):
    monkeypatch.setenv("TXPERT_CACHE", str(tmp_path))
    mapped = []
    for end, array in zip(ENDS, arrays(), strict=True):
        np.save(tmp_path / f"{end}.npy", array)
        mapped.append(np.load(tmp_path / f"{end}.npy", mmap_mode="r"))
    found = [mapped]
    found += [computed_edges("test", "0" * 32, lambda: EdgeArrays(*arrays())) for _ in range(2)]
    for given in found:
        made = KnowledgeGraph("g", NODES, *given)
        assert all(np.shares_memory(*pair) for pair in zip(made.arrays, given, strict=True))
        assert made == graph()
        assert is_read_only(made)
    writable = [np.load(tmp_path / f"{end}.npy", mmap_mode="r+") for end in ENDS]
    made = KnowledgeGraph("g", NODES, *writable)
    assert not any(np.shares_memory(*pair) for pair in zip(made.arrays, writable, strict=True))


def test_loading_copies_nothing(tmp_path, monkeypatch):
    graph().save(tmp_path / "graph.npz")
    is_constant, found = _arrays._is_constant, []

    def watched(array):
        found.append(is_constant(array))
        return found[-1]

    monkeypatch.setattr(_arrays, "_is_constant", watched)
    KnowledgeGraph.load(tmp_path / "graph.npz")
    assert found == [True] * 3


def test_what_others_get_may_be_written_into_and_does_not_warn():
    made = graph()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_scipy(made).data[:] = 0
        table = made.edges
        table["weight"] *= 0
        table.loc[0, "weight"] = 9
        to_pyg(made).edge_weight.zero_()
        to_pyg(made).edge_index.zero_()
    assert made == graph()
