"""Tables of what screens.py scored: benchmarks/results/screens.md, and the block in README.md.

python benchmarks/screen_tables.py

Reads screens.json and unseen_line.json in benchmarks/results and measures nothing. screens.py
writes the page, too, when it ends. Every number is the mean over all folds and seeds of a case.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
BEGIN = "<!-- Written by benchmarks/screen_tables.py. -->"
END = "<!-- End of what is written. -->"

Scores = Mapping[str, Any]
Means = dict[str, dict[str, dict[str, float]]]  # case, model, metric

GRAPHS = {
    "string 20 + go": "STRING, top 20, and GO",
    "string 20": "STRING, top 20",
    "string all": "STRING, all links",
    "string among": "STRING, links among the targets",
    "go": "GO",
    "go, unweighted": "GO, unweighted terms",
    "go by ontology": "GO as three graphs: BP, CC and MF",
    "biogrid": "BioGRID",
    "channels": "STRING, its experiments, its coexpression, and GO",
    "parts": "in parts: STRING, its experiments, its coexpression, GO's BP, CC and MF",
    "ten": "ten: these six, BioGRID, IntAct, Reactome and DepMap's co-essential modules",
}
"""Sets of graphs, as screens.py has them."""
BEST = "string 20 + go"
COMPARED = {BEST: "", "parts": ", in parts", "ten": ", ten graphs"}
"""Sets of graphs for several tasks, and what is added to their names."""
WEIGHTED = (BEST, "string 20", "string all", "string among", "go")
"""Sets of graphs whose edges have weights."""
CLOSED_FORM = (*COMPARED, "string 20", "string all", "string among", "go", "biogrid")
"""Sets of graphs of models without the network."""
IN_PART = {"string 20": "", "ten": ", ten graphs"}
"""Sets of graphs for a line measured in part, and what is added to its name."""
FRACTIONS = ("0.0", "0.1", "0.5", "0.75")
UNCALIBRATED = "ensemble, not calibrated"
COMPONENTS = {
    "mean": "the mean effect",
    "gaussian_process": "Gaussian process",
    "network": "network",
    UNCALIBRATED: UNCALIBRATED,
    "ensemble": "ensemble, the default",
}
SIZES = (20, 60)
SMALL: dict[str, dict[str, Any]] = {
    "default": {},
    "without the network": {"components": ("mean", "gaussian_process")},
}
"""Models of small screens, and their options."""
CHOSEN = """The kernels and their priors were chosen with two folds of the human screens in view,
the fraction of direct links, the kernels of refined edges, the weights of GO's terms and the sets
of several graphs on training perturbations, by inner folds: other perturbations of the same
screens are the test that counts."""


def means(done: Mapping[str, Mapping[str, object]]) -> Means:
    """Average the cases over folds and seeds, which end their names."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for name, models in done.items():
        case = found.setdefault(name.rpartition("/")[0], {})
        for model, scores in models.items():
            if isinstance(scores, dict):
                case.setdefault(model, []).append(scores)
    return {
        case: {
            model: {metric: fmean(scores[metric] for scores in runs) for metric in runs[0]}
            for model, runs in models.items()
        }
        for case, models in found.items()
    }


def screens_page(done: Mapping[str, Mapping[str, object]]) -> str:
    """Return the tables of the documentation as Markdown; what was not run is left out."""
    table = means(done)
    parts = [
        "# Screens of K562, RPE1 and yeast",
        "Written by `benchmarks/screen_tables.py` from the scores of `benchmarks/screens.py`: "
        "Pearson Δ / retrieval / squared error.",
    ]
    for prefix, (title, text, tabulate) in SECTIONS.items():
        if any(case.startswith(prefix) for case in table):
            numbers = {"n": _runs(done, prefix), "more": _runs(done, f"{prefix}K562/ten")}
            parts += [f"## {title}", text.format(**numbers), tabulate(table)]
    return "\n\n".join([*parts, CHOSEN]) + "\n"


def readme_table(done: Mapping[str, Mapping[str, object]], elsewhere: Scores | None = None) -> str:
    """Return the table of README.md and what it shows: TxPert next to the mean effect.

    Parameters
    ----------
    done
        Scores of screens.json.
    elsewhere
        Scores in RPE1 of the mean effect of K562; by default those of unseen_line.json.
    """
    table = means(done)
    elsewhere = mean_of_k562() if elsewhere is None else elsewhere
    rows = []
    for label, line in product((BEST, "ten"), ("K562", "RPE1")):
        case = table[f"components/{line}/{label}"]
        name = f"{line}, unseen genes{COMPARED[label]}"
        rows.append([name, *_two(case["mean"]), *_two(case["ensemble"])])
    for label, fraction in product(IN_PART, FRACTIONS[1:]):
        case = table[f"closed_form/RPE1 in part/{fraction}/{label}"]
        mean = table[f"few_shot/RPE1/{fraction}"]["mean of line"]
        what = f"RPE1, {float(fraction):.0%} measured, K562 known{IN_PART[label]}"
        rows.append([what, *_two(mean), *_two(case["ensemble"])])
    unmeasured = table["closed_form/RPE1 in part/0.0/string 20"]["ensemble"]
    rows.append(["RPE1, not measured, K562 known", *_two(elsewhere), *_two(unmeasured)])
    for kind in ("deletion", "induction"):
        case = table[f"yeast/{kind}/string"]
        rows.append([f"yeast, {kind}, unseen genes", *_two(case["mean"]), *_two(case["both"])])
    head = [
        "screen, task",
        "mean effect: Pearson Δ",
        "retrieval",
        "TxPert: Pearson Δ",
        "retrieval",
    ]
    note = (
        "TxPert is this package's default ensemble, not the published network. Where K562 is "
        "known it is the ensemble without its network, for yeast the Gaussian process alone. "
        "Graphs: STRING and GO; where K562 is known STRING, for yeast STRING's actions; ten are "
        "STRING, its experiments, its coexpression, GO's three ontologies, BioGRID, IntAct, "
        "Reactome and DepMap's co-essential modules. Where RPE1 is not measured, the baseline is "
        f"the mean effect of K562, over all {elsewhere['perturbations']} perturbations (TxPert: "
        f"draws of a quarter). Its squared error, {elsewhere['mse']:.4f}, is below TxPert's, "
        f"{unmeasured['mse']:.4f}: such predictions tell perturbations apart better than they "
        "tell how strong the effects are."
    )
    return f"{_table(head, rows)}\n\n{note}"


def mean_of_k562(results: Path = RESULTS) -> Scores:
    """Return how well the mean effect of K562 predicts RPE1, by unseen_line.json."""
    rows = json.loads((results / "unseen_line.json").read_text())["rows"]
    return next(r for r in rows if r["asked"] == "RPE1" and r["prediction"] == "mean effect")


def put(text: str, table: str) -> str:
    """Replace what stands between the two marks of a text."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The text lacks the lines {BEGIN!r} and {END!r}.")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def write(results: Path = RESULTS, readme: Path | None = ROOT / "README.md") -> None:
    """Write screens.md next to screens.json, and the block in README.md."""
    done = json.loads((results / "screens.json").read_text())
    (results / "screens.md").write_text(screens_page(done))
    if readme is not None:
        readme.write_text(put(readme.read_text(), readme_table(done)))


def _unseen(table: Means) -> str:
    lines = ("K562", "RPE1")
    rows = [
        [label, *(_three(table[f"unseen/{line}/{name}"]["process"]) for line in lines)]
        for name, label in GRAPHS.items()
        if all(f"unseen/{line}/{name}" in table for line in lines)
    ]
    means_only = [_three(table[f"unseen/{line}/{BEST}"]["mean"]) for line in lines]
    return _table(["graphs", *lines], [*rows, ["none: the mean effect", *means_only]])


def _given(table: Means) -> str:
    versions = [(line, task) for line in ("K562", "RPE1") for task in ("given", "unseen")]
    rows = []
    for name in WEIGHTED:
        cases = [f"{task}/{line}/{name}" for line, task in versions]
        if all(case in table for case in cases):
            rows.append([GRAPHS[name], *(_three(table[case]["process"]) for case in cases)])
    what = {"given": "as given", "unseen": "both"}
    return _table(["graphs", *(f"{line}, {what[task]}" for line, task in versions)], rows)


def _together(table: Means) -> str:
    lines = ("K562", "RPE1")
    trained = {"unseen": "on the line alone", "together": "on both lines"}
    rows = [
        [name + more, *(_three(table[f"{task}/{line}/{label}"]["process"]) for line in lines)]
        for (label, more), (task, name) in product(COMPARED.items(), trained.items())
        if all(f"{task}/{line}/{label}" in table for line in lines)
    ]
    return _table(["trained", *lines], rows)


def _few_shot(table: Means) -> str:
    models = ("ten graphs", "both lines", "line alone", "mean of line")
    rows = []
    for fraction in FRACTIONS:
        case = table[f"few_shot/RPE1/{fraction}"]
        measured = f"{float(fraction):.0%}" if float(fraction) else "none"
        rows.append([measured, *(_three(case[m]) if m in case else "–" for m in models)])
    names = ["both lines, ten graphs", "both lines", "RPE1 alone", "mean of RPE1"]
    return _table(["measured in RPE1", *names], rows)


def _closed_form(table: Means) -> str:
    versions = [(line, name) for line in ("K562", "RPE1") for name in (UNCALIBRATED, "ensemble")]
    rows = [
        [GRAPHS[label], *(_three(table[f"closed_form/{line}/{label}"][n]) for line, n in versions)]
        for label in CLOSED_FORM
    ]
    what = {UNCALIBRATED: "not calibrated", "ensemble": "calibrated"}
    names = [f"{line}, {what[name]}" for line, name in versions]
    in_part = [
        [f"{float(fraction):.0%}{more}", *(_three(case[n]) for n in (UNCALIBRATED, "ensemble"))]
        for (label, more), fraction in product(IN_PART.items(), FRACTIONS)
        if (case := table[f"closed_form/RPE1 in part/{fraction}/{label}"])
    ]
    of_part = _table(["measured in RPE1, K562 known", *what.values()], in_part)
    return f"{_table(['graphs', *names], rows)}\n\n{of_part}"


def _components(table: Means) -> str:
    cases = {
        line + more: table[f"components/{line}/{label}"]
        for (label, more), line in product(COMPARED.items(), ("K562", "RPE1"))
        if f"components/{line}/{label}" in table
    }
    rows = [
        [label, *(_three(case[name]) for case in cases.values())]
        for name, label in COMPONENTS.items()
        if all(name in case for case in cases.values())
    ]
    return _table(["prediction", *cases], rows)


def _small(table: Means) -> str:
    rows = []
    for line in ("K562", "RPE1"):
        for n in SIZES:
            case = table[f"small/{line}/{n}"]
            seconds = [f"{case[name]['cpu_seconds']:.2g}" for name in SMALL]
            rows.append([f"{n} of {line}", *(_three(case[m]) for m in ("mean", *SMALL)), *seconds])
    timed = [f"{name}, seconds" for name in SMALL]
    return _table(["trained on", "mean effect", *SMALL, *timed], rows)


def _yeast(table: Means) -> str:
    names = {"both": "both modalities", "alone": "one modality", "mean": "mean effect"}
    rows = [
        [kind, *(_three(table[f"yeast/{kind}/string"][name]) for name in names)]
        for kind in ("deletion", "induction")
    ]
    return _table(["predicted", *names.values()], rows)


def _runs(done: Iterable[str], prefix: str) -> int:
    cases = [name.rpartition("/") for name in done if name.startswith(prefix)]
    return len({seed for case, _, seed in cases if case == cases[0][0]})


def _three(scores: Mapping[str, float]) -> str:
    return f"{scores['pearson_delta']:.3f} / {scores['retrieval']:.3f} / {scores['mse']:.4f}"


def _two(scores: Mapping[str, float]) -> list[str]:
    return [f"{scores['pearson_delta']:.3f}", f"{scores['retrieval']:.3f}"]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


SECTIONS: dict[str, tuple[str, str, Callable[[Means], str]]] = {
    "unseen/": (
        "Unseen genes, by graph",
        "The *Gaussian process alone*, means over {n} held-out sets (five folds per seed).",
        _unseen,
    ),
    "given/": (
        "Edges as given, and with refined ones too",
        "The same {n} held-out sets by kernels of the edges as given, and of both (the default).",
        _given,
    ),
    "together/": (
        "Unseen genes, with another cell line",
        "The same {n} held-out sets; no line has the held-out perturbations. STRING, top 20, and "
        "GO, these in parts, or the ten graphs; the *Gaussian process alone*.",
        _together,
    ),
    "few_shot/": (
        "A cell line measured in part",
        "K562 measured whole and RPE1 in part; a quarter of RPE1 is predicted (draws: {n}). "
        "STRING, top 20, or the ten graphs; the *Gaussian process alone*.",
        _few_shot,
    ),
    "closed_form/": (
        "Without the network, calibrated or not",
        "Trained models of the mean effect and the Gaussian process. Unseen genes by graph, the "
        "{n} held-out sets; and RPE1 measured in part, the draws of the last table.",
        _closed_form,
    ),
    "components/": (
        "The ensemble and its components",
        "Trained models on STRING, top 20, and GO; unseen genes, {n} held-out sets. In parts and "
        "with the ten graphs the first {more} of these.",
        _components,
    ),
    "small/": (
        "Few perturbations",
        "Trained models on STRING, top 20, and some perturbations of a line; 120 others are "
        "predicted (draws: {n}). CPU time in seconds, on one thread.",
        _small,
    ),
    "yeast/": (
        "Two modalities in yeast",
        "Transcription factors deleted (Kemmeren 2014) and induced (Hackett 2020); each is held "
        "out in both modalities in one of {n} sets. STRING's actions, the *Gaussian "
        "process alone*, trained on one modality or on both.",
        _yeast,
    ),
}

if __name__ == "__main__":
    write()
