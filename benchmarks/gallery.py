"""Draw every figure of ``tx.pl`` for docs/gallery.md.

python benchmarks/gallery.py docs/_static/gallery [--data FOLDER] [--looks FOLDER]

On simulated screens or, with ``--data``, on real ones. ``--looks`` also draws each at half a page
and on a dark background, to be looked at. Some five minutes for each kind of screen.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from _common import shrink
from _gallery_real import real

import txpert as tx


def kernel(adata: Any, seed: int, graphs: Any) -> Any:
    """Fit the quick model of the comparisons."""
    return tx.baselines.KernelBaseline(graphs=graphs).fit(adata)


def half_of(graph: Any) -> Any:
    """Return a graph of every second edge."""
    edges = graph.source[::2], graph.target[::2], graph.weight[::2]
    return tx.graph.KnowledgeGraph("half of it", list(graph.nodes), *edges)


def predictions() -> dict[str, Callable[[], Any]]:
    """Return the figures of a trained model, its predictions and its graphs."""
    settings = tx.datasets.SimulationParameters(confounded=0.1, stress_scale=0.4)
    adata = tx.datasets.simulate(80, 300, 30, n_cell_lines=2, parameters=settings, seed=0)
    tx.pp.normalize(adata)
    tx.pp.split(adata)
    graph = tx.datasets.simulated_graph(adata)
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graphs=[graph])
    model.train(max_epochs=20, enable_progress_bar=False)
    tx.tl.evaluate(adata, model)
    tx.tl.screen_report(adata)
    measured = {label for label, _ in model.trained_on_}
    unseen = [gene for gene in graph.nodes if gene not in measured][:80]
    scored = list(adata.uns["txpert"]["delta_obs"]["perturbation"].astype(str).unique())
    prediction = model.predict([*scored, *unseen], return_std=True)
    tx.tl.trust(adata, graphs=graph, prediction=prediction)
    pseudobulk = tx.pp.pseudobulk(adata)
    first = scored[0]
    some = {"cell_line": "line_1", "n_genes": 20}
    sets = {"one set": unseen[:12], "another set": scored[:8]}
    half = half_of(graph)
    embeddings = model.get_perturbation_embedding()
    why = model.explain(first, cell_line="line_1")
    return {
        "profile": lambda: tx.pl.profile(prediction, first, observed=pseudobulk, **some),
        "volcano": lambda: tx.pl.volcano(prediction, first, cell_line="line_1"),
        "heatmap": lambda: tx.pl.heatmap(
            prediction, pseudobulk, perturbations=[*scored[:12], *unseen[:8]], **some
        ),
        "ranking": lambda: tx.pl.ranking(prediction, exclude=measured, cell_line="line_1", n=15),
        "embedding": lambda: tx.pl.embedding(embeddings, measured=measured, gene_sets=sets),
        "explain": lambda: tx.pl.explain(why),
        "scores": lambda: tx.pl.scores(adata),
        "delta": lambda: tx.pl.delta(adata, first),
        "history": lambda: tx.pl.history(model),
        "screen_report": lambda: tx.pl.screen_report(adata),
        "trust": lambda: tx.pl.trust(adata),
        "graph_coverage": lambda: tx.pl.graph_coverage([graph, half], [*unseen, "NOT_A_NODE"]),
        "graph_overlap": lambda: tx.pl.graph_overlap([graph, half]),
        "enrichment": lambda: tx.pl.enrichment(tx.tl.enrichment(adata), n=4),
    }


def comparisons() -> dict[str, Callable[[], Any]]:
    """Return the figures of benchmarks and of interactions, on a screen with doubles."""
    settings = tx.datasets.SimulationParameters(synergy_factor=3)
    adata = tx.datasets.simulate(40, 150, 40, n_doubles=40, parameters=settings, seed=1)
    tx.pp.normalize(adata)
    graph = tx.datasets.simulated_graph(adata)
    models: dict[str, Any] = {
        "kernel": tx.baselines.KernelBaseline(graphs=graph),
        "neighbors": tx.baselines.NeighborsBaseline(graphs=graph),
        "mean": "mean",
        "oracle": lambda cells, seed: tx.datasets.TruthOracle(adata),
    }
    result = tx.benchmark(adata, models, "unseen_combination", [0, 1, 2], ceiling_repeats=3)
    shapes = {"rewire": [0.25, 0.5, 0.75, 1], "drop": [0.25, 0.5, 0.75]}
    ablation = tx.ablate_graphs(
        adata,
        [graph, half_of(graph)],
        "unseen_perturbation",
        [0, 1, 2],
        recipe=kernel,
        ceiling_repeats=3,
        **shapes,
    )
    single = ~adata.obs["perturbation"].astype(str).str.contains("+", regex=False)
    sums = tx.baselines.GeneralBaseline().fit(adata[single.to_numpy()].copy())
    tx.tl.interactions(adata, sums)
    general = {"oracles": ["oracle"], "model": "kernel"}
    return {
        "benchmark_bars": lambda: tx.pl.benchmark_bars(result, by="group", **general),
        "benchmark_strips": lambda: tx.pl.benchmark_strips(result, model="kernel"),
        "benchmark_ranks": lambda: tx.pl.benchmark_ranks(result),
        "benchmark_differences": lambda: tx.pl.benchmark_differences(result, model="kernel"),
        "graph_ablation": lambda: tx.pl.graph_ablation(ablation),
        "interactions": lambda: tx.pl.interactions(adata, "synergy"),
    }


def save(figure: Any, path: Path, dpi: int = 90) -> None:
    """Store a figure as a small PNG and close it."""
    figure.savefig(path, dpi=dpi)
    plt.close(figure)
    shrink(path)


def main() -> None:
    """Write one PNG per figure into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, help="folder with real screens, drawn instead")
    parser.add_argument("--looks", type=Path, help="folder for half a page and dark backgrounds")
    parser.add_argument("--only", nargs="+", help="names of figures")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    figures = predictions() | comparisons() if arguments.data is None else real(arguments.data)
    for name, draw in figures.items():
        if arguments.only and name not in arguments.only:
            continue
        path = arguments.folder / f"{name}.png"
        save(draw().figure, path)
        print(f"{name}: {path.stat().st_size / 1e3:.0f} kB", flush=True)
        if arguments.looks is not None:
            arguments.looks.mkdir(parents=True, exist_ok=True)
            figure = draw().figure
            half = 3.4 / figure.get_figwidth()  # inches of a column
            save(figure, arguments.looks / f"{name}_half.png", dpi=int(150 * half))
            with plt.style.context("dark_background"):
                save(draw().figure, arguments.looks / f"{name}_dark.png", dpi=60)


if __name__ == "__main__":
    main()
