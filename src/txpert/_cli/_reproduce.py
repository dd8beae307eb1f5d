"""``txpert reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pandas as pd
from anndata import AnnData

import txpert as tx
from txpert._constants import CONTROL, PERTURBATION
from txpert._reproduce import EXPERIMENTS, reproduce
from txpert._screen_files import folder_for_results, usual_control_labels
from txpert.data._tokens import canonical_label
from txpert.model._paper import ARCHITECTURES

from . import _options as options
from ._files import check_apart, read_graph, read_screen

_BY_NAME = ("go", "string", "reactome")


@click.command(
    "reproduce",
    epilog="""\b
Examples:
  txpert reproduce norman --quick --graph go --out trial
  txpert reproduce k562 --out k562
  txpert reproduce cross-line --seeds 1 --architecture gat --architecture exphormer_mg --out lines
  txpert reproduce norman --data screen.h5ad --out mine
""",
)
@click.argument("name", metavar="EXPERIMENT", type=click.Choice(list(EXPERIMENTS)))
@options.out_folder
@options.config
@click.option("--quick", is_flag=True, help="Few cells, genes and epochs, to see whether it runs.")
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="h5ad of your own in place of the public screens, with the usual obs columns.",
)
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="NAME=PATH",
    help="Your copy of a public screen, by the name of tx.datasets.show(); repeatable.",
)
@click.option(
    "--graph",
    "graphs",
    multiple=True,
    help=f"{', '.join(_BY_NAME)}, or a file as in 'txpert train'; repeatable, default go and "
    "string.",
)
@click.option(
    "--architecture",
    "architectures",
    multiple=True,
    type=click.Choice(sorted(ARCHITECTURES)),
    help="Architecture of the paper's network; repeatable, default gat.",
)
@click.option(
    "--seeds", type=click.IntRange(1), default=3, show_default=True, help="Number of seeds."
)
@click.option(
    "--genes",
    type=click.IntRange(1),
    default=5_000,
    show_default=True,
    help="Number of highly variable genes to keep.",
)
@click.option(
    "--max-epochs", type=click.IntRange(1), help="Maximum number of epochs of all networks."
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of fits at the same time.",
)
def reproduce_command(name: str, out: Path, **given: Any) -> None:
    """Run one of the paper's experiments from download to table: k562, cross-line or norman.

    k562: unseen perturbations of K562. cross-line: K562, RPE1, HepG2 and Jurkat, each in turn
    known by its control cells only. norman: unseen combinations. The public screens and STRING are
    downloaded once; a call that is repeated goes on.
    """
    epochs = {} if given["max_epochs"] is None else {"max_epochs": given["max_epochs"]}
    wanted = given["graphs"] or ("go", "string")
    graphs = [graph if graph in _BY_NAME else read_graph(Path(graph)) for graph in wanted]
    check_apart(wanted, graphs)
    with folder_for_results(out):
        table = reproduce(
            name,
            out,
            adata=None if given["data"] is None else _own(given["data"]),
            files=_named_files(given["files"], name),
            graphs=graphs,
            architectures=given["architectures"] or ("gat",),
            seeds=range(given["seeds"]),
            n_genes=given["genes"],
            train=epochs,
            n_jobs=given["jobs"],
            quick=given["quick"],
        )
    click.echo(table)
    click.echo(f"Table, figures, settings and runs are in {out}.", err=True)
    runs = tx.BenchmarkResult.load(out / "result").runs
    n_failed = int((runs["status"] == "failed").sum())
    if n_failed:
        raise click.ClickException(
            f"{n_failed} of {len(runs)} fits failed, see {out / 'table.md'}; the same command "
            "tries them again."
        )


def _own(path: Path) -> AnnData:
    """Read a screen of the user's, with labels and flags as public screens have them."""
    adata = read_screen(path, {})
    labels = adata.obs[PERTURBATION].astype(str)
    if CONTROL not in adata.obs:
        adata.obs[CONTROL] = labels.isin(usual_control_labels(labels)).to_numpy()
    labels = labels.map(canonical_label)
    adata.obs[PERTURBATION] = pd.Categorical(labels.mask(adata.obs[CONTROL].to_numpy(), CONTROL))
    # Registered again: labels of controls that were found in the file are gone.
    tx.TxPertModel.setup_anndata(adata)
    return adata


def _named_files(pairs: tuple[str, ...], name: str) -> dict[str, Path]:
    """Read ``NAME=PATH``; the names are those of the experiment's screens."""
    files = {}
    known = EXPERIMENTS[name].screens
    for pair in pairs:
        screen, _, path = pair.partition("=")
        if screen not in known or not path:
            raise click.UsageError(
                f"--file {pair}: NAME=PATH, where NAME is one of {', '.join(known)}."
            )
        files[screen] = Path(path)
    return files
