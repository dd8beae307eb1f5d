"""Arrays, frames and tables that are bad or odd, for metrics, graph builders and predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

import txpert as tx

from .expectations import RUNS, SAME, Expected, Refused, Works
from .screens import SINGLES, World

METRICS = ("pearson_delta", "spearman_delta", "cosine_delta", "mse", "rmse", "mae")
METRICS += ("direction_accuracy", "retrieval", "centroid_accuracy")
_ROWS, _GENES = ["A", "B", "C"], ["G1", "G2", "G3", "G4"]


@dataclass(frozen=True)
class Given:
    """A function and what it is given; ``clean`` is what the result must equal, if anything."""

    name: str
    call: Callable[[World], Any]
    expected: Expected
    clean: Callable[[World], Any] | None = None


def _frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    true = pd.DataFrame(rng.normal(size=(3, 4)), index=_ROWS, columns=_GENES)
    return true + rng.normal(size=(3, 4)), true


_PAIRS: dict[str, tuple[Callable[[pd.DataFrame, pd.DataFrame], tuple[Any, Any]], Expected]] = {
    "rows reordered": (lambda p, t: (p.iloc[::-1], t), SAME),
    "genes reordered": (lambda p, t: (p[_GENES[::-1]], t), SAME),
    "float32": (lambda p, t: (p.astype("float32"), t), SAME),
    "lists": (lambda p, t: (p.to_numpy().tolist(), t.to_numpy().tolist()), SAME),
    "other genes": (lambda p, t: (p.rename(columns={"G1": "X"}), t), Refused("'G1'")),
    "other rows": (lambda p, t: (p.rename(index={"A": "X"}), t), Refused("'A'")),
    "fewer genes": (lambda p, t: (p[_GENES[:3]], t), Refused("'G4'")),
    "more rows": (lambda p, t: (pd.concat([p, p.rename(index=str.lower)]), t), Refused("'a'")),
    "a gene twice": (
        lambda p, t: (p.set_axis(["G1", "G1", "G3", "G4"], axis=1), t),
        Refused("'G1' occurs more than once"),
    ),
    "a vector": (lambda p, t: (p.to_numpy()[0], t.to_numpy()[0]), Refused("must both have")),
    "other shapes": (lambda p, t: (p.to_numpy()[:, :3], t.to_numpy()), Refused("must both have")),
    "sparse": (lambda p, t: (sparse.csr_matrix(p), t.to_numpy()), Refused(".toarray")),
    "text": (lambda p, t: (p.astype(str).to_numpy(), t.to_numpy()), Refused("numbers")),
    "no Δ": (lambda p, t: (ad.AnnData(p), ad.AnnData(t)), Refused("delta")),
}


def _of_metrics():
    for metric in METRICS:
        function = getattr(tx.metrics, metric)
        for way, (change, expected) in _PAIRS.items():
            yield Given(
                f"{metric}, {way}",
                lambda world, f=function, c=change: f(*c(*_frames())),
                expected,
                lambda world, f=function: f(*_frames()),
            )


def _edges(**columns: Any) -> Callable[[World], Any]:
    usual = {"source": ["JAK2", "KLF1"], "target": ["KLF1", "STAT1"], "weight": [1.0, 2.0]}
    frame = pd.DataFrame(usual | columns)
    return lambda world: tx.graph.KnowledgeGraph.from_edges(frame, name="x").edges


def _of_edges():
    clean = _edges()
    missing = Refused("has no gene symbol")
    for text in (np.nan, None, "", " ", "nan", "None", "<NA>"):
        yield Given(f"from_edges, {text!r}", _edges(source=["JAK2", text]), missing)
    for weight in (np.nan, np.inf, -1, "a", None):
        yield Given(
            f"from_edges, weight {weight!r}",
            _edges(weight=[1.0, weight]),
            Refused("weights must be finite|has weight"),
        )
    yield Given("from_edges, spaces", _edges(source=[" JAK2", "KLF1 "]), SAME, clean)
    yield Given("from_edges, weights as text", _edges(weight=["1", "2.0"]), SAME, clean)
    yield Given(
        "from_edges, categories", _edges(source=pd.Categorical(["JAK2", "KLF1"])), SAME, clean
    )


def _features(change: Callable[[pd.DataFrame], Any]) -> Callable[[World], Any]:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 4)), index=SINGLES[:6])
    frame.columns = list("abcd")
    return lambda world: tx.graph.from_features(
        change(frame.copy()), name="x", top_fraction=1
    ).edges.sort_values(["target", "source"], ignore_index=True)


def _put(value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype(object if isinstance(value, str) else float)
        frame.iloc[2, 1] = value
        return frame

    return change


def _of_features():
    clean = _features(lambda frame: frame)
    for value in (np.nan, np.inf):
        yield Given(f"from_features, {value}", _features(_put(value)), Refused("'KLF1'.*finite"))
    yield Given("from_features, text", _features(_put("a")), Refused("not numeric"))
    for name in ("", "nan", None):
        renamed = _features(lambda f, n=name: f.set_axis([n, *f.index[1:]], axis=0))
        yield Given(f"from_features, named {name!r}", renamed, Refused("no gene name"))
    yield Given(
        "from_features, spaces",
        _features(lambda f: f.rename(index=lambda n: f" {n}")),
        SAME,
        clean,
    )
    yield Given("from_features, AnnData", _features(ad.AnnData), SAME, clean)
    yield Given("from_features, empty", _features(lambda f: f.iloc[:0]), RUNS)


def _gmt(text: str) -> Callable[[World], Any]:
    def call(world: World) -> Any:
        path = world.folder / "given.gmt"
        path.write_text(text)
        return tx.graph.from_gmt(path, name="sets").edges

    return call


def _of_sets():
    clean = "a\t\tJAK2\tSTAT1\tKLF1\nb\t\tJAK2\tKLF1\n"
    yield Given("from_gmt, empty", _gmt(""), Refused("no gene sets"))
    yield Given("from_gmt, no tabs", _gmt("a JAK2 STAT1\n"), Refused("line 1"))
    yield Given("from_gmt, nan", _gmt(clean + "c\t\tnan\tKLF1\tJAK2\n"), Works(False, "'nan'"))
    yield Given("from_gmt, spaces", _gmt(clean.replace("JAK2", " JAK2 ")), SAME, _gmt(clean))
    yield Given("from_gmt, Windows", _gmt(clean.replace("\n", "\r\n")), SAME, _gmt(clean))
    yield Given("from_gmt, mouse", _gmt("a\t\tJak2\tStat1\tKlf1\n"), Refused("mouse"))


def _scipy(matrix: Any, nodes: Any = ("JAK2", "KLF1")) -> Callable[[World], Any]:
    return lambda world: tx.graph.from_scipy(matrix, nodes, name="x").edges


def _of_matrices():
    matrix = sparse.csr_matrix([[0.0, 1.0], [2.0, 0.0]])
    for kind in ("csc", "coo", "lil", "dia", "bsr"):
        yield Given(f"from_scipy, {kind}", _scipy(matrix.asformat(kind)), SAME, _scipy(matrix))
    yield Given("from_scipy, array", _scipy(matrix.toarray()), SAME, _scipy(matrix))
    for value, message in ((np.nan, "finite"), (-1, "not negative"), (np.inf, "finite")):
        bad = sparse.csr_matrix([[0, value], [1, 0]])
        yield Given(f"from_scipy, {value}", _scipy(bad), Refused(message))
    yield Given("from_scipy, shape", _scipy(matrix, ["JAK2"]), Refused("shape"))
    yield Given("from_scipy, nodes twice", _scipy(matrix, ["JAK2", "JAK2"]), Refused("'JAK2'"))
    yield Given("from_scipy, nan", _scipy(matrix, ["JAK2", "nan"]), Refused("'nan'"))
    yield Given("from_scipy, text", _scipy(matrix.toarray().astype(str)), Refused("number"))


def _stored(change: Callable[[ad.AnnData], Any]) -> Callable[[World], Any]:
    def call(world: World) -> Any:
        prediction = world.model.predict(["JAK2", "TP53", "JAK2+STAT1"])
        stored = tx.baselines.StoredPrediction(change(prediction))
        return stored.predict(["JAK2", "TP53"], controls=world.model.control_profiles).to_df(
            "delta"
        )

    return call


def _relabeled(new: Any) -> Callable[[ad.AnnData], ad.AnnData]:
    def change(prediction: ad.AnnData) -> ad.AnnData:
        labels = prediction.obs["perturbation"].astype(object)
        prediction.obs["perturbation"] = labels.where(labels != "TP53", new)
        return prediction

    return change


def _delta(convert: Callable[[np.ndarray], Any]) -> Callable[[ad.AnnData], ad.AnnData]:
    def change(prediction: ad.AnnData) -> ad.AnnData:
        prediction.layers["delta"] = convert(np.asarray(prediction.layers["delta"]))
        return prediction

    return change


def _of_predictions():
    clean = _stored(lambda prediction: prediction)
    same = {
        "rows reordered": lambda p: p[::-1].copy(),
        "genes reordered": lambda p: p[:, ::-1].copy(),
        "sparse": _delta(sparse.csr_matrix),
        "csr_array": _delta(sparse.csr_array),
        "float64": _delta(lambda x: x.astype(float)),
        "big-endian": _delta(lambda x: x.astype(">f4")),
        "objects": _delta(lambda x: x.astype(object)),
        "masked": _delta(np.ma.masked_array),
    }
    for way, change in same.items():
        yield Given(f"StoredPrediction, {way}", _stored(change), SAME, clean)
    for text in (np.nan, None, "", "nan"):
        yield Given(
            f"StoredPrediction, {text!r}",
            _stored(_relabeled(text)),
            Refused("'perturbation'|perturbation"),
        )
    yield Given(
        "StoredPrediction, JAK2 twice",
        _stored(_relabeled("JAK2")),
        Refused("more than one row for JAK2"),
    )
    yield Given(
        "StoredPrediction, genes fewer",
        _stored(lambda p: p[:, :-2].copy()),
        Refused("lacks 2 of 12 genes, 'CEBPA'"),
    )
    yield Given(
        "StoredPrediction, gene twice",
        _stored(lambda p: p[:, [0, *range(11)]].copy()),
        Refused("'JAK2'"),
    )
    yield Given(
        "StoredPrediction, no Δ",
        _stored(lambda p: ad.AnnData(p.X, p.obs, p.var)),
        Refused("no layers"),
    )
    yield Given("StoredPrediction, a frame", _stored(lambda p: p.to_df()), Refused("AnnData"))


def _of_other_objects():
    functions = {
        "setup_anndata": tx.TxPertModel.setup_anndata,
        "setup_mudata": tx.TxPertModel.setup_mudata,
        "pp.pseudobulk": tx.pp.pseudobulk,
        "pp.split": tx.pp.split,
        "pp.split_fold": lambda data: tx.pp.split_fold(data, 0),
        "pp.check_split": tx.pp.check_split,
        "pp.filter_perturbations": tx.pp.filter_perturbations,
        "pp.highly_variable_genes": tx.pp.highly_variable_genes,
        "pp.mark_unmeasured": tx.pp.mark_unmeasured,
        "pp.harmonize_labels": tx.pp.harmonize_labels,
        "pp.normalize": tx.pp.normalize,
        "tl.ceiling": tx.tl.ceiling,
        "tl.fit_baseline": lambda data: tx.tl.fit_baseline(data, kind="mean"),
        "MeanBaseline.fit": tx.baselines.MeanBaseline().fit,
        "benchmark": lambda data: tx.benchmark(data, {"mean": "mean"}),
        "from_screen": tx.graph.from_screen,
        "StoredPrediction": tx.baselines.StoredPrediction,
    }
    for name, function in functions.items():
        for other in (None, "cells.h5ad", pd.DataFrame({"G": [1.0]})):
            yield Given(
                f"{name}, {type(other).__name__}",
                lambda world, f=function, o=other: f(o),
                Refused("is an AnnData, not|is a MuData, not"),
            )


GIVEN = [
    *_of_other_objects(),
    *_of_metrics(),
    *_of_edges(),
    *_of_features(),
    *_of_sets(),
    *_of_matrices(),
    *_of_predictions(),
]
