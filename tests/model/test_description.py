"""The description of a training tells apart what would end otherwise."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from txpert.model._description import describe


@dataclass
class Table:
    """What a description reads of a table of conditions."""

    mean: np.ndarray
    genes: tuple = ("A", "B")
    embedding: np.ndarray | None = None

    def __post_init__(self):
        self.obs = pd.DataFrame({"perturbation": ["X", "Y"]})
        self.controls = SimpleNamespace(embedding=self.embedding)


def described(*, mean=None, weight=None, buffer=None, genes=("A", "B"), **options):
    module = torch.nn.Linear(2, 2)
    constant = torch.zeros(4) if buffer is None else buffer
    module.register_buffer("constant", constant, persistent=False)
    edges = np.arange(2), np.arange(2), np.ones(2) if weight is None else weight
    graph = SimpleNamespace(source=edges[0], target=edges[1], weight=edges[2])
    model = SimpleNamespace(module=module, nodes=pd.Index(["A", "B"]), graphs=[graph])
    return describe(model, Table(np.zeros((2, 2)) if mean is None else mean, genes), options)


def long(change, kind=np.asarray):
    values = np.zeros(2_000)
    values[1_000] = change
    return kind(values)


@pytest.mark.parametrize(
    "kind",
    [np.asarray, torch.from_numpy, pd.Series, sparse.csr_matrix, list],
    ids=["array", "tensor", "series", "sparse", "list"],
)
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: {"a": [v, (v,)]}], ids=["as is", "in"])
def test_long_options_that_differ_in_the_middle_differ(kind, wrap):
    first, same, other = (described(option=wrap(long(c, kind))) for c in (0, 0, 1))
    assert first == same
    assert [name for name in first if first[name] != other[name]] == ["option"]


def test_arrays_of_the_same_bytes_differ_by_type_and_shape():
    zeros = [np.zeros(4), np.zeros(4, dtype=np.int64), np.zeros((2, 2))]
    assert len({described(option=value)["option"] for value in zeros}) == 3
    assert len({described(mean=value)["data"] for value in zeros}) == 3
    assert len({described(weight=value)["model"] for value in zeros}) == 3
    buffers = [torch.from_numpy(value) for value in zeros]
    assert len({described(buffer=value)["model"] for value in buffers}) == 3


def test_short_options_can_be_read_and_functions_have_their_name():
    found = described(lr=0.1, plan={"optimizer_creator": torch.optim.SGD})
    assert found["lr"] == "0.1"
    assert "SGD'}" in found["plan"]


def test_names_are_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "A").write_text("one")
    first = described()
    (tmp_path / "A").write_text("other")
    assert described() == first
    assert described(genes=("A", "C"))["data"] != first["data"]
