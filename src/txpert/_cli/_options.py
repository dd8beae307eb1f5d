"""Options that several commands share, given one by one or in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

KEYS = (
    "perturbation_key",
    "control_key",
    "control_label",
    "batch_key",
    "cell_line_key",
    "split_key",
    "modality_key",
    "layer",
)


def shared(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Return one decorator that adds several options."""

    def add(command: Command) -> Command:
        return reduce(lambda decorated, option: option(decorated), reversed(options), command)

    return add


def read_config(context: click.Context, _: click.Parameter, path: Path | None) -> Path | None:
    """Take the defaults of a command's options from a TOML file.

    Options stand at the top, or in a table named after the command; the names are those of the
    command line, with ``-`` or ``_``.
    """
    if path is None:
        return None
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path} is no TOML file: {error}") from error
    name = context.command.name or ""
    own = read.get(name, {})
    if not isinstance(own, dict):
        raise click.BadParameter(
            f"{path} has {name} = {own!r}; options of {name} stand in a table, below [{name}]."
        )
    values = {key: value for key, value in read.items() if not isinstance(value, dict)}
    values = {key.replace("-", "_"): value for key, value in {**values, **own}.items()}
    parameters = {
        name.lstrip("-").replace("-", "_"): parameter
        for parameter in context.command.params
        for name in (*parameter.opts, str(parameter.name))
        if parameter.name != "config"
    }
    known, unknown = sorted(parameters), sorted(set(values) - set(parameters))
    if unknown:
        raise click.BadParameter(
            f"{path} has the option {unknown[0]!r}, and {name} takes {', '.join(known)}."
        )
    found = {}
    for key, value in values.items():
        single = getattr(parameters[key], "multiple", False) and isinstance(value, str)
        found[str(parameters[key].name)] = [value] if single else value
    context.default_map = {**(context.default_map or {}), **found}
    return path


config = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    is_eager=True,
    callback=read_config,
    expose_value=False,
    help="TOML file with options; those on the command line win.",
)
columns = shared(
    click.option("--perturbation-key", help="obs column of perturbations."),
    click.option("--control-key", help="obs column that is True for control cells."),
    click.option("--control-label", multiple=True, help="Label of control cells; repeatable."),
    click.option("--batch-key", help="obs column of batches."),
    click.option("--cell-line-key", help="obs column of cell lines."),
    click.option("--split-key", help="obs column of the split."),
    click.option(
        "--modality-key", help="obs column of the kind of perturbation (CRISPRi, CRISPRa)."
    ),
    click.option("--layer", help="Layer of the expression values; default: X."),
)
graphs = click.option(
    "--graph",
    "graphs",
    multiple=True,
    help="'go' (packaged), or a file: a table of edges (source, target, weight; TSV or CSV) or an "
    ".npz of 'txpert graph build'. Files are used as they are. Repeatable.",
)
seed = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Random seed of split and training.",
)
out_folder = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write.",
)
overwrite = click.option("--overwrite", is_flag=True, help="Overwrite an existing folder.")


def columns_given(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of columns that were given out of all options."""
    given = {name: options.pop(name) for name in KEYS if name in options}
    given["control_label"] = list(given["control_label"])
    return {name: value for name, value in given.items() if value not in (None, [])}
