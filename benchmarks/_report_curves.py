"""The section of COSTS.md on TxPert next to GEARS and the exact kernels, from cost_curves.json."""

from __future__ import annotations

import _report_figures as figures
import pandas as pd
from _report_sections import Results, _of_runs, number, table
from cost_curves import AXES, MIDDLE

LABELS = {
    "perturbations": ("training perturbations", "fit"),
    "genes": ("genes measured", "fit"),
    "graphs": ("graphs", "fit"),
    "asked": ("genes asked for", "prediction"),
}
MEASURE = {"fit": ("fit_seconds", "fit_bound"), "prediction": ("predict_seconds", "predict_bound")}


def curves(results: Results) -> str | None:
    frame = results.rows("cost_curves")
    if frame is None:
        return None
    points = along_axes(frame)
    figures.curves(points, LABELS, results.figures / "cost_curves.png")
    tools = list(dict.fromkeys(points["tool"]))
    lines = []
    for (axis, value), part in points.groupby(["axis", "value"], sort=False):
        label, what = LABELS[str(axis)]
        by_tool = {row["tool"]: row for _, row in part.iterrows()}
        line = {"axis": label, "value": f"{value:,}"}
        for tool in tools:
            row = by_tool.get(tool)
            line[f"{tool}, s"] = "–" if row is None else _of_runs(row, MEASURE[what][0])
        line["bound, s"] = number(part["bound"].iloc[0], 2)
        for tool in tools:
            row = by_tool.get(tool)
            line[f"{tool}, GB"] = "–" if row is None else number(row["peak_gb"])
        lines.append(line)
    image = results.image("cost_curves", "Seconds and memory of each tool along each axis")
    return f"{image}\n\n{table(pd.DataFrame(lines))}"


def along_axes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each axis, value and tool; the middle setting is on every axis."""
    found = []
    for axis in AXES:
        seconds, bound = MEASURE[LABELS[axis][1]]
        others = [name for name in MIDDLE if name != axis]
        here = frame[(frame[others] == pd.Series(MIDDLE)[others]).all(axis=1)].sort_values(axis)
        if here[axis].nunique() > 1:
            points = {"value": here[axis], "seconds": here[seconds], "bound": here[bound]}
            found.append(here.assign(axis=axis, **points))
    return pd.concat(found)
