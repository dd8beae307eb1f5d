"""The command ``txpert``: its subcommands, and errors in one line."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import click

import txpert as tx
from txpert import demo as _demo
from txpert._screen_files import reason

from ._evaluate import benchmark, evaluate, report
from ._graph import graph
from ._predict import predict
from ._reproduce import reproduce_command
from ._train import train

_USER_ERRORS = (ValueError, KeyError, TypeError, OSError, ImportError)


class _Commands(click.Group):
    """Commands whose errors of data and options end in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except _USER_ERRORS as error:
            raise click.ClickException(reason(error)) from error


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  txpert demo
  txpert train screen.h5ad --graph go --out model
  txpert predict model KLF1 KLF1+BAK1 --top 50 --out genes.csv
  txpert evaluate screen.h5ad model
  txpert report screen.h5ad model --out report.html
""",
)
@click.version_option(tx.__version__, prog_name="txpert")
def main() -> None:
    """Predict transcriptional responses to unseen genetic perturbations.

    Screens are h5ad files; obs columns are called perturbation, control, batch, cell_line and
    split unless options name them. Options may stand in a TOML file (--config).
    """
    warnings.filterwarnings("ignore", module="lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    import scvi

    scvi.settings.verbosity = logging.WARNING


@main.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def demo(arguments: Sequence[str]) -> None:
    """Train, predict and evaluate on a simulated screen, or on one of yours (--help)."""
    _demo.main(list(arguments))


for _command in (train, predict, evaluate, report, benchmark, graph, reproduce_command):
    main.add_command(_command)
