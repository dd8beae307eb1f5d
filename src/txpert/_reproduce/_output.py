"""What is written: tables, figures, and the settings that they were made with."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

import txpert as tx
from txpert._csv import csv_bytes
from txpert._files import replacing
from txpert.model._record import versions

METRICS = {"pearson_delta": "Pearson Δ", "retrieval": "retrieval", "mse": "MSE"}
_ALL = "all"


def write_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write ``settings.json``: what was asked for, of which data, with which versions."""
    whole = settings | {"versions": {"python": platform.python_version(), **versions()}}
    with replacing(folder / "settings.json") as part:
        part.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def table_of(result: tx.BenchmarkResult) -> pd.DataFrame:
    """Return one row per part of the test set, metric and model; ceilings last.

    The parts are all perturbations, the groups of the split, and the test lines.
    """
    parts = [result.summary(list(METRICS)).assign(part=_ALL)]
    for by in ("group", "fold"):
        if result.scores[by].nunique() > 1:
            table = result.summary(list(METRICS), by=by)
            parts.append(table.assign(part=table[by].astype(str)).drop(columns=by))
    whole = pd.concat([*parts, _ceilings(result)], ignore_index=True)
    return whole[["part", *(name for name in whole if name != "part")]]


def _ceilings(result: tx.BenchmarkResult) -> pd.DataFrame:
    """Return the mean scores of the experiment against itself, in the columns of a summary."""
    rows = [
        {
            "metric": metric,
            "model": f"ceiling, {kind}",
            "mean": part[metric].mean(),
            "n": int(part[metric].notna().sum()),
            "part": _ALL,
        }
        for kind, part in result.ceiling.groupby("kind", sort=False)
        for metric in METRICS
        if metric in part
    ]
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame, result: tx.BenchmarkResult, title: str) -> str:
    """Return the table for people to read: a block per part, a line per model."""
    seeds = result.runs["seed"].nunique()
    lines = [f"# {title}", "", f"Means over perturbations and {seeds} seed(s).", ""]
    for name, part in table.groupby("part", sort=False):
        lines += [f"## {name} ({part['n'].max():.0f} perturbations)", ""]
        lines += [*_block(part, str(result.baseline)), ""]
    failed = result.runs[result.runs["status"] == "failed"]
    for run in failed.itertuples():
        lines.append(f"Failed: {run.model}, seed {run.seed}: {run.reason}".replace("\n", " "))
    return "\n".join(lines).rstrip() + "\n"


def _block(part: pd.DataFrame, baseline: str) -> Iterator[str]:
    yield f"| model | {' | '.join(METRICS.values())} | Pearson Δ minus {baseline}'s |"
    yield "| --- " * (len(METRICS) + 2) + "|"
    for model, rows in part.groupby("model", sort=False):
        by_metric = rows.set_index("metric").reindex(list(METRICS))
        pairs = zip(by_metric["mean"], by_metric["sd"], strict=True)
        values = [_number(float(mean), float(sd)) for mean, sd in pairs]
        difference = _number(float(by_metric["difference"].iloc[0]), np.nan)
        yield f"| {model} | {' | '.join(values)} | {difference} |"


def _number(mean: float, sd: float) -> str:
    if not np.isfinite(mean):
        return "–"
    return f"{mean:.3f}" if not np.isfinite(sd) else f"{mean:.3f} ± {sd:.3f}"


def write_results(folder: Path, result: tx.BenchmarkResult, title: str) -> str:
    """Write result, ``table.csv``, ``table.md`` and figures; return the Markdown."""
    result.save(folder / "result")
    table = table_of(result)
    text = markdown(table, result, title)
    for name, content in (("table.csv", csv_bytes(table)), ("table.md", text.encode())):
        with replacing(folder / name) as part:
            part.write_bytes(content)
    _draw(folder, result)
    return text


def _draw(folder: Path, result: tx.BenchmarkResult) -> None:
    import matplotlib.pyplot as plt

    (folder / "figures").mkdir(exist_ok=True)
    by = "fold" if result.scores["fold"].nunique() > 1 else None
    drawn: dict[str, tuple[Callable[..., Axes], str, dict[str, Any]]]
    drawn = {f"{metric}_bars": (tx.pl.benchmark_bars, metric, {"by": by}) for metric in METRICS}
    drawn["pearson_delta_strips"] = (tx.pl.benchmark_strips, "pearson_delta", {})
    for name, (draw, metric, options) in drawn.items():
        draw(result, metric, show=False, **options)
        with replacing(folder / "figures" / f"{name}.png") as part:
            plt.savefig(part, dpi=150, bbox_inches="tight")
        plt.close()
