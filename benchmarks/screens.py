"""Real screens: unseen perturbations, a line measured in part, modalities, the network's part.

python benchmarks/screens.py --data FOLDER
    [--only unseen given together few_shot closed_form yeast components small] [--seeds 0 1 2]
    [--results FOLDER]

unseen: K562 and RPE1 (Replogle 2022), 5 folds per seed, for several sets of graphs. given: the
same without kernels of refined edges. together: the same folds by a fit to both lines, of which
neither has the held-out perturbations. few_shot: K562 whole and 0, 10, 50 or 75% of RPE1; a
quarter of RPE1 is predicted. yeast: deletion and induction of yeast transcription factors
(Kemmeren 2014, Hackett 2020), alone and both together, 5 folds. These five fit the Gaussian
process alone. closed_form: "unseen" for each graph, and "few_shot", by trained models without the
network, which are calibrated. components: the folds of "unseen" by a trained model, whole and by
component. small: 20 or 60 perturbations of a line, drawn twice per seed, train the default and the
ensemble without its network, and 120 others are predicted. Whatever is fitted is fitted to
training perturbations.
together, few_shot and components are also run on STRING and GO in parts and on ten graphs.
Finished cases are kept in screens.json, their tables in screens.md; a second call goes on where
the first stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anndata as ad
import numpy as np
import pandas as pd
import screen_tables
import scvi

import txpert as tx
from txpert.effects import _gene_kernels
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects
from txpert.graph import KnowledgeGraph
from txpert.graph._several import named_for

Scores = dict[str, float]
ONTOLOGIES = ("go BP", "go CC", "go MF")
CHANNELS = ("string 20", "string experiments", "string coexpression")
PARTS = (*CHANNELS, *ONTOLOGIES)
GRAPHS = {
    "string 20 + go": ("string 20", "go"),
    "string 20": ("string 20",),
    "string all": ("string all",),
    "string among": ("string among",),
    "go": ("go",),
    "go, unweighted": ("go, unweighted",),
    "go by ontology": ONTOLOGIES,
    "biogrid": ("biogrid",),
    "channels": (*CHANNELS, "go"),
    "parts": PARTS,
    "ten": (*PARTS, "biogrid", "intact", "reactome", "coessential"),
}


def score(predicted: np.ndarray, observed: np.ndarray) -> Scores:
    return {
        "pearson_delta": float(np.nanmean(tx.metrics.pearson_delta(predicted, observed))),
        "retrieval": float(np.nanmean(tx.metrics.retrieval(predicted, observed))),
        "mse": float(((predicted - observed) ** 2).mean()),
    }


def folds(names: np.ndarray, seed: int, n_folds: int = 5) -> np.ndarray:
    """Return the fold of each row; rows of one perturbation share it."""
    distinct = np.unique(names)
    fold = np.random.default_rng(seed).permutation(len(distinct)) % n_folds
    return fold[np.searchsorted(distinct, names)]


class Screen:
    """Rows of a screen, and kernels between its targets."""

    def __init__(self, adata: ad.AnnData, graphs: dict[str, KnowledgeGraph], gene: str) -> None:
        self.delta = np.asarray(adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X)
        self.genes = adata.var_names
        self.name = adata.obs[gene].astype(str).to_numpy()
        self.line = adata.obs["cell_line"].astype(str).to_numpy()
        missing = "modality" not in adata.obs
        self.modality = np.full(len(adata), "all") if missing else adata.obs["modality"].to_numpy()
        self.graphs = graphs
        self._kernels: dict[tuple[str, ...], GeneKernels] = {}

    def kernels(self, names: tuple[str, ...]) -> GeneKernels:
        """Return kernels on some of the graphs, made once."""
        if names not in self._kernels:
            anchors = pd.Index(np.unique(self.name), dtype=object)
            graphs, _ = named_for([self.graphs[n] for n in names], list(anchors))
            self._kernels[names] = GeneKernels(graphs, {}, anchors)
        return self._kernels[names]

    def predict(self, train: np.ndarray, test: np.ndarray, graphs: tuple[str, ...]) -> np.ndarray:
        """Return Δ of test rows after a fit to training rows."""
        kernels = self.kernels(graphs)
        effects = MeasuredEffects.of(
            [(name,) for name in self.name[train]],
            self.delta[train],
            cell_line=self.line[train].tolist(),
            modality=self.modality[train].tolist(),
        )
        process = GeneGaussianProcess.fit(effects, kernels)
        asked = [(name,) for name in self.name[test]]
        context = {"cell_line": self.line[test].tolist(), "modality": self.modality[test].tolist()}
        return process.predict(asked, kernels, **context).mean

    def train(
        self, train: np.ndarray, test: np.ndarray, graphs: tuple[str, ...], **options: Any
    ) -> dict[str, np.ndarray]:
        """Return Δ of test rows by a trained model with these options, whole and by component."""
        rows = np.r_[train, test]
        effects = pd.DataFrame(self.delta[rows], index=self.name[rows], columns=self.genes)
        adata = tx.pp.from_effects(effects, cell_line=self.line[rows].tolist())
        here = adata.obs["cell_line"] == self.line[test[0]]
        held_out = adata.obs["perturbation"].isin(self.name[test]) & here
        split = np.where(held_out, "test", "train").astype(object)
        adata.obs["split"] = np.where(adata.obs["control"], None, split)
        tx.TxPertModel.setup_anndata(adata)
        model = tx.TxPertModel(adata, graphs=[self.graphs[name] for name in graphs], **options)
        model.train(enable_progress_bar=False)
        asked = adata.obs.loc[held_out, ["perturbation", "cell_line", "batch"]]
        asked = asked.set_index("perturbation", drop=False).loc[self.name[test]].astype(str)
        profiles, ensemble = model.control_profiles, model._ensemble()
        conditions, context = profiles.conditions(asked)
        parts = {
            name: component.delta(conditions, profiles, context)
            for name, component in ensemble.components.items()
        }
        plain = {kind: replace(w, calibration=None) for kind, w in ensemble.weights.items()}
        for name, of in (
            ("ensemble", ensemble),
            (screen_tables.UNCALIBRATED, replace(ensemble, weights=plain)),
        ):
            parts[name] = of.delta(conditions, profiles, context)[0]
        return parts


def human(folder: Path) -> Screen:
    adata = ad.read_h5ad(folder / "replogle_up.h5ad")
    adata = adata[~adata.obs["control"].astype(bool)].copy()
    read = KnowledgeGraph.from_edges
    links = pd.read_csv(folder / "string_links.tsv.gz", sep="\t")
    string = read(links, name="string", weight="combined_score", directed=False)
    evidence = {
        f"string {kind}": read(
            links.loc[links[kind] > 0, ["source", "target", kind]],
            name=f"string {kind}",
            weight=kind,
            directed=False,
        ).top_k(20)
        for kind in ("experiments", "coexpression")
    }
    ontologies = {name: tx.graph.go(ontologies=[name[3:]], name=name) for name in ONTOLOGIES}
    graphs = {
        "string all": string,
        "string 20": string.top_k(20),
        "string among": string.restrict(adata.obs["perturbation"].astype(str).unique()),
        "go": tx.graph.go(),
        "go, unweighted": tx.graph.go(term_weights="uniform"),
        "biogrid": read(folder / "biogrid_edges.tsv.gz", name="biogrid", directed=False),
        "intact": read(folder / "intact_edges.tsv.gz", name="intact", directed=False),
        "reactome": tx.graph.from_gmt(folder / "reactome.gmt.gz", name="reactome"),
        "coessential": tx.graph.from_gmt(
            folder / "depmap_coessential_modules.gmt.gz", name="coessential"
        ),
        **evidence,
        **ontologies,
    }
    return Screen(adata, graphs, "perturbation")


def human_as_given(folder: Path) -> Screen:
    """Return the same for kernels of edges as given alone."""
    return human(folder)


def human_string(folder: Path) -> Screen:
    """Return the same screens with the 20 strongest edges of STRING alone."""
    adata = ad.read_h5ad(folder / "replogle_up.h5ad")
    adata = adata[~adata.obs["control"].astype(bool)].copy()
    string = KnowledgeGraph.from_edges(
        folder / "string_links.tsv.gz", name="string", weight="combined_score", directed=False
    )
    return Screen(adata, {"string 20": string.top_k(20)}, "perturbation")


def yeast(folder: Path) -> Screen:
    adata = ad.read_h5ad(folder / "yeast_tf.h5ad")
    actions = pd.read_csv(folder / "yeast_string_actions.tsv.gz", sep="\t")
    scores = actions.columns.difference(["source", "target"])
    actions["score"] = actions[scores].max(axis=1)
    edges = actions.dropna(subset=["score"])[["source", "target", "score"]]
    graph = KnowledgeGraph.from_edges(edges, name="string", weight="score", directed=False)
    return Screen(adata, {"string": graph}, "orf")


Case = tuple[str, Callable[[], dict[str, Scores]]]


def unseen(screen: Screen, seed: int) -> Iterator[Case]:
    for line in ("K562", "RPE1"):
        rows = np.flatnonzero(screen.line == line)
        fold = folds(screen.name[rows], seed)
        for label, graphs in GRAPHS.items():
            for k in range(5):
                train, test = rows[fold != k], rows[fold == k]

                def case(train=train, test=test, graphs=graphs) -> dict[str, Scores]:
                    observed = screen.delta[test]
                    mean = np.tile(screen.delta[train].mean(axis=0), (len(test), 1))
                    return {
                        "process": score(screen.predict(train, test, graphs), observed),
                        "mean": score(mean, observed),
                    }

                yield f"unseen/{line}/{label}/{seed}.{k}", case


def given(screen: Screen, seed: int) -> Iterator[Case]:
    for line in ("K562", "RPE1"):
        rows = np.flatnonzero(screen.line == line)
        fold = folds(screen.name[rows], seed)
        for label in screen_tables.WEIGHTED:
            with patch.object(_gene_kernels, "_walked", _edges_as_given):
                screen.kernels(GRAPHS[label])
            for k in range(5):
                train, test = rows[fold != k], rows[fold == k]

                def case(train=train, test=test, label=label) -> dict[str, Scores]:
                    predicted = screen.predict(train, test, GRAPHS[label])
                    return {"process": score(predicted, screen.delta[test])}

                yield f"given/{line}/{label}/{seed}.{k}", case


def _edges_as_given(graph: KnowledgeGraph) -> Iterator[tuple[str, KnowledgeGraph]]:
    yield graph.name, graph.top_k(_gene_kernels._WIDTH)


def together(screen: Screen, seed: int) -> Iterator[Case]:
    for line, label in product(("K562", "RPE1"), screen_tables.COMPARED):
        rows = np.flatnonzero(screen.line == line)
        fold = folds(screen.name[rows], seed)
        for k in range(5):
            test = rows[fold == k]
            train = np.flatnonzero(~np.isin(screen.name, screen.name[test]))

            def case(train=train, test=test, label=label) -> dict[str, Scores]:
                predicted = screen.predict(train, test, GRAPHS[label])
                return {"process": score(predicted, screen.delta[test])}

            yield f"together/{line}/{label}/{seed}.{k}", case


def few_shot(screen: Screen, seed: int) -> Iterator[Case]:
    whole, rows = (np.flatnonzero(screen.line == line) for line in ("K562", "RPE1"))
    order = np.random.default_rng(seed).permutation(rows)
    test, graphs = order[int(0.75 * len(rows)) :], ("string 20",)
    for fraction in map(float, screen_tables.FRACTIONS):
        some = order[: int(fraction * len(rows))]

        def case(some=some) -> dict[str, Scores]:
            observed = screen.delta[test]
            known = np.r_[whole, some]
            found = {
                name: score(screen.predict(known, test, of), observed)
                for name, of in (("both lines", graphs), ("ten graphs", GRAPHS["ten"]))
            }
            if len(some):
                mean = np.tile(screen.delta[some].mean(axis=0), (len(test), 1))
                found["line alone"] = score(screen.predict(some, test, graphs), observed)
                found["mean of line"] = score(mean, observed)
            return found

        yield f"few_shot/RPE1/{fraction}/{seed}", case


def closed_form(screen: Screen, seed: int) -> Iterator[Case]:
    for line, label in product(("K562", "RPE1"), screen_tables.CLOSED_FORM):
        rows = np.flatnonzero(screen.line == line)
        fold = folds(screen.name[rows], seed)
        for k in range(5):
            part = rows[fold != k], rows[fold == k]
            yield f"closed_form/{line}/{label}/{seed}.{k}", partial(_closed, screen, *part, label)
    whole, rows = (np.flatnonzero(screen.line == line) for line in ("K562", "RPE1"))
    order = np.random.default_rng(seed).permutation(rows)
    test = order[int(0.75 * len(rows)) :]
    for fraction, label in product(screen_tables.FRACTIONS, screen_tables.IN_PART):
        train = np.r_[whole, order[: int(float(fraction) * len(rows))]]
        name = f"closed_form/RPE1 in part/{fraction}/{label}/{seed}"
        yield name, partial(_closed, screen, train, test, label)


def _closed(screen: Screen, train: np.ndarray, test: np.ndarray, label: str) -> dict[str, Scores]:
    """Score a model without the network."""
    options = screen_tables.SMALL["without the network"]
    found = screen.train(train, test, GRAPHS[label], **options)
    return {
        name: score(found[name], screen.delta[test])
        for name in ("ensemble", screen_tables.UNCALIBRATED)
    }


def modalities(screen: Screen, seed: int) -> Iterator[Case]:
    fold, graphs = folds(screen.name, seed), ("string",)
    for modality in np.unique(screen.modality):
        for k in range(5):
            own = screen.modality == modality
            test = np.flatnonzero(own & (fold == k))
            alone, both = np.flatnonzero(own & (fold != k)), np.flatnonzero(fold != k)

            def case(test=test, alone=alone, both=both) -> dict[str, Scores]:
                observed = screen.delta[test]
                mean = np.tile(screen.delta[alone].mean(axis=0), (len(test), 1))
                return {
                    "both": score(screen.predict(both, test, graphs), observed),
                    "alone": score(screen.predict(alone, test, graphs), observed),
                    "mean": score(mean, observed),
                }

            yield f"yeast/{modality}/string/{seed}.{k}", case


def components(screen: Screen, seed: int) -> Iterator[Case]:
    for label, line in product(screen_tables.COMPARED, ("K562", "RPE1")):
        rows = np.flatnonzero(screen.line == line)
        fold = folds(screen.name[rows], seed)
        for k in range(5):
            train, test = rows[fold != k], rows[fold == k]

            def case(train=train, test=test, label=label) -> dict[str, Scores]:
                scvi.settings.seed = seed
                found = screen.train(train, test, GRAPHS[label])
                return {name: score(delta, screen.delta[test]) for name, delta in found.items()}

            yield f"components/{line}/{label}/{seed}.{k}", case


def small(screen: Screen, seed: int) -> Iterator[Case]:
    rng = np.random.default_rng(seed)
    for line in ("K562", "RPE1"):
        for n in screen_tables.SIZES:
            for draw in range(2):
                order = rng.permutation(np.flatnonzero(screen.line == line))
                train, test = order[:n], order[n : n + 120]

                def case(train=train, test=test) -> dict[str, Scores]:
                    observed = screen.delta[test]
                    mean = np.tile(screen.delta[train].mean(axis=0), (len(test), 1))
                    found = {"mean": score(mean, observed)}
                    for name, options in screen_tables.SMALL.items():
                        scvi.settings.seed = seed
                        began = time.process_time()
                        delta = screen.train(train, test, ("string 20",), **options)["ensemble"]
                        seconds = time.process_time() - began
                        found[name] = score(delta, observed) | {"cpu_seconds": seconds}
                    return found

                yield f"small/{line}/{n}/{seed}.{draw}", case


TASKS = {
    "unseen": (human, unseen),
    "given": (human_as_given, given),
    "together": (human, together),
    "few_shot": (human, few_shot),
    "yeast": (yeast, modalities),
    "closed_form": (human, closed_form),
    "components": (human, components),
    "small": (human_string, small),
}


def tabulate(done: dict[str, dict[str, Scores]]) -> str:
    """Return mean ± sd over folds and seeds."""
    rows = [
        {"case": name.rsplit("/", 1)[0], "model": model, **scores}
        for name, models in done.items()
        for model, scores in models.items()
        if model != "seconds"
    ]
    grouped = pd.DataFrame(rows).groupby(["case", "model"], sort=False)
    mean, sd = grouped.mean(), grouped.std(ddof=0)
    return mean.round(4).join(sd.round(4), rsuffix=" sd").to_string()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    file = arguments.results / "screens.json"
    done = json.loads(file.read_text()) if file.exists() else {}
    screens: dict[Callable[[Path], Screen], Screen] = {}
    for task in arguments.only:
        read, cases = TASKS[task]
        screen = screens.setdefault(read, read(arguments.data))
        for seed in arguments.seeds:
            for name, case in cases(screen, seed):
                if name not in done:
                    began = time.process_time()
                    done[name] = case()
                    print(name, done[name], f"{time.process_time() - began:.1f} s", flush=True)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(json.dumps(done, indent=1))
    print(tabulate(done))
    screen_tables.write(arguments.results, readme=None)


if __name__ == "__main__":
    main()
