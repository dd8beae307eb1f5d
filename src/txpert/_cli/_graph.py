"""``txpert graph build`` and ``txpert graph coverage``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pandas as pd

import txpert as tx
from txpert._files import replacing
from txpert.data._targets import perturbed_genes

from . import _options as options
from ._files import read_graphs, read_screen, write_table

_FROM_FILE: dict[str, Callable[..., tx.graph.KnowledgeGraph]] = {
    "string": tx.graph.string,
    "reactome": tx.graph.reactome,
    "biogrid": tx.graph.biogrid,
    "intact": tx.graph.intact,
    "depmap": tx.graph.depmap,
}


@click.group()
def graph() -> None:
    """Build knowledge graphs, and see what they cover."""


@graph.command(
    epilog="""\b
Examples:
  txpert graph build go --screen screen.h5ad --out go.npz
  txpert graph build go goa_human.gaf.gz --out go.npz
  txpert graph build string --out string.npz
  txpert graph build biogrid BIOGRID-ORGANISM.tab3.zip --k 20 --out biogrid.tsv
  txpert graph build gmt sets.gmt --name pathways --out pathways.npz
"""
)
@click.argument("source", type=click.Choice(["go", *_FROM_FILE, "gmt", "edges"]))
@click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write: .npz, or a table of edges (.tsv or .csv).",
)
@options.config
@click.option(
    "--k",
    type=click.IntRange(0),
    help="Incoming edges to keep per gene, the heaviest; 0 for all; default 20, of a table all.",
)
@click.option("--name", help="Name of the graph; default: the file's name, or the source.")
@click.option(
    "--screen",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="h5ad whose genes and targets are connected; default: all genes of the source.",
)
@options.columns
def build(source: str, file: Path | None, out: Path, screen: Path | None, **given: Any) -> None:
    """Build a graph of a database or a file and write it.

    Databases have at most 20 edges into each gene, a table of edges all of its own, unless --k
    says otherwise.
    """
    columns = options.columns_given(given)
    if out.suffix not in (".npz", ".tsv", ".csv"):
        raise click.UsageError(f"--out must end in .npz, .tsv or .csv, not {out.suffix!r}.")
    if source in ("gmt", "edges", "biogrid", "intact", "depmap") and file is None:
        raise click.UsageError(f"{source} needs a file: txpert graph build {source} FILE.")
    wanted: dict[str, Any] = {}
    if screen is not None:
        adata = read_screen(screen, columns)
        wanted["genes"] = tx.get.genes(adata)
    if given["k"] is not None:
        wanted["k"] = given["k"] or None
    name = given["name"] or (file.name.partition(".")[0] if file is not None else source)
    made = _build(source, file, name, wanted)
    with replacing(out) as part:
        if out.suffix == ".npz":
            made.save(part)
        else:
            separator = "\t" if out.suffix == ".tsv" else ","
            made.edges.to_csv(part, sep=separator, index=False)
    click.echo(f"{out}: {made}", err=True)


def _build(
    source: str, file: Path | None, name: str, wanted: dict[str, Any]
) -> tx.graph.KnowledgeGraph:
    if source == "go":
        return tx.graph.go(annotations=file, name=name, **wanted)
    if source == "gmt" and file is not None:
        return tx.graph.from_gmt(file, name=name, **wanted)
    if source == "edges" and file is not None:
        return tx.graph.KnowledgeGraph.from_edges(file, name=name, **wanted)
    return _FROM_FILE[source](*([] if file is None else [file]), name=name, **wanted)


@graph.command(
    epilog="""\b
Examples:
  txpert graph coverage screen.h5ad --graph go --graph string.npz
  txpert graph coverage screen.h5ad --graph edges.tsv --out coverage.csv
"""
)
@click.argument("screen", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.config
@options.graphs
@options.columns
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV to write, with the incoming edges of every perturbed gene.",
)
def coverage(screen: Path, graphs: tuple[str, ...], out: Path | None, **given: Any) -> None:
    """Say how many perturbed genes graphs hold, and how many have edges."""
    columns = options.columns_given(given)
    if not graphs:
        raise click.UsageError("Name a graph by --graph.")
    targets = perturbed_genes(read_screen(screen, columns))
    table = tx.graph.coverage_table(read_graphs(graphs, targets), targets)
    summary = pd.DataFrame(
        {"in_graph": table.notna().mean(), "with_edges": (table.fillna(0) > 0).mean()}
    ).astype(float)
    click.echo(f"{len(targets):,} perturbed genes")
    click.echo(summary.round(3).to_string())
    if out is not None:
        write_table(table.rename_axis("gene").reset_index(), out)
