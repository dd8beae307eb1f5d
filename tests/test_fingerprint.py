"""What decides an outcome changes the hash; what does not, leaves it."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

import txpert as tx
from txpert._fingerprint import NotHashable, fingerprint

GLOBAL = {"k": 1}


def frame():
    return pd.DataFrame(
        {"x": [1.0, np.nan], "g": pd.Categorical(["a", "b"]), "t": ["Δ", "NA"], "n": [1, 2]},
        index=["c0", "c1"],
    )


def cells():
    rng = np.random.default_rng(0)
    return ad.AnnData(
        sparse.csr_matrix(rng.poisson(1.0, (5, 3)).astype(np.float32)),
        obs=pd.DataFrame({"batch": list("aabbc")}, index=[f"c{i}" for i in range(5)]),
        layers={"counts": np.ones((5, 3))},
        obsm={"emb": np.ones((5, 2))},
        varm={"v": np.ones((3, 2))},
        uns={"note": {"deep": [1, 2]}},
    )


def put(value, place, new):
    """Return the value with an attribute, item or cell changed."""
    if isinstance(place, str) and place.startswith("."):
        setattr(value, place[1:], new)
    else:
        value[place] = new
    return value


def graph(weight=0.5, **changed):
    state = {"name": "g", "nodes": ["A", "B"], "source": [0], "target": [1], "weight": [weight]}
    return tx.graph.KnowledgeGraph(**state | changed)


def recipe(adata, seed, *, k=1, options=None):
    return GLOBAL["k"] + k


def keyword_only(k):
    def inner(adata, seed, *, k=k):
        return k

    return inner


def closing(value):
    def outer(adata, seed):
        return (lambda: value)()

    return outer


def nested(depth):
    value = [depth]
    for _ in range(20):
        value = {"deeper": value}
    return value


@dataclass
class Recipe:
    k: int
    options: dict = field(default_factory=dict)

    def __call__(self, adata, seed):
        return self.k


class Slots:
    __slots__ = ("k",)

    def __init__(self, k):
        self.k = k


def ring(k):
    value = Recipe(k)
    value.options["self"] = value
    return value


def network(bias):
    layer = torch.nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.fill_(bias)
    return layer


MAKERS = {
    "int": lambda k: k,
    "float": lambda k: k / 3,
    "text": lambda k: f"a{k}",
    "array": lambda k: put(np.zeros((4, 5)), (3, 4), k),
    "array of large size": lambda k: put(np.zeros((300_000, 9)), (299_999, 8), k),
    "shape": lambda k: np.zeros((k, 6 // k)),
    "dtype": lambda k: np.zeros(3, dtype=f"f{4 * k}"),
    "order of bytes": lambda k: np.zeros(3, dtype="<>"[k - 1] + "f4"),
    "objects": lambda k: np.array(["a", None, k], dtype=object),
    "names": lambda k: pd.Index(["ab", "c"] if k == 1 else ["a", "bc"]),
    "masked": lambda k: np.ma.masked_equal([1, 2], k),
    "column": lambda k: frame().assign(x=[k, 2.0]),
    "name of a column": lambda k: frame().rename(columns={"x": f"x{k}"}),
    "order of columns": lambda k: frame()[["x", "n"] if k == 1 else ["n", "x"]],
    "index": lambda k: frame().set_index(pd.Index([f"c{k}", "d"])),
    "categories": lambda k: pd.Categorical(["a"], categories=["a", "b", "c"][: k + 1]),
    "nullable": lambda k: pd.array([k, None], dtype="Int64"),
    "sparse": lambda k: sparse.csr_matrix([[0, k, 0]]),
    "coo": lambda k: sparse.coo_matrix(([1.0], ([0], [k])), shape=(3, 3)),
    "X": lambda k: put(cells(), ".X", np.full((5, 3), k)),
    "layer": lambda k: put(cells(), ".layers", {"counts": np.full((5, 3), k)}),
    "obsm": lambda k: put(cells(), ".obsm", {"emb": np.full((5, 2), k)}),
    "uns": lambda k: put(cells(), ".uns", {"note": {"deep": [1, k]}}),
    "weight": graph,
    "learned_from": lambda k: graph(learned_from=[f"K562|{k}"]),
    "tensor": lambda k: torch.full((2,), k, dtype=torch.bfloat16),
    "network": network,
    "partial": lambda k: partial(recipe, k=k),
    "partial of a partial": lambda k: partial(partial(recipe, k=k), options={}),
    "deep option": lambda k: partial(recipe, options={"a": [{"b": (k,)}]}),
    "depth": nested,
    "graphs in options": lambda k: partial(recipe, options={"graphs": [graph(), graph(k)]}),
    "keyword only": keyword_only,
    "closure": closing,
    "bound method": lambda k: Recipe(k).__call__,
    "object": Recipe,
    "options of an object": lambda k: Recipe(1, {"a": {"b": k}}),
    "slots": Slots,
    "cycle": ring,
    "code": lambda k: (lambda adata, seed: 1) if k == 1 else (lambda adata, seed: 2),
    "generator of numbers": np.random.default_rng,
    "set": lambda k: {1, "a", k + 1},
    "cached": lambda k: lru_cache(closing(k)),
    "class": lambda k: type("Made", (), {"__call__": closing(k), "__module__": "__main__"}),
    "attribute of a function": lambda k: put(closing(1), ".k", k),
    "bound builtin": lambda k: [k].count,
}


@pytest.mark.parametrize("what", MAKERS)
def test_content_decides(what):
    make = MAKERS[what]
    assert fingerprint(make(1)) == fingerprint(make(1))
    assert fingerprint(make(1)) != fingerprint(make(2))


def test_types_are_told_apart():
    values = [1, 1.0, True, "1", np.float32(1), np.int64(1), [1], (1,), {1}, {1: None}, None]
    assert len(set(map(fingerprint, values))) == len(values)
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])
    assert fingerprint([["a"], "b"]) != fingerprint([["a", "b"]])
    assert fingerprint({1: "a"}) != fingerprint({"1": "a"})


def test_what_does_not_decide_leaves_it():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"x", "y", "z"}) == fingerprint({"z", "y", "x"})
    view = np.arange(12.0).reshape(3, 4).T
    assert fingerprint(view) == fingerprint(np.ascontiguousarray(view))
    assert fingerprint(frame()) == fingerprint(frame().copy())
    assert fingerprint(cells()) == fingerprint(cells().copy()) == fingerprint(cells()[:])
    counted = lru_cache(closing(1))
    before = fingerprint(counted)
    counted(None, 0)
    assert fingerprint(counted) == before


def test_globals_that_a_function_reads_decide(monkeypatch):
    before = fingerprint(recipe)
    monkeypatch.setitem(GLOBAL, "k", 2)
    assert fingerprint(recipe) != before
    monkeypatch.setitem(GLOBAL, "k", 1)
    assert fingerprint(recipe) == before


def test_files_that_are_named_decide(tmp_path):
    file = tmp_path / "edges.tsv"
    for named in (file, str(file), tmp_path, partial(recipe, options={"file": str(file)})):
        file.write_text("A\tB\n")
        before = fingerprint(named)
        file.write_text("A\tC\n")
        assert fingerprint(named) != before
    assert fingerprint(Path("none")) == fingerprint(Path("none")) != fingerprint(Path("nil"))


def test_backed_and_lazy_data_count_by_content(tmp_path):
    cells().write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    again = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    assert fingerprint(backed) == fingerprint(again)
    put(cells(), ".X", sparse.csr_matrix(np.eye(5, 3, dtype=np.float32))).write_h5ad(
        tmp_path / "other.h5ad"
    )
    assert fingerprint(backed) != fingerprint(ad.read_h5ad(tmp_path / "other.h5ad", backed="r"))
    da = pytest.importorskip("dask.array")
    lazy = [da.from_array(np.full((4, 3), k), chunks=(2, 3)) for k in (1, 1, 2)]
    assert fingerprint(lazy[0]) == fingerprint(lazy[1]) != fingerprint(lazy[2])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((i for i in range(3)), "a generator"),
        (sys.stdout, "a "),
        ({"deep": [lambda: 1, closing(i for i in ())]}, "a generator"),
    ],
)
def test_what_has_no_content_is_named(value, message):
    with pytest.raises(NotHashable, match=message):
        fingerprint(value)


@pytest.mark.slow
def test_another_session_gives_the_same(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np, txpert as tx\n"
        "from functools import partial\n"
        "from txpert._fingerprint import fingerprint\n"
        "class Own:\n"
        "    def __init__(self, names): self.names = names\n"
        "    def __call__(self, adata, seed): return np.sum([len(n) for n in self.names])\n"
        "graph = tx.datasets.toy_graph()\n"
        "print(fingerprint(Own({'a', 'b', 'c'}), partial(tx.tl.fit_txpert, graphs=graph),\n"
        "                  lambda a: graph))\n"
    )
    told = {
        subprocess.run(
            [sys.executable, script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
