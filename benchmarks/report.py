"""Write COSTS.md and its figures from whatever results there are.

python benchmarks/report.py [--results FOLDER] [--figures FOLDER] [--output FILE]

A question whose JSON file is not there is left out. Numbers in the text are computed; why a curve
bends was found out by profiling and is fixed text, in _report_text.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from _common import RESULTS
from _report_curves import curves
from _report_scaling import scaling
from _report_sections import (
    Results,
    atlas,
    encoders,
    evaluation,
    gears,
    gpu,
    graphs,
    import_time,
    process,
    streaming,
    training,
)
from _report_text import HEAD, TEXT

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "_static" / "benchmarks"
OUTPUT = Path(__file__).parent / "COSTS.md"

SECTIONS: dict[str, tuple[Callable[[Results], str | None], tuple[str, ...]]] = {
    "Training": (training, ("training_medium", "training_full")),
    "Training time next to GEARS": (gears, ("gears_time",)),
    "Cost next to GEARS and exact kernels": (curves, ("cost_curves",)),
    "How cost grows": (scaling, ("scaling",)),
    "A genome and several graphs": (process, ("process_scaling",)),
    "With a GPU": (gpu, ("gpu", "encoders_9854_nodes_gpu")),
    "Cells on disk": (streaming, ("streaming",)),
    "An atlas on a cluster": (atlas, ("atlas",)),
    "Evaluation and prediction": (evaluation, ("evaluation",)),
    "Encoders": (encoders, ("encoders_2000_nodes", "encoders_9854_nodes")),
    "Building graphs": (graphs, ()),
    "Import": (import_time, ("import_time",)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--figures", type=Path, default=FIGURES)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    results = Results(arguments.results, arguments.figures, arguments.output)
    parts = [HEAD]
    for title, (section, names) in SECTIONS.items():
        body = section(results)
        if body is not None:
            machine = results.machine(*names)
            parts += [f"## {title}", *filter(None, [TEXT.get(title), body, machine])]
    arguments.output.write_text("\n\n".join(part.strip() for part in parts) + "\n")


if __name__ == "__main__":
    main()
