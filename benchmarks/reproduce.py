"""The paper's tasks on its public screens, from download to table: TxPert, its network, baselines.

python benchmarks/reproduce.py k562|cross-line|norman [--seeds 0 1 2] [--architecture gat]
    [--graphs go string] [--files NAME=PATH ...] [--genes 5000] [--results FOLDER]

k562: Replogle's essential genes in K562, unseen perturbations. cross-line: K562, RPE1, HepG2 and
Jurkat, each in turn known by its control cells only. norman: CRISPRa, unseen combinations.
Filters, split fractions and highly variable genes are the paper's. Its proprietary graphs are not
public, and of its screens scPerturb's copies are taken: scores need not agree to the last digit.

Screens and STRING are downloaded once; --files names copies that you have, by the names of
tx.datasets.show(). Finished fits are kept in FOLDER/reproduce/; a second call goes on where the
first stopped. All cells are held in memory. No numbers of this script are reported in the
documentation: it has not been run on the real screens.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anndata as ad
import scvi
from _common import RESULTS, quiet, store
from _tables import markdown, rows_of, summary

import txpert as tx

LOADERS = {
    "norman_2019": tx.datasets.norman_2019,
    "replogle_2022_k562_essential": tx.datasets.replogle_2022,
    "replogle_2022_rpe1_essential": partial(tx.datasets.replogle_2022, "RPE1"),
    "nadig_2025_hepg2": tx.datasets.nadig_2025,
    "nadig_2025_jurkat": partial(tx.datasets.nadig_2025, "Jurkat"),
}


@dataclass(frozen=True)
class Experiment:
    """One table of the paper: its screens, its task and its filters."""

    screens: Sequence[str]
    task: str
    filters: Mapping[str, Any] = field(default_factory=dict)


EXPERIMENTS = {
    "k562": Experiment(["replogle_2022_k562_essential"], "unseen_perturbation"),
    "cross-line": Experiment(
        [name for name in LOADERS if name != "norman_2019"], "unseen_cell_line"
    ),
    # The targets of CRISPRa do not fall.
    "norman": Experiment(["norman_2019"], "unseen_combination", {"max_target_expression": None}),
}


def screen(
    experiment: Experiment, files: Mapping[str, Path], filters: Mapping[str, Any]
) -> ad.AnnData:
    """Return the log-normalized cells of perturbations that pass the filters."""
    parts = []
    for name in experiment.screens:
        adata = LOADERS[name](path=files.get(name))
        tx.pp.normalize(adata)
        del adata.layers["counts"]
        line = str(adata.obs["cell_line"].iloc[0])
        adata.obs["batch"] = line + "_" + adata.obs["batch"].astype(str)
        adata.obs_names = line + "_" + adata.obs_names
        tx.pp.filter_perturbations(adata, **{**experiment.filters, **filters})
        parts.append(adata[adata.obs["perturbation_passes"]].copy())
    return parts[0] if len(parts) == 1 else ad.concat(parts, join="inner")


def public_graphs(names: Sequence[str], adata: ad.AnnData) -> list[tx.graph.KnowledgeGraph]:
    """Return graphs over the genes measured and perturbed."""
    targets = {gene for label in set(adata.obs["perturbation"]) for gene in label.split("+")}
    genes = sorted({*adata.var_names, *targets} - {"control"})
    return [getattr(tx.graph, name)(genes=genes) for name in names]


def fit_paper(
    adata: ad.AnnData,
    seed: int,
    *,
    graphs: Sequence[tx.graph.KnowledgeGraph],
    architecture: str,
    train: Mapping[str, Any],
) -> tx.TxPertModel:
    """Fit the network as published; a target that no graph has is a node without edges."""
    scvi.settings.seed = seed
    tx.TxPertModel.setup_anndata(adata)
    asked = adata.uns["txpert_benchmark"]["test_perturbations"]
    labels = {*asked, *adata.obs["perturbation"]}
    targets = {gene for label in labels for gene in label.split("+")} - {"control"}
    nodes = {gene for graph in graphs for gene in graph.nodes}
    model = tx.TxPertModel.paper(
        adata, list(graphs), architecture, extra_nodes=sorted(targets - nodes)
    )
    model.train(**model.paper_training(), **train)
    return model


def folds(
    adata: ad.AnnData, task: str, seed: int, n_genes: int
) -> Iterator[tuple[str, ad.AnnData]]:
    """Yield the screen with a split and its highly variable genes, per test line if need be."""
    lines = sorted(set(adata.obs["cell_line"])) if task == "unseen_cell_line" else [None]
    for line in lines:
        fold = adata.copy()
        tx.pp.split(fold, task=task, test_cell_line=line, seed=seed)
        tx.pp.highly_variable_genes(fold, n_genes)
        yield line or "all", fold[:, fold.var["highly_variable"]].copy()


def reproduce(
    name: str,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    architecture: str = "gat",
    graphs: Sequence[str | tx.graph.KnowledgeGraph] = ("go", "string"),
    files: Mapping[str, Path] | None = None,
    n_genes: int = 5_000,
    filters: Mapping[str, Any] | None = None,
    train: Mapping[str, Any] | None = None,
    results: Path = RESULTS,
) -> str:
    """Load, split, train and score; return the table, and store it with its rows.

    Parameters
    ----------
    name
        ``"k562"``, ``"cross-line"`` or ``"norman"``.
    seeds
        Each draws its own split and seeds training.
    architecture
        Of the paper's network.
    graphs
        Functions of ``tx.graph`` by name, or graphs.
    files
        Copies of screens, by the names of ``tx.datasets.show()``; others are downloaded.
    n_genes
        Highly variable genes.
    filters
        Arguments of ``tx.pp.filter_perturbations`` other than the paper's.
    train
        Further arguments of training, of both models.
    results
        Folder for tables and finished fits.
    """
    experiment = EXPERIMENTS[name]
    adata = screen(experiment, files or {}, filters or {})
    named = public_graphs([graph for graph in graphs if isinstance(graph, str)], adata)
    given = [*named, *(graph for graph in graphs if not isinstance(graph, str))]
    options = {"enable_progress_bar": False, **(train or {})}
    models = {
        "TxPert": partial(tx.tl.fit_txpert, graphs=given, train=options),
        f"the paper's network ({architecture})": partial(
            fit_paper, graphs=given, architecture=architecture, train=options
        ),
        "general": "general",
        "mean": "mean",
    }
    rows = []
    for seed in seeds:
        for test, fold in folds(adata, experiment.task, seed, n_genes):
            folder = results / "reproduce" / name / test / f"seed_{seed}"
            result = tx.benchmark(fold, models, seeds=[seed], folder=folder)
            rows += [{"test": test, **row} for row in rows_of(result)]
    means = summary(rows, ["test", "group"])
    store(f"reproduce_{name}", rows, folder=results, summary=means)
    table = markdown(means, ["test", "group"])
    (results / f"reproduce_{name}.md").write_text(table)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=EXPERIMENTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--architecture", default="gat")
    parser.add_argument("--graphs", nargs="+", default=["go", "string"])
    parser.add_argument("--files", nargs="+", default=[], metavar="NAME=PATH")
    parser.add_argument("--genes", type=int, default=5_000)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    pairs = (text.partition("=") for text in arguments.files)
    table = reproduce(
        arguments.name,
        seeds=arguments.seeds,
        architecture=arguments.architecture,
        graphs=arguments.graphs,
        files={name: Path(path) for name, _, path in pairs},
        n_genes=arguments.genes,
        results=arguments.results,
    )
    print(table)


if __name__ == "__main__":
    main()
