"""The section of RESULTS.md on how cost grows, from scaling.json."""

from __future__ import annotations

from collections import defaultdict

import _report_figures as figures
import numpy as np
import pandas as pd
from _report_sections import Results, number, table
from _report_text import TEXT

PANELS: dict[str, dict[tuple[str, str], str]] = {
    "scaling_training": {
        ("training", "nodes"): "nodes (20 edges each)",
        ("training", "edges"): "edges (2,000 nodes)",
        ("training", "genes"): "genes measured",
        ("training", "perturbations"): "perturbations",
    },
    "scaling_prediction": {
        ("predict", "perturbations"): "perturbations predicted",
        ("predict", "batches"): "batches",
        ("predict", "genes"): "genes measured",
    },
    "scaling_passes": {
        ("pseudobulk", "cells"): "cells",
        ("kernel", "perturbations"): "training perturbations",
    },
}


def scaling(results: Results) -> str | None:
    frame = results.rows("scaling")
    if frame is None:
        return None
    rates = results.content("scaling")["rates"]
    parts = [
        "Rates in the last call (rows of earlier calls have their bounds by the rates of those): "
        f"matrix products {number(rates['float32'])} GFLOP/s in single "
        f"and {number(rates['float64'])} in double precision, copies {number(rates['memory'])} "
        f"GB/s in memory and {number(rates['cache'])} in the cache (read and written)."
    ]
    for name, panels in PANELS.items():
        lines = [
            line
            for key, label in panels.items()
            if (line := growth(frame, *key, label)) is not None
        ]
        if lines:
            figures.scaling(frame, panels, results.figures / f"{name}.png")
            alt = "Seconds along each axis, and the bound"
            text = TEXT[name].strip().format_map(facts(frame))
            parts += [results.image(name, alt), table(pd.DataFrame(lines)), text]
    return "\n\n".join(parts)


def growth(frame: pd.DataFrame, question: str, axis: str, label: str) -> dict[str, str] | None:
    """Return how cost grows along an axis: powers between the first and the last two points."""
    points = frame[(frame["question"] == question) & (frame["axis"] == axis)].sort_values("value")
    if len(points) < 2:
        return None
    slope = np.diff(np.log(points["cpu_seconds"])) / np.diff(np.log(points["value"]))
    ratio = (points["cpu_seconds"] / points["bound_seconds"]).tolist()
    ends = points.iloc[[0, -1]]
    return {
        "axis": label,
        "from … to": " … ".join(f"{value:,}" for value in ends["value"]),
        "seconds": " … ".join(number(value) for value in ends["cpu_seconds"]),
        "power at the start": f"{slope[0]:.2f}",
        "at the end": f"{slope[-1]:.2f}",
        "seconds / bound": " … ".join(number(value, 2) for value in (ratio[0], ratio[-1])),
    }


def facts(frame: pd.DataFrame) -> dict[str, str]:
    """Return numbers for the text, of the last point of each axis; "–" where there is none."""
    found: defaultdict[str, str] = defaultdict(lambda: "–")
    for (question, axis), part in frame.groupby(["question", "axis"]):
        last = part.sort_values("value").iloc[-1]
        found[f"{question}_{axis}_most"] = f"{last['value']:,}"
        found[f"{question}_{axis}_seconds"] = number(last["cpu_seconds"], 2)
        found[f"{question}_{axis}_ratio"] = number(last["cpu_seconds"] / last["bound_seconds"], 2)
        found[f"{question}_{axis}_gflops"] = number(last["gflops"] / last["cpu_seconds"], 2)
    return found
