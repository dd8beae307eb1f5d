"""Figures of the gallery on real screens: knockout in THP-1, knockdown in K562 and RPE1, pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

import txpert as tx
from txpert.graph import KnowledgeGraph

Draw = Callable[[], Any]
CLOSED_FORM = ("mean", "gaussian_process")


def string(folder: Path) -> KnowledgeGraph:
    path = folder / "string_links.tsv.gz"
    whole = KnowledgeGraph.from_edges(path, name="STRING", weight="combined_score", directed=False)
    return whole.top_k(20)


def knockout(folder: Path) -> dict[str, Draw]:
    """Single cells of 20 knockouts in THP-1 (Papalexi 2021)."""
    adata = ad.read_h5ad(folder / "papalexi.h5ad")
    adata.obs["control"] = adata.obs["perturbation"] == "control"
    tx.pp.normalize(adata)
    tx.tl.screen_report(adata)
    tx.pp.split(adata)
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, string(folder), components="network")
    model.train(max_epochs=30, enable_progress_bar=False)
    return {
        "real_screen_report": lambda: tx.pl.screen_report(adata),
        "real_history": lambda: tx.pl.history(model),
    }


def knockdown(folder: Path) -> dict[str, Draw]:
    """Effects of knockdowns in K562 and RPE1 (Replogle 2022), and a model of them."""
    adata = ad.read_h5ad(folder / "replogle_up.h5ad")
    tx.pp.split(adata)
    graph = string(folder)
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graph, components=CLOSED_FORM)
    model.train()
    tx.tl.evaluate(adata, model)
    measured = {label for label, _ in model.trained_on_}
    scored = sorted(adata.uns["txpert"]["delta_obs"]["perturbation"].astype(str).unique())
    unseen = sorted(set(graph.nodes) - measured - set(scored))[::40]
    prediction = model.predict([*scored, *unseen], cell_line="K562", return_std=True)
    tx.tl.trust(adata, graphs=graph, prediction=model.predict(scored, return_std=True))
    truth = tx.pp.pseudobulk(adata)
    table = adata.uns["txpert"]["metrics"]
    best = table[(table["model"] == "TxPert") & (table["cell_line"] == "K562")]
    best = str(best.sort_values("pearson_delta")["perturbation"].iloc[-4])
    sets = {
        name: [gene for gene in measured if gene.startswith(starts)]
        for name, starts in (
            ("ribosome", ("RPL", "RPS")),
            ("proteasome", "PSM"),
            ("mediator", "MED"),
        )
    }
    k562 = {"cell_line": "K562"}
    why = model.explain(best, **k562)
    effect = truth[(truth.obs["cell_line"] == "RPE1") & ~truth.obs["control"].astype(bool)]
    mean = pd.Series(effect.layers["delta"].mean(axis=0), index=adata.var_names)
    up = mean.nlargest(100).index.tolist()
    terms = tx.tl.enrichment({"RPE1: mean effect up": up}, list(adata.var_names))
    return {
        "real_profile": lambda: tx.pl.profile(
            prediction, best, observed=truth, n_genes=20, **k562
        ),
        "real_volcano": lambda: tx.pl.volcano(prediction, best, **k562),
        "real_delta": lambda: tx.pl.delta(adata, best, name_by="error", **k562),
        "real_heatmap": lambda: tx.pl.heatmap(
            prediction, truth, perturbations=scored[:25], n_genes=30, **k562
        ),
        "real_ranking": lambda: tx.pl.ranking(prediction, exclude=measured, n=15, **k562),
        "real_embedding": lambda: tx.pl.embedding(
            model.predict(sorted({*measured, *scored}), **k562),
            measured=measured,
            gene_sets=sets,
        ),
        "real_scores": lambda: tx.pl.scores(adata),
        "real_trust": lambda: tx.pl.trust(adata),
        "real_enrichment": lambda: tx.pl.enrichment(terms, n=25),
        "real_explain": lambda: tx.pl.explain(why),
    }


def kernel(adata: ad.AnnData, seed: int, graphs: list[KnowledgeGraph]) -> object:
    """Fit the quick model of the comparisons."""
    return tx.baselines.KernelBaseline(graphs=graphs).fit(adata)


def comparisons(folder: Path) -> dict[str, Draw]:
    """Models and graphs compared on the knockdowns in K562."""
    adata = ad.read_h5ad(folder / "replogle_up.h5ad")
    adata = adata[(adata.obs["cell_line"] == "K562").to_numpy()].copy()
    reactome = tx.graph.from_gmt(folder / "reactome.gmt.gz", name="Reactome")
    graphs = [string(folder), reactome]
    models = {
        "kernel": tx.baselines.KernelBaseline(graphs=graphs[0]),
        "neighbors": tx.baselines.NeighborsBaseline(graphs=graphs[0]),
        "Reactome": tx.baselines.KernelBaseline(graphs=graphs[1]),
    }
    result = tx.benchmark(adata, models, "unseen_perturbation", [0, 1, 2])
    shapes = {"rewire": [0.25, 0.5, 1], "drop": [0.25, 0.5]}
    ablation = tx.ablate_graphs(
        adata, graphs, "unseen_perturbation", [0, 1, 2], recipe=kernel, **shapes
    )
    return {
        "real_benchmark_bars": lambda: tx.pl.benchmark_bars(result),
        "real_benchmark_strips": lambda: tx.pl.benchmark_strips(result),
        "real_benchmark_ranks": lambda: tx.pl.benchmark_ranks(result),
        "real_benchmark_differences": lambda: tx.pl.benchmark_differences(result),
        "real_graph_ablation": lambda: tx.pl.graph_ablation(ablation),
    }


def pairs(folder: Path) -> dict[str, Draw]:
    """Pairs of activated genes in K562 (Norman 2019), and graphs over them."""
    adata = ad.read_h5ad(folder / "norman_mcfaline.h5ad")
    adata = adata[(adata.obs["cell_line"] == "K562").to_numpy()].copy()
    adata = adata[:, np.asarray(adata.X.sum(axis=0)).ravel() > 0].copy()
    adata.obs["control"] = adata.obs["perturbation"] == "control"
    single = ~adata.obs["perturbation"].astype(str).str.contains("+", regex=False)
    sums = tx.baselines.GeneralBaseline().fit(adata[single.to_numpy()].copy())
    tx.tl.interactions(adata, sums)
    genes = sorted({g for p in adata.obs["perturbation"].astype(str) for g in p.split("+")})
    targets = [gene for gene in genes if gene != "control"]
    reactome = tx.graph.from_gmt(folder / "reactome.gmt.gz", name="Reactome")
    graphs = [string(folder), tx.graph.go(), reactome]
    return {
        "real_interactions": lambda: tx.pl.interactions(adata, "synergy"),
        "real_graph_coverage": lambda: tx.pl.graph_coverage(graphs, targets),
        "real_graph_overlap": lambda: tx.pl.graph_overlap(graphs),
    }


def real(folder: Path) -> dict[str, Draw]:
    """Return the figures on the screens of a folder."""
    return knockout(folder) | knockdown(folder) | comparisons(folder) | pairs(folder)
