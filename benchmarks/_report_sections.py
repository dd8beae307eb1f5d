"""Sections of COSTS.md: tables and figures of one question each, None without its results."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _report_figures as figures
import numpy as np
import pandas as pd
from _tables import _line, to_99_percent

SIZES = ("medium", "full")


@dataclass(frozen=True)
class Results:
    """Where results lie, where figures go, and where the text that shows them."""

    folder: Path
    figures: Path
    output: Path

    def content(self, name: str) -> dict[str, Any] | None:
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def rows(self, name: str) -> pd.DataFrame | None:
        content = self.content(name)
        return pd.DataFrame(content["rows"]) if content and content["rows"] else None

    def machine(self, *names: str) -> str:
        """Say versions, cores and threads of some results, one line for each that differ."""
        lines = []
        for name in names:
            found = (self.content(name) or {}).get("environment")
            if found:
                versions = ", ".join(
                    f"{key} {found[key]}"
                    for key in ("python", "torch", "torch_geometric", "scvi-tools", "numpy")
                    if key in found
                )
                lines.append(
                    f"txpert {found['txpert']}, {versions}; {found['machine']}, "
                    f"{found['cores']} cores, {found['threads']} thread(s)."
                )
        return "\n".join(dict.fromkeys(lines))

    def image(self, name: str, alt: str) -> str:
        relative = os.path.relpath(self.figures / f"{name}.png", self.output.parent)
        return f"![{alt}]({Path(relative).as_posix()})"


def table(frame: pd.DataFrame) -> str:
    """Return a Markdown table of text."""
    lines = [list(frame), ["---"] * frame.shape[1], *frame.to_numpy().tolist()]
    return "\n".join(_line(line) for line in lines)


def number(value: float, digits: int = 3) -> str:
    """Round to significant digits; "–" stands for what there is not."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"{float(f'{value:.{digits}g}'):,.10g}"


def spread(values: pd.Series) -> str:
    """Return mean ± sd over seeds."""
    values = values.dropna()
    if values.empty:
        return "–"
    sd = f" ± {number(values.std(), 2)}" if len(values) > 1 else ""
    return number(values.mean()) + sd


def training(results: Results) -> str | None:
    frames = {size: results.rows(f"training_{size}") for size in SIZES}
    found = {size: frame for size, frame in frames.items() if frame is not None}
    if not found:
        return None
    parts = []
    for size, frame in found.items():
        frame = frame.assign(to_99=to_99_percent(frame))
        lines = []
        for model, part in frame.groupby("model", sort=False):
            missed = int(part["to_99"].isna().sum())
            lines.append(
                {
                    "model": model,
                    "seeds": len(part),
                    "seconds": spread(part["seconds"]),
                    "to 99%, s": spread(part["to_99"]) + (f" (not in {missed})" * bool(missed)),
                    "validation": spread(part["best_validation"]),
                    "test Pearson Δ": spread(part["test_pearson_delta"]),
                    "memory, MB": spread(part["peak_memory_mb"]),
                    "interrupted": int(part["broken_off"].sum()),
                }
            )
        parts.append(f"Size {size}:\n\n{table(pd.DataFrame(lines))}")
    figures.training(found, results.figures / "training.png")
    image = results.image("training", "Validation Pearson Δ against seconds of training")
    return "\n\n".join([*parts, image])


def gears(results: Results) -> str | None:
    frame = results.rows("gears_time")
    if frame is None:
        return None
    size = {
        "n_perturbations": "perturbations",
        "n_genes": "genes",
        "cells_per_perturbation": "cells each",
    }
    shown = {
        "seconds_per_epoch": "seconds an epoch",
        "seconds_to_best": "seconds to best",
        "cpu_seconds_to_best": "CPU time to best, s",
        "best_epoch": "best epoch",
        "n_epochs": "epochs",
        "seconds": "seconds in all",
        "test_pearson_delta": "test Pearson Δ",
    }
    here = [name for name in size if name in frame]
    lines = [
        {title: part[name].iloc[0] for name, title in size.items() if name in part}
        | {"tool": part["tool"].iloc[0], "fits": len(part)}
        | {
            title: spread(part[name].astype(float))
            for name, title in shown.items()
            if name in part
        }
        for _, part in frame.groupby([*here, "tool"])
    ]
    return table(pd.DataFrame(lines))


def streaming(results: Results) -> str | None:
    frame = results.rows("streaming")
    if frame is None:
        return None
    content = results.content("scaling")
    gigabytes = 8 * 0.1 * 2_000 * frame["cells"] / 1e9
    memory = content["rates"]["memory"] if content else np.nan
    frame = frame.assign(bound_seconds=gigabytes / memory)
    figures.streaming(frame, results.figures / "streaming.png")
    lines = [
        {
            "read as": row["form"],
            "cells": f"{row['cells']:,}",
            "seconds": number(row["seconds"]),
            "CPU time, s": number(row["cpu_seconds"]),
            "per million cells": number(row["cpu_seconds"] / row["cells"] * 1e6),
            "memory, MB": number(row["megabytes"]),
            "CPU time / bound": number(row["cpu_seconds"] / row["bound_seconds"], 2),
        }
        for _, row in frame.sort_values(["form", "cells"]).iterrows()
    ]
    image = results.image("streaming", "Seconds of pseudobulk against cells")
    return "\n\n".join([table(pd.DataFrame(lines)), image])


def atlas(results: Results) -> str | None:
    frame = results.rows("atlas")
    if frame is None:
        return None
    lines = [
        {
            "cells": f"{row['cells']:,}" + (" (extrapolated)" if row["extrapolated"] else ""),
            "workers": row["workers"],
            "seconds": number(row["seconds"]),
            "per million cells": number(row["seconds_per_million"]),
            "CPU time per million, s": number(row["cpu_seconds_per_million"]),
            "opening, seconds": number(row["open_seconds"]),
            "memory of a worker, MB": number(row["worker_megabytes"]),
            "of the process that asks, MB": number(row["client_megabytes"]),
        }
        for _, row in frame.iterrows()
    ]
    note = "Extrapolated rows were not measured: they are a straight line through those that were."
    notes = [note] if frame["extrapolated"].any() else []
    return "\n\n".join([table(pd.DataFrame(lines)), *notes])


def evaluation(results: Results) -> str | None:
    frame = results.rows("evaluation")
    if frame is None:
        return None
    lines = [
        {
            "case": row["case"],
            "seconds": number(row["seconds"]),
            "range": f"{number(row['fastest'])} to {number(row['slowest'])}",
            "CPU time, s": number(row["cpu_seconds"]),
            "first time": number(row.get("first_seconds", np.nan)),
            "memory, MB": number(row["megabytes"]),
        }
        for _, row in frame.iterrows()
    ]
    return table(pd.DataFrame(lines))


def process(results: Results) -> str | None:
    frame = results.rows("process_scaling")
    if frame is None or "cpu_seconds" not in frame:
        return None
    columns = ["case", "what", "perturbations", "genes", "graphs"]
    frame = frame[frame["cpu_seconds"].notna()].copy()
    lines = []
    for names, part in frame.groupby(columns, sort=False, dropna=False):
        by_label = part.set_index("label")
        known = dict(zip(columns, names, strict=True))
        of_label = {
            label: by_label.loc[label] if label in by_label.index else None
            for label in ("before", "after")
        }
        line = {"what": f"{known['case']}: {known['what']}"}
        line |= {name: _whole(known[name]) for name in columns[2:]}
        for column, title in {"cpu_seconds": "s", "peak_gb": "GB"}.items():
            for label, row in of_label.items():
                line[f"{title} {label}"] = "–" if row is None else _of_runs(row, column)
        lines.append(line)
    return table(pd.DataFrame(lines))


def gpu(results: Results) -> str | None:
    frame = results.rows("gpu")
    if frame is None:
        return None
    name = results.content("gpu")["gpu"]
    fits, screens = (frame[frame[step].notna()] for step in ("fit", "order 1, cosine"))
    steps = ["fit", "predict, first", "predict, second", "predict with std"]
    lines = [
        {"perturbations": _whole(row["perturbations"]), "predicted": _whole(row["asked"])}
        | {"with": name if row["gpu"] else "cores alone"}
        | {step: number(row[step]) for step in steps}
        | {"difference": "" if row["gpu"] else f"{row['difference']:.0e}"}
        for _, row in fits.iterrows()
    ]
    of_screens = [
        {"with": name if row["gpu"] else "cores alone"}
        | {
            step: number(row[step]["seconds"])
            for step in ("order 1, cosine", "order 2, dot", "order 2, cosine", "order 2, pearson")
        }
        for _, row in screens.iterrows()
    ]
    steps = _steps_on_gpu(results)
    return "\n\n".join([table(pd.DataFrame(lines)), table(pd.DataFrame(of_screens)), *steps])


def _steps_on_gpu(results: Results) -> list[str]:
    """Return a table of training steps of the paper's model, by encoder."""
    rows = results.rows("encoders_9854_nodes_gpu")
    if rows is None:
        return []
    names = rows["encoder"] + ", " + rows["graphs"].astype(str) + " graph(s)"
    seconds = rows.assign(name=names).pivot(index="name", columns="gpu", values="seconds")
    seconds = seconds.loc[names.drop_duplicates()]
    shown = {
        "encoder": seconds.index,
        "step with a GPU, ms": (1_000 * seconds[True]).map(number),
        "cores alone, ms": (1_000 * seconds[False]).map(number),
        "ratio": (seconds[False] / seconds[True]).map(number),
    }
    return [table(pd.DataFrame(shown))]


def _of_runs(row: pd.Series, column: str) -> str:
    """Return the median and, of several runs, the least and the most."""
    values = row.get(f"{column}_of_runs")
    if not isinstance(values, list):
        return number(row[column])
    return f"{number(row[column])} ({number(min(values))} to {number(max(values))})"


def _whole(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "–"


def encoders(results: Results) -> str | None:
    found = {}
    for path in sorted(results.folder.glob("encoders_*_nodes.json")):
        rows = pd.DataFrame(json.loads(path.read_text())["rows"])
        n_nodes = int(path.stem.split("_")[1])
        names = rows["encoder"] + ", " + rows["graphs"].astype(str) + " graph(s)"
        found[f"{n_nodes:,} nodes, s"] = rows["seconds"].set_axis(names).map(number)
    if not found:
        return None
    return table(pd.DataFrame(found).rename_axis("encoder").reset_index().fillna("–"))


def graphs(results: Results) -> str | None:
    content = results.content("graphs")
    if content is None:
        return None
    lines = [
        {
            "case": case,
            "seconds": number(row["seconds"]),
            "memory, GB": number(row["peak_gb"]),
            "nodes": f"{row['n_nodes']:,}",
            "edges": f"{row['n_edges']:,}",
        }
        for case, row in content["cases"].items()
    ]
    return table(pd.DataFrame(lines))


def import_time(results: Results) -> str | None:
    frame = results.rows("import_time")
    if frame is None:
        return None
    more = (frame["txpert"] / frame["scvi"]).median()
    return (
        f"Median of {len(frame)} runs: `import scvi` {number(frame['scvi'].median())} s, "
        f"`import txpert` {number(frame['txpert'].median())} s, which imports scvi too; "
        f"median ratio of pairs {number(more)}."
    )
