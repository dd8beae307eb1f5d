"""What the commands read and write: screens, graphs, splits, predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import click
import pandas as pd

import txpert as tx
from txpert._constants import CONTROL, PERTURBATION, SPLIT, TEST, TRAIN, VALIDATION
from txpert._csv import csv_bytes, read_csv
from txpert._files import replacing
from txpert._screen_files import has_counts, read_h5ad, usual_control_labels
from txpert.data import ObsKeys

_SPLIT_FILE = "split.csv"
_OF_SPLIT = ("perturbation_key", "control_key", "cell_line_key", "control_label")


def read_screen(
    path: Path, columns: dict[str, Any], drawn_by: Mapping[str, Any] | None = None
) -> ad.AnnData:
    """Read a screen, normalize raw counts, and register its columns.

    Without a column or labels of controls, cells with a usual label of controls are them.

    Parameters
    ----------
    path
        An h5ad file.
    columns
        Arguments of ``setup_anndata``.
    drawn_by
        Arguments of :func:`txpert.pp.split`, by which a new column with a split is drawn.

    Raises
    ------
    KeyError, ValueError
        If a column is missing, or the file is not as commands expect.
    click.UsageError
        If a split is to be drawn in a column that there is.
    """
    adata = read_h5ad(path)
    click.echo(f"{path}: {adata.n_obs:,} cells × {adata.n_vars:,} genes", err=True)
    columns = dict(columns)
    key = columns.get("perturbation_key", PERTURBATION)
    flagged = columns.get("control_key", CONTROL) in adata.obs
    if "control_label" not in columns and not flagged and key in adata.obs:
        columns["control_label"] = usual_control_labels(adata.obs[key]) or None
    named = {name.removesuffix("_key"): of for name, of in columns.items() if name != "layer"}
    if drawn_by:
        split = named.pop(SPLIT, SPLIT)
        _check_new(split, adata, drawn_by)
    ObsKeys.of(adata, **named).columns(adata.obs)  # a wrong name is found before long work
    if "layer" not in columns and has_counts(adata):
        click.echo("Raw counts: normalizing to 4,000 per cell and taking log1p.", err=True)
        tx.pp.normalize(adata)
    if drawn_by:
        given = {name: columns[name] for name in _OF_SPLIT if name in columns}
        tx.pp.split(adata, **drawn_by, **given, key_added=split)
    tx.TxPertModel.setup_anndata(adata, **columns)
    return adata


def _check_new(key: str, adata: ad.AnnData, drawn_by: Mapping[str, Any]) -> None:
    if key in adata.obs:
        option = next(iter(drawn_by)).replace("_", "-")
        raise click.UsageError(
            f"The screen has a split, in obs[{key!r}], and --{option} is for one to be drawn: "
            "leave the option out, or name a new column with --split-key."
        )


def read_graphs(names: Sequence[str], genes: Iterable[str]) -> list[tx.graph.KnowledgeGraph]:
    """Read graphs as they are; only the packaged Gene Ontology is made for the genes."""
    wanted = list(genes)
    graphs = [tx.graph.go(wanted) if name == "go" else read_graph(Path(name)) for name in names]
    check_apart(names, graphs)
    return graphs


def check_apart(given: Sequence[str], graphs: Sequence[tx.graph.KnowledgeGraph | str]) -> None:
    """Refuse two graphs of one name.

    Raises
    ------
    click.UsageError
        If there are such, with what to rename.
    """
    called: dict[str, str] = {}
    for of, graph in zip(given, graphs, strict=True):
        name = graph if isinstance(graph, str) else graph.name
        if name in called:
            raise click.UsageError(
                f"--graph {called[name]} and --graph {of} are both called {name!r}. A table of "
                "edges is called after its file: rename one. An .npz has the name that "
                "'txpert graph build --name' gave it."
            )
        called[name] = of


def read_graph(path: Path) -> tx.graph.KnowledgeGraph:
    """Read a graph from an .npz file or a table of edges, whole."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}, and no graph of that name.")
    if path.suffix == ".npz":
        return tx.graph.KnowledgeGraph.load(path)
    return tx.graph.KnowledgeGraph.from_edges(path, name=path.name.partition(".")[0])


def write_split(folder: Path, adata: ad.AnnData, key: str) -> None:
    """Keep the split next to a model, for later evaluation."""
    table = pd.DataFrame({"cell": adata.obs_names, SPLIT: adata.obs[key].astype(str)})
    with replacing(folder / _SPLIT_FILE) as part:
        part.write_bytes(csv_bytes(table))


def add_split(folder: Path, adata: ad.AnnData, key: str) -> None:
    """Give cells the split that a model in a folder was trained with, unless they have one."""
    path = folder / _SPLIT_FILE
    if key in adata.obs or not path.is_file():
        return
    table = read_csv(path.read_bytes()).set_index("cell")[SPLIT]
    split = table.reindex(adata.obs_names)
    parts = [TRAIN, VALIDATION, TEST]
    adata.obs[key] = pd.Categorical(split.where(split.isin(parts)), categories=parts)


def write_prediction(prediction: ad.AnnData, path: Path, top: int | None) -> None:
    """Write h5ad, or CSV with one row per perturbation and gene."""
    with replacing(path) as part:
        if path.suffix == ".csv":
            part.write_bytes(csv_bytes(tx.get.delta_df(prediction, top=top)))
        else:
            prediction.write_h5ad(part)
    click.echo(f"{path}: {prediction.n_obs:,} predictions × {prediction.n_vars:,} genes", err=True)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV."""
    with replacing(path) as part:
        part.write_bytes(csv_bytes(table))
