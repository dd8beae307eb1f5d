"""``txpert train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import txpert as tx
from txpert._constants import SPLIT
from txpert.model._component import COMPONENTS
from txpert.nn._registry import ENCODERS
from txpert.splits._task import TASKS

from . import _options as options
from ._files import read_graphs, read_screen, write_split

_SPLITTING = ("task", "test_cell_line", "val_cell_line", "measured")
_TRAINING = ("max_epochs", "batch_size", "lr", "accelerator", "devices", "refit", "checkpoint")


@click.command(
    epilog="""\b
Examples:
  txpert train screen.h5ad --out model
  txpert train screen.h5ad --graph go --graph string.npz --encoder exphormer --out model
  txpert train screen.h5ad --control-label non-targeting --perturbation-key gene --out model
  txpert train screen.h5ad --task unseen_cell_line --test-cell-line K562 --out model
  txpert train screen.h5ad --config run.toml --out model
"""
)
@click.argument("screen", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.out_folder
@options.config
@options.graphs
@options.columns
@click.option(
    "--task",
    type=click.Choice(sorted(TASKS)),
    help="Task of the split, if one is drawn; default unseen_perturbation.",
)
@click.option("--test-cell-line", help="Cell line to hold out (tasks about cell lines).")
@click.option(
    "--val-cell-line",
    help="Cell line for validation (unseen_cell_line); default: perturbations of the other lines.",
)
@click.option(
    "--measured",
    type=float,
    callback=lambda _, __, value: int(value) if value and value.is_integer() else value,
    help="Perturbations measured in the test cell line (few_shot_cell_line): fraction or number.",
)
@click.option(
    "--encoder",
    default="bmp",
    show_default=True,
    type=click.Choice(sorted(ENCODERS)),
    help="Graph encoder of the network.",
)
@click.option(
    "--component",
    "components",
    multiple=True,
    type=click.Choice(sorted(COMPONENTS)),
    help="Component of the ensemble; repeatable, all by default.",
)
@click.option(
    "--max-epochs",
    type=click.IntRange(1),
    help="Maximum number of epochs; default: 3,000 optimizer steps, but 20 to 500 epochs.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    help="Rows of a minibatch, over all devices; default 128.",
)
@click.option("--lr", type=float, help="Learning rate; default 0.002.")
@click.option(
    "--accelerator", default="auto", show_default=True, help="Hardware: cpu, gpu, mps or auto."
)
@click.option(
    "--devices", default="auto", show_default=True, help="How many devices, or which (0,1)."
)
@click.option(
    "--refit/--no-refit",
    default=True,
    show_default=True,
    help="Whether to train again, on training and validation perturbations together.",
)
@click.option(
    "--checkpoint",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for resuming an interrupted training.",
)
@options.seed
@options.overwrite
def train(screen: Path, out: Path, graphs: tuple[str, ...], seed: int, **given: Any) -> None:
    """Train a model on a screen (h5ad) and save it in a folder.

    A split is drawn unless the screen has one; with --task and a new column in --split-key it is
    drawn all the same. Without --graph the packaged Gene Ontology connects
    the genes.
    """
    import scvi

    scvi.settings.seed = seed
    columns = options.columns_given(given)
    if out.exists() and not given["overwrite"]:
        raise click.UsageError(f"{out} exists: name another folder, or --overwrite.")
    drawn_by = {name: given[name] for name in _SPLITTING if given[name] is not None}
    adata = read_screen(screen, columns, drawn_by and {**drawn_by, "seed": seed})
    key = columns.get("split_key", SPLIT)
    if key not in adata.obs:
        tx.pp.split(adata, seed=seed, key_added=key)
    model = tx.TxPertModel(
        adata,
        read_graphs(graphs or ("go",), tx.get.genes(adata)),
        encoder=given["encoder"],
        **({"components": given["components"]} if given["components"] else {}),
    )
    model.train(**{name: given[name] for name in _TRAINING if given[name] is not None})
    model.save(out, overwrite=given["overwrite"])
    write_split(out, adata, key)
    click.echo(repr(model))
    click.echo(f"The model is in {out}.", err=True)
