"""From results of tx.benchmark to rows of a JSON file and to a Markdown table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import txpert as tx

METRICS = ["pearson_delta", "retrieval", "mse"]
COSTS = ["seconds", "peak_memory_mb"]
ALL = "all"
MEANS = "network, condition means"
KEYS = ["seed", "fold", "perturbation", "cell_line"]
HEADERS = {
    "pearson_delta": "Pearson Δ",
    "retrieval": "retrieval",
    "mse": "MSE",
    "relative_mse": "relative MSE",
    "JAK2": "JAK2",
    "IFNGR1": "IFNGR1",
    "seconds": "seconds",
    "peak_memory_mb": "memory, MB",
}
CEILINGS = {
    "split_half": "ceiling: halves of the data",
    "full_size": "ceiling: repeated experiment",
    "noise_free": "ceiling: perfect prediction",
    "sampled": "ceiling: counts drawn anew",
}


def relative_mse(scores: pd.DataFrame, reference: pd.DataFrame) -> float:
    """Total squared error over the reference's, where both have one."""
    both = scores[[*KEYS, "mse"]].merge(reference[[*KEYS, "mse"]], on=KEYS).dropna()
    return both["mse_x"].sum() / both["mse_y"].sum() if len(both) else float("nan")


def groups(scores: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield all scores, then those of each group, if there is more than one."""
    yield ALL, scores
    if scores["group"].nunique() > 1:
        yield from scores.groupby("group", sort=True)


def model_rows(result: tx.BenchmarkResult, runs: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield one row per group, model and seed; costs are those of one fit."""
    for group, in_group in groups(result.scores):
        reference = in_group[in_group["model"] == result.baseline]
        for (model, seed), part in in_group.groupby(["model", "seed"], sort=False):
            of_model = runs[(runs["model"] == model) & (runs["seed"] == seed)]
            failed = of_model[of_model["status"] == "failed"]
            row = {"group": group, "model": model, "seed": int(seed), "n": len(part)}
            row |= {metric: part[metric].mean() for metric in METRICS}
            row["relative_mse"] = relative_mse(part, reference)
            row["n_undefined"] = int(part["pearson_delta"].isna().sum())
            row["seconds"] = of_model["seconds"].mean()
            row["peak_memory_mb"] = of_model["peak_memory_mb"].max()
            row["status"] = "failed" if len(failed) else "done"
            row["n_fits"], row["n_failed"] = len(of_model), len(failed)
            row["reason"] = "; ".join(failed["reason"].unique())
            told = of_model.iloc[0].drop(labels=list(result.runs.columns), errors="ignore")
            yield row | told.dropna().to_dict()


def ceiling_rows(result: tx.BenchmarkResult) -> Iterator[dict[str, Any]]:
    """Yield one row per group, kind of ceiling and seed."""
    of_group = result.scores[[*KEYS, "group"]].drop_duplicates()
    table = result.ceiling.astype({"seed": int}).merge(of_group, on=KEYS)
    for group, in_group in groups(table):
        for (kind, seed), part in in_group.groupby(["kind", "seed"], sort=False):
            row = {"group": group, "model": CEILINGS[kind], "seed": int(seed), "n": len(part)}
            yield row | {m: part[m].mean() for m in METRICS if m in part}


def rows_of(result: tx.BenchmarkResult, runs: pd.DataFrame | None = None) -> list[dict[str, Any]]:
    """Return rows of models and ceilings, without what is undefined."""
    rows = [*model_rows(result, result.runs if runs is None else runs), *ceiling_rows(result)]
    return [{key: value for key, value in row.items() if _told(value)} for row in rows]


def summary(rows: Iterable[dict[str, Any]], by: list[str]) -> list[dict[str, Any]]:
    """Return mean and sd over seeds, one row per model and whatever else ``by`` names."""
    frame = pd.DataFrame(rows)
    values = [name for name in HEADERS if name in frame]
    found = []
    for names, part in frame.groupby([*by, "model"], sort=False):
        row = dict(zip([*by, "model"], names, strict=True))
        row |= {"n_seeds": len(part), "n": int(part["n"].max()), "note": _note(part)}
        for value in values:
            row[value], row[f"{value}_sd"] = part[value].mean(), part[value].std(ddof=1)
        found.append({key: value for key, value in row.items() if _told(value)})
    return found


def markdown(rows: Iterable[dict[str, Any]], by: list[str]) -> str:
    """Return what :func:`summary` made as tables, one per combination of ``by``."""
    frame = pd.DataFrame(rows)
    shown = [name for name in HEADERS if name in frame]
    blocks = []
    for names, part in frame.groupby(by, sort=False):
        n_seeds = part["n_seeds"].max()
        seeds = "1 seed" if n_seeds == 1 else f"{n_seeds} seeds"
        title = ", ".join(map(str, names if isinstance(names, tuple) else [names]))
        head = ["model", *(HEADERS[name] for name in shown), "note"]
        lines = [f"## {title} ({part['n'].max()} perturbations, {seeds})", ""]
        lines += [_line(head), _line(["---"] * len(head))]
        for _, row in part.iterrows():
            cells = [_number(row[name], row.get(f"{name}_sd"), name) for name in shown]
            note = row.get("note")
            lines.append(_line([row["model"], *cells, note if isinstance(note, str) else ""]))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def with_stored(rows: Iterable[dict[str, Any]], file: Path) -> list[dict[str, Any]]:
    """Return rows, and those of a file of models or seeds that were not measured now."""
    new = {(row["group"], row["model"], row["seed"]): row for row in rows}
    stored = json.loads(file.read_text())["rows"] if file.exists() else []
    kept = [new.pop((row["group"], row["model"], row["seed"]), row) for row in stored]
    return [*kept, *new.values()]


def to_draw(rows: Iterable[dict[str, Any]], baseline: str) -> tx.BenchmarkResult:
    """Return the rows of all perturbations as a result with one score per model and seed."""
    kinds = {label: kind for kind, label in CEILINGS.items()}
    frame = pd.DataFrame(rows)
    frame = frame[frame["group"] == ALL].assign(
        fold="", perturbation=ALL, cell_line=ALL, undefined=""
    )
    kind = frame["model"].map(kinds)
    scores, ceiling = frame[kind.isna()], frame.assign(kind=kind)[kind.notna()]
    return tx.BenchmarkResult(scores, scores[["model", "seed"]], ceiling, None, baseline)


def _note(part: pd.DataFrame) -> str:
    notes = []
    if "n_failed" in part and part["n_failed"].sum():
        reason = part.get("reason", pd.Series(dtype=str)).dropna().iloc[0]
        failed, fits = part["n_failed"].sum(), part["n_fits"].sum()
        notes.append(f"{failed:.0f} of {fits:.0f} fits failed: {reason[:200]}")
    elif "n_undefined" in part and part["n_undefined"].sum():
        notes.append(f"{part['n_undefined'].max():.0f} scores undefined")
    if "n_cells" in part and part["n_cells"].notna().any():
        given, offered = part["n_cells"].mean(), part["n_cells_offered"].mean()
        notes.append(f"{given:,.0f} of {offered:,.0f} cells, {part['settings'].iloc[0]}")
    return "; ".join(notes).replace("|", "/")


def _number(mean: float, sd: float | None, name: str) -> str:
    if not np.isfinite(mean):
        return "–"
    digits = {"seconds": 0 if mean >= 10 else 1, "peak_memory_mb": 0, "mse": 4}.get(name, 3)
    text = f"{mean:,.{digits}f}"
    return text if sd is None or not np.isfinite(sd) else f"{text} ± {sd:,.{digits}f}"


def _line(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _told(value: Any) -> bool:
    """Whether a value says something: NaN and an empty text do not."""
    return value == value and value != "" and value is not None


def to_99_percent(frame: pd.DataFrame) -> pd.Series:
    """Return when fits of training.py came within 1% of the best of their seed on means."""
    best = frame[frame["model"] == MEANS].set_index("seed")["best_validation"]
    pairs = zip(frame["curve"], 0.99 * frame["seed"].map(best), strict=True)
    reached = [next((t for t, r in curve if r >= aim), np.nan) for curve, aim in pairs]
    return pd.Series(reached, frame.index, dtype=float)
