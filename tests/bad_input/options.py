"""Options that are wrong by name, type, range or finiteness, of every public function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import txpert as tx

from .screens import SINGLES, World

NAN, INF = float("nan"), float("inf")
WHOLE = ("a", 1.5, NAN, -1, [1])
POSITIVE = (*WHOLE, 0)
SEED = ("a", 1.5, NAN, -1)
NUMBER = ("a", NAN, INF, [1])
FRACTION = (*NUMBER, -0.1, 1.5)
CHOICE = ("nope", 3, None)
KEY = ("nope", 3)
NEW = (3, "", None, "a/b")
FLAG = ("a", 2, None)

SIGNATURE = {gene: float(i) - 3 for i, gene in enumerate(SINGLES)}

Call = Callable[[World, dict[str, Any]], Any]


def _on_screen(function: Callable[..., Any], *arguments: Any) -> Call:
    return lambda world, options: function(world.clean.copy(), *arguments, **options)


def _normalize(world: World, options: dict[str, Any]) -> Any:
    adata = world.clean.copy()
    adata.X = adata.layers["counts"].copy()
    return tx.pp.normalize(adata, **options)


def _model(world: World, options: dict[str, Any]) -> Any:
    adata = world.clean.copy()
    tx.TxPertModel.setup_anndata(adata)
    return tx.TxPertModel(adata, **{"graphs": world.graph, "n_latent": 4, "n_hidden": 4} | options)


def _train(world: World, options: dict[str, Any]) -> Any:
    return world.untrained.train(**{"max_epochs": 1, "enable_progress_bar": False} | options)


def _setup(world: World, options: dict[str, Any]) -> Any:
    return tx.TxPertModel.setup_anndata(world.clean.copy(), **options)


def _predict(world: World, options: dict[str, Any]) -> Any:
    return world.model.predict(**{"perturbations": ["JAK2"]} | options)


def _effects(world: World, options: dict[str, Any]) -> Any:
    frame = pd.DataFrame(np.eye(2), index=["A", "B"], columns=["G", "H"])
    return tx.pp.from_effects(**{"frame": frame} | options)


def _features(world: World, options: dict[str, Any]) -> Any:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(6, 4)), index=SINGLES[:6])
    return tx.graph.from_features(**{"features": frame, "name": "x", "top_fraction": 1} | options)


def _screen_graph(world: World, options: dict[str, Any]) -> Any:
    table = tx.pp.pseudobulk(world.clean.copy())
    return tx.graph.from_screen(table[(table.obs["split"] == "train")].copy(), **options)


def _gmt(world: World, options: dict[str, Any]) -> Any:
    path = world.folder / "sets.gmt"
    path.write_text("a\t\tJAK2\tSTAT1\tKLF1\nb\t\tJAK2\tKLF1\n")
    return tx.graph.from_gmt(**{"path": path, "name": "sets"} | options)


def _edges(world: World, options: dict[str, Any]) -> Any:
    frame = pd.DataFrame({"source": ["JAK2", "KLF1"], "target": ["KLF1", "STAT1"], "weight": 1.0})
    return tx.graph.KnowledgeGraph.from_edges(**{"edges": frame, "name": "x"} | options)


def _of_graph(name: str) -> Call:
    return lambda world, options: getattr(world.graph, name)(**options)


def _arrays(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Call:
    arrays = [np.random.default_rng(0).normal(size=shape) for shape in shapes]
    return lambda world, options: function(*arrays, **options)


def _evaluate(world: World, options: dict[str, Any]) -> Any:
    adata = world.clean.copy()
    return tx.tl.evaluate(adata, **{"model": world.model} | options)


def _cells(world: World, options: dict[str, Any]) -> Any:
    return tx.tl.predict(world.clean.copy(), **{"model": world.model} | options)


def _benchmark(world: World, options: dict[str, Any]) -> Any:
    usual = {"models": {"mean": "mean"}, "ceiling_repeats": 0}
    return tx.benchmark(world.clean.copy(), **usual | options)


def _baseline(kind: Callable[..., Any]) -> Call:
    return lambda world, options: kind(**options).fit(world.clean.copy())


def _with_graph(kind: Callable[..., Any]) -> Call:
    return lambda world, options: kind(graphs=world.graph, **options).fit(world.clean.copy())


def _plot(function: Callable[..., Any], *arguments: Any) -> Call:
    return lambda world, options: function(world.evaluated, *arguments, **options)


_OBS = {f"{name}_key": KEY for name in ("perturbation", "control", "batch", "cell_line")}
_LINE = {name: KEY for name in _OBS if name != "batch_key"}
_DRAW = {"seed": SEED, "key_added": NEW, "control_label": ("nope", 3), "stratify": CHOICE[:2]}
_TARGET_SUM = ("a", NAN, INF, -1, 0, True)

OPTIONS: dict[str, tuple[Call, dict[str, tuple[Any, ...]]]] = {
    "setup_anndata": (
        _setup,
        _OBS
        | {"split_key": KEY, "modality_key": KEY, "layer": KEY, "embedding_key": KEY}
        | {"target_sum": _TARGET_SUM, "perturbation_kee": ("perturbation",)},
    ),
    "TxPertModel": (
        _model,
        {"encoder": CHOICE[:2], "node_inputs": CHOICE[:2], "basal": CHOICE[:2]}
        | {"matching": CHOICE, "combination": CHOICE, "decoding": CHOICE, "components": CHOICE}
        | {"n_latent": POSITIVE, "n_hidden": POSITIVE, "dropout": FRACTION}
        | {"graphs": ("nope", 3, [3]), "extra_nodes": (3,)},
    ),
    "train": (
        _train,
        {"max_epochs": POSITIVE, "lr": (*NUMBER, 0, -1), "batch_size": POSITIVE}
        | {"unit": CHOICE[:2], "controls": CHOICE, "early_stopping": FLAG, "refit": FLAG}
        | {"early_stopping_patience": POSITIVE, "plan_kwargs": ({"nope": 1}, 3)}
        | {"accelerator": ("nope",), "devices": (99, "a", 0), "nope": (1,), "checkpoint": (3,)},
    ),
    "predict": (
        _predict,
        {"perturbations": (3, [], [3], [None], ["JAK2+"], {}), "cell_line": KEY, "unknown": CHOICE}
        | {"batch": ("nope",), "controls": (3, "nope"), "batch_size": POSITIVE}
        | {"return_std": FLAG},
    ),
    "pp.pseudobulk": (
        _on_screen(tx.pp.pseudobulk),
        _OBS | {"layer": KEY, "target_sum": _TARGET_SUM, "control_label": ("nope", 3)},
    ),
    "pp.split": (
        _on_screen(tx.pp.split),
        _LINE
        | _DRAW
        | {"task": CHOICE[:2], "measured": (0.5,), "test_cell_line": ("K562",)}
        | {"fractions": ("a", (0.5, 0.5), (1, 1, 1), (NAN, 0.5, 0.5), 3, ("a", "b", "c"))},
    ),
    "pp.split_fold": (
        lambda world, options: tx.pp.split_fold(world.clean.copy(), **{"fold": 0} | options),
        _LINE | _DRAW | {"fold": WHOLE, "n_folds": POSITIVE, "val_fraction": FRACTION},
    ),
    "pp.check_split": (
        _on_screen(tx.pp.check_split),
        _OBS | {"errors": CHOICE, "task": CHOICE[:2], "layer": KEY, "graphs": (3, "nope")},
    ),
    "pp.filter_perturbations": (
        _on_screen(tx.pp.filter_perturbations),
        _LINE
        | {"min_cells": NUMBER, "min_de_genes": NUMBER, "max_target_expression": NUMBER}
        | {"method": CHOICE, "layer": KEY, "key_added": NEW},
    ),
    "pp.highly_variable_genes": (
        _on_screen(tx.pp.highly_variable_genes),
        _LINE
        | {"n_top_genes": POSITIVE, "cell_line": KEY, "flavor": CHOICE, "layer": KEY}
        | {"keep_targets": FLAG, "split_key": KEY},
    ),
    "pp.mark_unmeasured": (
        _on_screen(tx.pp.mark_unmeasured),
        {"genes": ({"K562": ["NOPE"]}, {"NOPE": ["JAK2"]}, 3), "cell_line_key": KEY, "layer": KEY},
    ),
    "pp.harmonize_labels": (
        _on_screen(tx.pp.harmonize_labels),
        {"controls": ("nope", 3), "guides": FLAG, "perturbation_key": KEY, "control_key": ("", 3)},
    ),
    "pp.normalize": (
        _normalize,
        {"target_sum": _TARGET_SUM, "counts_layer": NEW},
    ),
    "pp.from_effects": (
        _effects,
        {"n_cells": ("a", NAN, 0, [1], -1, 1.5), "cell_line": (["a"], None, [None, "a"])}
        | {"modality": (["a"], [None, "a"]), "frame": (3, "nope", np.eye(2))},
    ),
    "tl.evaluate": (
        _evaluate,
        {"split": ("nope", 3), "key_added": NEW, "baselines": (3, {"a": 3}), "model": (3, {})},
    ),
    "tl.predict": (_cells, {"key_added": (*NEW, "X_"), "model": (3,)}),
    "tl.interactions": (
        _on_screen(tx.tl.interactions),
        {"k": POSITIVE, "n_genes": POSITIVE, "key_added": NEW},
    ),
    "tl.screen_report": (_on_screen(tx.tl.screen_report), {"key_added": NEW, "seed": SEED}),
    "tl.trust": (
        lambda world, options: tx.tl.trust(world.evaluated, **options),
        {"n_levels": POSITIVE, "key_added": NEW, "prediction": (3, "x")}
        | {"knowledge": ({"JAK2": "Tdark"},)},
    ),
    "tl.enrichment": (
        lambda world, options: tx.tl.enrichment(
            **{"genes": ["JAK2"], "background": SINGLES} | options
        ),
        {"n_genes": POSITIVE, "min_size": POSITIVE, "max_size": (*POSITIVE, 4), "key_added": NEW}
        | {"genes": ("JAK2", 3, {"a": "JAK2"}), "background": ("JAK2", 3)},
    ),
    "tl.screen": (
        lambda world, options: tx.tl.screen(
            **{"model": world.model, "signature": SIGNATURE, "enable_progress_bar": False}
            | options
        ),
        {"top": POSITIVE, "min_specific": FRACTION, "genes": ("JAK2", 3), "order": (3, "a")},
    ),
    "tl.match": (
        lambda world, options: tx.tl.match(
            **{"profile": SIGNATURE, "reference": world.model} | options
        ),
        {"top": POSITIVE, "min_specific": FRACTION, "of": CHOICE},
    ),
    "tl.propose": (
        lambda world, options: tx.tl.propose(**{"model": world.model, "n": 1} | options),
        {"n": POSITIVE, "seed": SEED, "strategy": CHOICE, "cost": ([1, 2], 3)}
        | {"candidates": ("JAK2", 3)},
    ),
    "get.delta_df": (
        lambda world, options: tx.get.delta_df(world.model.predict("JAK2"), **options),
        {
            "top": (*POSITIVE, True, "3"),
            "direction": CHOICE,
            "cell_line": KEY,
            "perturbation": KEY,
        },
    ),
    "tl.ceiling": (
        lambda world, options: tx.tl.ceiling(
            world.clean.copy(), **{"kind": ["sampled"], "n_repeats": 1} | options
        ),
        _OBS
        | {"kind": CHOICE[:2], "n_repeats": POSITIVE, "split": ("nope", 3), "seed": SEED}
        | {"layer": KEY, "counts_layer": KEY, "key_added": NEW},
    ),
    "tl.fit_baseline": (
        _on_screen(tx.tl.fit_baseline),
        {"kind": CHOICE},
    ),
    "benchmark": (
        _benchmark,
        _OBS
        | {"models": (3, {"a": 3}, {"a": "nope"}, {3: "mean"}), "task": CHOICE[:2]}
        | {"seeds": ("a", 1.5, NAN, [], [1, 1], [1.5], -1), "n_folds": (3, "a")}
        | {"baseline": CHOICE[:2], "split_options": ({"a": 1},), "ceiling_repeats": WHOLE}
        | {"n_jobs": POSITIVE, "layer": KEY, "folder": (3,)},
    ),
    "NeighborsBaseline": (
        _with_graph(tx.baselines.NeighborsBaseline),
        {"k": POSITIVE, "shrinkage": ("a", NAN, [1], -1)},
    ),
    "RidgeBaseline": (
        _baseline(tx.baselines.RidgeBaseline),
        {"penalty": (*NUMBER, -1), "n_components": POSITIVE, "features": (3, "nope")},
    ),
    "LinearPCABaseline": (
        _baseline(tx.baselines.LinearPCABaseline),
        {"penalty": (*NUMBER, -1), "n_components": POSITIVE},
    ),
    "WeightedCellLineBaseline": (
        _baseline(tx.baselines.WeightedCellLineBaseline),
        {"temperature": (*NUMBER, 0, -1)},
    ),
    "BatchOnlyBaseline": (_baseline(tx.baselines.BatchOnlyBaseline), {"penalty": (*NUMBER, -1)}),
    "KernelBaseline": (
        _baseline(tx.baselines.KernelBaseline),
        {"graphs": (3, "nope"), "features": (3, {"a": 3})},
    ),
    "from_features": (
        _features,
        {"metric": CHOICE, "sign": CHOICE, "top_fraction": FRACTION, "k": POSITIVE}
        | {"missing": CHOICE, "genes": ("JAK2", 3, ["NOPE"]), "features": (3, "nope")},
    ),
    "from_screen": (
        _screen_graph,
        {"nodes": CHOICE, "metric": CHOICE, "sign": CHOICE, "top_fraction": FRACTION}
        | {"k": POSITIVE, "layer": KEY},
    ),
    "from_gmt": (
        _gmt,
        {"k": POSITIVE, "threshold": NUMBER, "min_size": WHOLE, "max_size": WHOLE}
        | {"genes": ("JAK2", ["NOPE"], 3), "path": ("nope.gmt", 3)},
    ),
    "from_edges": (
        _edges,
        {"source": KEY, "target": KEY, "weight": KEY, "negative": CHOICE, "min_weight": NUMBER}
        | {"k": POSITIVE, "genes": ("JAK2", ["NOPE"], 3), "edges": ("nope.tsv", 3)},
    ),
    "drop": (
        lambda world, options: world.graph.drop(**{"fraction": 0.5} | options),
        {"fraction": FRACTION, "seed": SEED},
    ),
    "rewire": (
        lambda world, options: world.graph.rewire(**{"fraction": 0.5} | options),
        {"fraction": FRACTION, "seed": SEED, "which": CHOICE},
    ),
    "top_k": (_of_graph("top_k"), {"k": POSITIVE}),
    "top_fraction": (_of_graph("top_fraction"), {"fraction": FRACTION}),
    "threshold": (_of_graph("threshold"), {"minimum": NUMBER}),
    "restrict": (_of_graph("restrict"), {"genes": ("JAK2", 3)}),
    "match": (_of_graph("match"), {"genes": ("JAK2", 3, ["NOPE"], [])}),
    "normalize": (_of_graph("normalize"), {"how": CHOICE}),
    "save": (_of_graph("save"), {"path": ("/nowhere/x.npz", 3)}),
    "spectral_embedding": (
        lambda world, options: tx.graph.spectral_embedding(
            **{"graphs": world.graph, "n_components": 4} | options
        ),
        {"n_components": POSITIVE, "seed": SEED, "graphs": (3, [])},
    ),
    "coverage_table": (
        lambda world, options: tx.graph.coverage_table(
            **{"graphs": [world.graph], "genes": ["JAK2"]} | options
        ),
        {"graphs": (3, []), "genes": ("JAK2", 3)},
    ),
    "map_genes": (lambda world, options: tx.graph.map_genes(**options), {"names": ("JAK2", 3)}),
    "fetch": (lambda world, options: tx.graph.fetch(**options), {"source": ("nope", 3)}),
    "go": (
        lambda world, options: tx.graph.go(SINGLES, **options),
        {"k": POSITIVE, "threshold": NUMBER, "ontologies": (["nope"], []), "evidence": (["no"],)}
        | {"term_weights": CHOICE},
    ),
    "simulate": (
        lambda world, options: tx.datasets.simulate(
            **{"n_perturbations": 4, "n_genes": 8, "n_cells": 4} | options
        ),
        {"n_perturbations": POSITIVE, "n_genes": POSITIVE, "n_cells": POSITIVE, "seed": SEED}
        | {"n_controls": POSITIVE, "n_batches": POSITIVE, "n_cell_lines": POSITIVE}
        | {"n_doubles": WHOLE, "graph": (3,), "parameters": (3,)},
    ),
    "metrics.retrieval": (
        _arrays(tx.metrics.retrieval, (3, 5), (3, 5)),
        {"by": CHOICE, "n_sampled": POSITIVE, "seed": SEED},
    ),
    "metrics.top_genes": (_arrays(tx.metrics.top_genes, (3, 5)), {"k": POSITIVE}),
    "metrics.bootstrap_interval": (
        _arrays(tx.metrics.bootstrap_interval, (9,)),
        {"level": FRACTION, "n_resamples": POSITIVE, "seed": SEED},
    ),
    "metrics.paired_test": (
        _arrays(tx.metrics.paired_test, (9,), (9,)),
        {"level": FRACTION, "n_resamples": POSITIVE, "seed": SEED},
    ),
    "pl.scores": (
        _plot(tx.pl.scores),
        {"metric": CHOICE[:2], "model": KEY, "baseline": KEY, "n_labels": WHOLE, "key": KEY}
        | {"ax": (3,)},
    ),
    "pl.delta": (
        _plot(tx.pl.delta, "MAPK1"),
        {"cell_line": KEY, "model": KEY, "n_labels": WHOLE, "key": KEY, "ax": (3,)},
    ),
}


MESSAGES = {
    ("predict", "perturbations"): "perturbation",
    ("pp.mark_unmeasured", "genes"): "'NOPE'|genes is a dictionary",
    ("pp.highly_variable_genes", "cell_line"): "There is no cell line",
    ("tl.evaluate", "model"): "takes a TxPertModel|model has 3",
    ("tl.fit_baseline", "kind"): "There is no baseline",
    (
        "benchmark",
        "models",
    ): "There is no baseline|[Tt]he model 'a'|name of a model is a string|models",
    ("benchmark", "baseline"): "name of a model is a string|There is no baseline",
    ("from_gmt", "path"): "nope.gmt|path",
    ("from_edges", "edges"): "nope.tsv|path",
    ("save", "path"): "/nowhere|path",
    ("fetch", "source"): "'nope'|3",
    ("coverage_table", "graphs"): "[Gg]raph",
    ("spectral_embedding", "graphs"): "graph",
    ("pl.scores", "baseline"): "There is no model",
    ("pl.scores", "key"): r"adata.uns\[",
    ("pl.delta", "key"): r"adata.uns\[",
    ("pl.delta", "cell_line"): "There is no cell line",
}
"""What messages say where they do not name the option."""


def message_of(name: str, option: str) -> str:
    """Return what the message about an option must match; lists of genes say so."""
    if option == "genes":
        return MESSAGES.get((name, option), "gene")
    return MESSAGES.get((name, option), option)


def option_cells() -> list[tuple[str, str, Any]]:
    """Return function, option and bad value of each cell."""
    return [
        (name, option, value)
        for name, (_, options) in OPTIONS.items()
        for option, values in options.items()
        for value in values
    ]
