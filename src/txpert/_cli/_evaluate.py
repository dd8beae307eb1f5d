"""``txpert evaluate``, ``txpert report`` and ``txpert benchmark``."""

from __future__ import annotations

from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import click
import pandas as pd
from anndata import AnnData

import txpert as tx
from txpert._constants import SPLIT
from txpert.baselines._registry import BASELINES, make_baseline
from txpert.splits._task import TASKS

from . import _options as options
from ._files import add_split, read_graphs, read_screen, write_table

_SCREEN = click.argument("screen", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.command(
    epilog="""\b
Examples:
  txpert evaluate screen.h5ad model
  txpert evaluate screen.h5ad model_a model_b --out scores.csv
"""
)
@_SCREEN
@click.argument(
    "models",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@options.config
@click.option(
    "--split", default="test", show_default=True, help="Split to score: test, val or train."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV to write, with the scores of every perturbation.",
)
def evaluate(screen: Path, models: tuple[Path, ...], split: str, out: Path | None) -> None:
    """Score models on held-out perturbations of a screen, next to the general baseline.

    Columns are those that the first model was trained with, and so is the split where the screen
    has none.
    """
    if len({path.name for path in models}) < len(models):
        raise click.UsageError("The models' folders need names of their own.")
    adata = _screen_of(models[0], screen)
    loaded = {path.name: tx.TxPertModel.load(str(path), adata) for path in models}
    summary = tx.tl.evaluate(adata, loaded, split=split)
    click.echo(summary.round(3).to_string())
    if out is not None:
        write_table(adata.uns["txpert"]["metrics"], out)


@click.command(
    epilog="""\b
Examples:
  txpert report screen.h5ad model --out report.html
"""
)
@_SCREEN
@click.argument("model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.config
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="HTML file to write.",
)
@click.option(
    "--title",
    default="Perturbation screen and model",
    show_default=True,
    help="Title of the report.",
)
def report(screen: Path, model: Path, out: Path, title: str) -> None:
    """Write a report on a screen and a model as one HTML file that opens offline."""
    adata = _screen_of(model, screen)
    written = tx.report(adata, tx.TxPertModel.load(str(model), adata), out, title=title)
    click.echo(f"Wrote {written}.")


@click.command(
    epilog="""\b
Examples:
  txpert benchmark screen.h5ad --model mean --model ridge --out result
  txpert benchmark screen.h5ad --model txpert --model general --graph go --folds 5 --out result
"""
)
@_SCREEN
@options.out_folder
@options.config
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    type=click.Choice(["txpert", *sorted(BASELINES)]),
    help="'txpert' or a baseline; repeatable.",
)
@options.graphs
@options.columns
@click.option(
    "--task",
    type=click.Choice(sorted(TASKS)),
    help="Task of the splits to draw; default: the split that the screen has.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of seeds, each with a split of its own if one is drawn.",
)
@click.option(
    "--folds",
    type=click.IntRange(2),
    help="Number of folds of cross-validation (unseen_perturbation).",
)
@click.option(
    "--ceiling-repeats",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Repeats of the ceilings; 0 leaves them out.",
)
@click.option(
    "--max-epochs",
    type=click.IntRange(1),
    help="Maximum number of epochs of txpert; default as in 'txpert train'.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of fits at the same time.",
)
def benchmark(
    screen: Path, out: Path, models: tuple[str, ...], graphs: tuple[str, ...], **given: Any
) -> None:
    """Compare models and baselines on a screen; a call that is repeated goes on."""
    columns = options.columns_given(given)
    adata = read_screen(screen, columns)
    needed = any(_takes_graphs(name) for name in models)
    known = read_graphs(graphs or (("go",) if needed else ()), tx.get.genes(adata))
    epochs = {} if given["max_epochs"] is None else {"max_epochs": given["max_epochs"]}
    fit = partial(tx.tl.fit_txpert, graphs=known, train=epochs)
    recipes = {
        name: fit if name == "txpert" else make_baseline(name, **_options(name, known))
        for name in models
    }
    result = tx.benchmark(
        adata,
        recipes,
        given["task"] or ("unseen_perturbation" if given["folds"] else None),
        list(range(given["seeds"])),
        n_folds=given["folds"],
        ceiling_repeats=given["ceiling_repeats"],
        folder=out,
        n_jobs=given["jobs"],
        layer=columns.get("layer"),
    )
    shown = result.summary("pearson_delta").round(3)
    click.echo(pd.DataFrame(shown).dropna(axis=1, how="all").to_string(index=False))
    click.echo(f"The result is in {out}: tx.BenchmarkResult.load({str(out)!r})", err=True)


def _options(name: str, graphs: list[tx.graph.KnowledgeGraph]) -> dict[str, Any]:
    """Return graphs for a baseline that takes some."""
    return {"graphs": graphs} if _takes_graphs(name) else {}


def _takes_graphs(name: str) -> bool:
    return name == "txpert" or "graphs" in signature(BASELINES[name].cls).parameters


def _screen_of(model: Path, screen: Path) -> AnnData:
    """Read a screen with the columns and, where it has none, the split of a trained model."""
    registry = tx.TxPertModel.load_registry(str(model))["setup_args"]
    columns = {name: registry[name] for name in options.KEYS if registry.get(name) is not None}
    adata = read_screen(screen, columns)
    add_split(model, adata, registry.get("split_key") or SPLIT)
    return adata
