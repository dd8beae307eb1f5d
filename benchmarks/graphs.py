"""Speed and memory of building knowledge graphs at full size.

Every case runs in a process of its own, so that its peak memory is its own. Inputs are synthetic
apart from the packaged GO annotations; files lie in a temporary directory and are deleted. Run::

    python benchmarks/graphs.py [--scale 1.0] [--output benchmarks/results/graphs.json]
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from queue import Queue

import numpy as np
import pandas as pd

from txpert import graph as tg
from txpert.graph._go import go_genes

# Seconds and GB that the project set itself, for a scale of 1 on two cores.
TARGETS = {
    "go: all packaged genes": (30, 3),
    "go: 10,000 genes": (10, 2),
    "jaccard: 20,000 genes, 18,000 sets": (30, 3),
    "features: top 1% of pairs, 20,000 genes": (60, 4),
    "string: 13 M lines": (60, None),
}


def names(n: int) -> list[str]:
    return [f"GENE{i:05d}" for i in range(n)]


def write_gmt(path: Path, n_genes: int, n_sets: int) -> None:
    """Write gene sets whose sizes fall off as GO's do: a few huge ones, many of a handful."""
    rng = np.random.default_rng(0)
    sizes = (0.6 * n_genes / np.arange(1, n_sets + 1) ** 0.9).astype(int).clip(2)
    genes = np.array(names(n_genes))
    with path.open("w") as file:
        for i, size in enumerate(sizes):
            members = genes[rng.choice(n_genes, size, replace=False)]
            file.write("\t".join([f"SET{i}", "", *members]) + "\n")


def write_string(links: Path, info: Path, n_lines: int, n_proteins: int) -> None:
    """Write links with the scores and both directions of STRING's file."""
    rng = np.random.default_rng(0)
    proteins = np.array([f"9606.ENSP{i:011d}" for i in range(n_proteins)])
    genes = go_genes()
    with info.open("w") as file:
        file.write("#string_protein_id\tpreferred_name\tprotein_size\tannotation\n")
        for i, protein in enumerate(proteins):
            symbol = genes[i] if i < len(genes) else f"GENE{i}"
            file.write(f"{protein}\t{symbol}\t100\ta protein\n")
    with gzip.open(links, "wt", compresslevel=1) as file:
        file.write("protein1 protein2 combined_score\n")
        for start in range(0, n_lines, 1_000_000):
            size = min(1_000_000, n_lines - start) // 2
            first, second = rng.integers(n_proteins, size=(2, size))
            score = np.minimum(150 + rng.exponential(150, size), 999).astype(int)
            one, two = proteins[first], proteins[second]
            rows = zip(one.tolist(), two.tolist(), score.tolist(), strict=True)
            file.writelines(f"{a} {b} {s}\n{b} {a} {s}\n" for a, b, s in rows)


def go_all(_: Path, scale: float) -> tg.KnowledgeGraph:
    return tg.go(go_genes()[: int(20_000 * scale)])


def go_some(_: Path, scale: float) -> tg.KnowledgeGraph:
    return tg.go(go_genes()[: int(10_000 * scale)])


def go_propagated(_: Path, scale: float) -> tg.KnowledgeGraph:
    return tg.go(go_genes()[: int(20_000 * scale)], propagate=True)


def jaccard(folder: Path, scale: float) -> tg.KnowledgeGraph:
    return tg.from_gmt(folder / "sets.gmt", name="sets", k=20)


def features(_: Path, scale: float) -> tg.KnowledgeGraph:
    n = int(20_000 * scale)
    values = np.random.default_rng(0).standard_normal((n, 1000), dtype=np.float32)
    return tg.from_features(pd.DataFrame(values, index=names(n)), name="f", top_fraction=0.01)


def string(folder: Path, scale: float) -> tg.KnowledgeGraph:
    genes = go_genes()
    return tg.string(folder / "links.txt.gz", folder / "info.txt", genes=genes)


def measured(
    case: Callable[[Path, float], tg.KnowledgeGraph], folder: Path, scale: float, queue: Queue
) -> None:
    """Run a case; say how long it took and what memory it added at its peak, in GB."""
    tg.go(["JAK2", "STAT1"])  # what is loaded once should not count
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    graph = case(folder, scale)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    queue.put((seconds, peak / 1e6, (peak - before) / 1e6, graph.n_nodes, graph.n_edges))


def run(case: Callable, folder: Path, scale: float) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=measured, args=(case, folder, scale, queue))
    process.start()
    values = queue.get(timeout=1800)
    process.join()
    columns = ("seconds", "peak_gb", "added_gb", "n_nodes", "n_edges")
    return dict(zip(columns, values, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/graphs.json"))
    options = parser.parse_args()
    scale = options.scale
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows["go: 10,000 genes"] = run(go_some, folder, scale)
        rows["go: all packaged genes"] = run(go_all, folder, scale)
        rows["go: all, propagated"] = run(go_propagated, folder, scale)
        for size in (2_000, 20_000):
            write_gmt(folder / "sets.gmt", int(size * scale), int(18_000 * scale))
            rows[f"jaccard: {size:,} genes, 18,000 sets"] = run(jaccard, folder, scale)
        for size in (2_000, 20_000):
            label = f"features: top 1% of pairs, {size:,} genes"
            rows[label] = run(features, folder, scale * size / 20_000)
        write_string(
            folder / "links.txt.gz", folder / "info.txt", int(13e6 * scale), int(19_600 * scale)
        )
        rows["string: 13 M lines"] = run(string, folder, scale)
    table = pd.DataFrame(rows).T.astype({"n_nodes": int, "n_edges": int})
    table["target_seconds"] = [TARGETS.get(row, (None, None))[0] for row in table.index]
    table["target_gb"] = [TARGETS.get(row, (None, None))[1] for row in table.index]
    print(f"scale {scale}\n{table.to_string(float_format='%.2f', na_rep='')}")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    result = {"scale": scale, "cases": json.loads(table.to_json(orient="index"))}
    options.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
