"""``txpert predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import txpert as tx

from . import _options as options
from ._files import read_h5ad, write_prediction


@click.command(
    epilog="""\b
Examples:
  txpert predict model KLF1 KLF1+BAK1 --out prediction.h5ad
  txpert predict model KLF1 --top 50 --out genes.csv
  txpert predict model --file labels.txt --cell-line K562 --out prediction.h5ad
  txpert predict model KLF1 --controls mine.h5ad --out prediction.h5ad
"""
)
@click.argument("model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("perturbations", nargs=-1)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write: .h5ad, or .csv with one row per perturbation and gene.",
)
@options.config
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Text file with one perturbation per line.",
)
@click.option(
    "--controls",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="h5ad of control cells to predict from, log-normalized.",
)
@click.option(
    "--cell-line", multiple=True, help="Cell line to predict in; repeatable, all by default."
)
@click.option(
    "--batch", multiple=True, help="Batch to predict in; repeatable, default the whole cell line."
)
@click.option(
    "--by-batch", is_flag=True, help="Predict for each batch instead of once per cell line."
)
@click.option("--std", is_flag=True, help="Add a standard deviation to every value of Δ.")
@click.option(
    "--top",
    type=click.IntRange(1),
    help="Keep this many genes per perturbation, those that change most (.csv only).",
)
def predict(model: Path, perturbations: tuple[str, ...], out: Path, **given: Any) -> None:
    """Predict perturbations with the model in a folder."""
    labels = list(perturbations)
    if given["file"] is not None:
        lines = given["file"].read_text(encoding="utf-8").splitlines()
        labels += [line.strip() for line in lines if line.strip()]
    if not labels:
        raise click.UsageError("Name perturbations, or a file with them by --file.")
    if out.suffix not in (".h5ad", ".csv"):
        raise click.UsageError(f"--out must end in .h5ad or .csv, not {out.suffix!r}.")
    if given["top"] is not None and out.suffix != ".csv":
        raise click.UsageError(f"--top is for a CSV: --out {out.with_suffix('.csv')}.")
    trained = tx.TxPertModel.load(str(model))
    prediction = trained.predict(
        labels,
        cell_line=list(given["cell_line"]) or None,
        batch=list(given["batch"]) or None,
        controls=None if given["controls"] is None else read_h5ad(str(given["controls"])),
        by_batch=given["by_batch"],
        return_std=given["std"],
    )
    write_prediction(prediction, out, given["top"])
