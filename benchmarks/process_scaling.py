"""What the Gaussian process and its graphs cost, up to a whole genome and several graphs.

python benchmarks/process_scaling.py --data FOLDER [--only fit screens predict model graphs]
    [--key] [--repeats N] [--label after] [--repeat] [--results FOLDER]

- fit: kernels and GeneGaussianProcess.fit to simulated effects, smooth over STRING, on 5,000
  genes; 100 to 9,866 perturbations; STRING alone, with GO, and with BioGRID and IntAct too.
- screens: the same on K562 (Replogle 2022) with all of STRING's links and GO, both whole.
- predict: all genes of STRING that training lacks, by the process, after a fit to perturbations
  of K562; first and second time, without and with a standard deviation.
- model: the same by ``model.predict`` of the default model.
- graphs: the GO graph over all genes, first and second time with an empty cache.

Every case runs in a process of its own, so that its peak memory is its own, and with an empty
cache folder. Seconds are of the processor (and of the clock), on as many threads as
OMP_NUM_THREADS says. Rows are kept under a label: those of an earlier version, measured with
PYTHONPATH set to it, are its peers. What is there is not measured again, unless asked for by
--repeat. With --repeats N every case runs N times: seconds and memory are medians, and those of
each run are kept next to them. --key leaves the cases that the costs page is about, which take
seven minutes with three repeats on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from _common import RESULTS, quiet, store
from scipy import sparse
from tqdm import tqdm

import txpert as tx
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects
from txpert.graph import KnowledgeGraph, to_scipy

Row = dict[str, Any]
N_GENES = 5_000
SIZES = {1: (100, 439, 1_000, 2_000, 4_000, 9_866), 2: (439, 2_000), 4: (439, 2_000, 9_866)}
ASKED = {"predict": (31, 439), "model": (31, 439)}
GENES_PREDICTED = (2_000, 7_225)
KEY: tuple[Row, ...] = (
    {"case": "fit", "perturbations": 2_000, "graphs": 4},
    {"case": "screens"},
    {"case": "predict", "perturbations": 439, "genes": 7_225},
    {"case": "graphs"},
)
TIMED = ("cpu_seconds", "seconds", "peak_gb")


def read_graphs(folder: Path, number: int) -> list[KnowledgeGraph]:
    """Return STRING, GO, BioGRID and IntAct, or the first of them, whole."""
    read = KnowledgeGraph.from_edges
    makers: list[Callable[[], KnowledgeGraph]] = [
        lambda: read(
            folder / "string_links.tsv.gz",
            name="STRING",
            weight="combined_score",
            directed=False,
        ),
        tx.graph.go,
        lambda: read(folder / "biogrid_edges.tsv.gz", name="BioGRID", directed=False),
        lambda: read(folder / "intact_edges.tsv.gz", name="IntAct", directed=False),
    ]
    return [make() for make in makers[:number]]


def k562(folder: Path, n: int, n_genes: int) -> tuple[list[str], np.ndarray]:
    """Return evenly spaced perturbations of K562, and their effects on some genes."""
    adata = ad.read_h5ad(folder / "replogle_up.h5ad")
    chosen = (adata.obs["cell_line"] == "K562") & ~adata.obs["control"].astype(bool)
    rows = np.flatnonzero(chosen)
    rows = rows[np.linspace(0, len(rows) - 1, n).astype(int)]
    values = adata.X[rows, :n_genes]
    dense = np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float32)
    return adata.obs["perturbation"].astype(str).iloc[rows].tolist(), dense


def smooth_effects(
    graph: KnowledgeGraph, n: int, n_genes: int = N_GENES
) -> tuple[list[str], np.ndarray]:
    """Return perturbations of a graph's genes and effects that are smooth over it, with noise."""
    rng = np.random.default_rng(0)
    names = sorted(rng.choice(np.asarray(graph.nodes, dtype=str), n, replace=False))
    adjacency = to_scipy(graph.top_k(20)).astype(float)
    adjacency = adjacency.maximum(adjacency.T) + sparse.eye_array(graph.n_nodes)
    step = sparse.diags_array(1 / adjacency.sum(axis=1)) @ adjacency
    latent = step @ (step @ rng.standard_normal((graph.n_nodes, 50)))
    latent *= np.arange(1, 51) ** -0.5 / latent.std(axis=0)
    rows = latent[graph.nodes.get_indexer(names)].astype(np.float32)
    effects = rows @ rng.standard_normal((50, n_genes), dtype=np.float32)
    return names, effects + rng.standard_normal(effects.shape, dtype=np.float32) * 2


class Watch:
    """Times steps of a case; each becomes a row with the peak memory of the process so far."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def step(self, what: str, action: Callable[[], Any], **more: Any) -> Any:
        """Run an action, and note what it took."""
        clock, processor = time.perf_counter(), time.process_time()
        found = action()
        row = {"cpu_seconds": time.process_time() - processor}
        row |= {"seconds": time.perf_counter() - clock, "peak_gb": peak()}
        self.rows.append({"what": what, **more, **row})
        return found


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def fitted(
    graphs: list[KnowledgeGraph], names: list[str], delta: np.ndarray
) -> tuple[GeneGaussianProcess, GeneKernels]:
    kernels = GeneKernels(graphs, {}, pd.Index(sorted(names), dtype=object))
    effects = MeasuredEffects.of([(name,) for name in names], delta)
    return GeneGaussianProcess.fit(effects, kernels), kernels


def fit(folder: Path, setting: Row, watch: Watch) -> None:
    graphs = read_graphs(folder, setting["graphs"])
    names, delta = smooth_effects(graphs[0], setting["perturbations"])
    watch.step("fit", lambda: fitted(graphs, names, delta))


def screens(folder: Path, setting: Row, watch: Watch) -> None:
    graphs = read_graphs(folder, setting["graphs"])
    names, delta = k562(folder, setting["perturbations"], setting["genes"])
    watch.step("fit", lambda: fitted(graphs, names, delta))


def predict(folder: Path, setting: Row, watch: Watch) -> None:
    graphs = read_graphs(folder, 1)
    names, delta = k562(folder, setting["perturbations"], setting["genes"])
    process, kernels = fitted(graphs, names, delta)
    asked = [(name,) for name in graphs[0].nodes if name not in set(names)]
    for turn in ("first", "second"):
        watch.step(f"predict, {turn}", lambda: process.predict(asked, kernels), asked=len(asked))
    for turn in ("first", "second"):
        watch.step(
            f"predict with std, {turn}",
            lambda: process.predict(asked, kernels, return_std=True),
            asked=len(asked),
        )


def model(folder: Path, setting: Row, watch: Watch) -> None:
    graphs = read_graphs(folder, 1)
    names, delta = k562(folder, setting["perturbations"], setting["genes"])
    genes = [f"MEASURED{i}" for i in range(delta.shape[1])]
    adata = tx.pp.from_effects(pd.DataFrame(delta, index=names, columns=genes), cell_line="K562")
    tx.TxPertModel.setup_anndata(adata)
    trained = tx.TxPertModel(adata, graphs=graphs)
    watch.step("train, 20 epochs", lambda: trained.train(max_epochs=20, enable_progress_bar=False))
    asked = [name for name in graphs[0].nodes if name not in set(names)]
    for turn in ("first", "second"):
        watch.step(f"predict, {turn}", lambda: trained.predict(asked), asked=len(asked))


def graphs(folder: Path, setting: Row, watch: Watch) -> None:
    tx.graph.go(["JAK2", "STAT1"])  # what is loaded once should not count
    for turn in ("first", "second"):
        watch.step(f"GO, all genes, {turn}", tx.graph.go)


CASES: dict[str, Callable[[Path, Row, Watch], None]] = {
    "fit": fit,
    "screens": screens,
    "predict": predict,
    "model": model,
    "graphs": graphs,
}


def settings(only: list[str]) -> Iterator[Row]:
    for case in only:
        if case == "fit":
            for number, sizes in SIZES.items():
                for n in sizes:
                    yield {"case": case, "perturbations": n, "genes": N_GENES, "graphs": number}
        elif case == "screens":
            for number in (1, 2):
                yield {"case": case, "perturbations": 439, "genes": 7_225, "graphs": number}
        elif case == "graphs":
            yield {"case": case}
        else:
            for n in ASKED[case]:
                for n_genes in GENES_PREDICTED:
                    yield {"case": case, "perturbations": n, "genes": n_genes, "graphs": 1}


def measured(folder: Path, setting: Row, queue: Any) -> None:
    """Run a case in a process of its own."""
    quiet()
    watch = Watch()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TXPERT_CACHE"] = cache
        CASES[setting["case"]](folder, setting, watch)
    queue.put(watch.rows)


def run(folder: Path, setting: Row) -> list[Row]:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=measured, args=(folder, setting, queue))
    process.start()
    while process.is_alive() and queue.empty():
        process.join(0.2)
    if queue.empty():
        return [{**setting, "what": "did not finish", "exit": process.exitcode}]
    rows = queue.get()
    process.join()
    return [{**setting, **row} for row in rows]


def repeated(folder: Path, setting: Row, repeats: int) -> list[Row]:
    """Run a case several times; each step has the medians, and the values of all runs."""
    runs = [run(folder, setting) for _ in range(repeats)]
    rows = []
    for steps in zip(*runs, strict=False):
        row = dict(steps[0])
        for name in TIMED:
            values = [step[name] for step in steps if name in step]
            if len(values) > 1:
                row |= {name: float(np.median(values)), f"{name}_of_runs": values}
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--most", type=int, default=10_000, help="most perturbations")
    parser.add_argument("--label", default="after")
    parser.add_argument("--repeat", action="store_true", help="measure again what is there")
    parser.add_argument("--repeats", type=int, default=1, help="runs of every case")
    parser.add_argument("--key", action="store_true", help="only the cases of the costs page")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    file = arguments.results / "process_scaling.json"
    rows = json.loads(file.read_text())["rows"] if file.exists() else []
    for setting in tqdm([*settings(arguments.only)], disable=None):
        wanted = {"label": arguments.label, **setting}
        if setting.get("perturbations", 0) > arguments.most:
            continue
        if arguments.key and not any(key.items() <= setting.items() for key in KEY):
            continue
        same = [row for row in rows if wanted.items() <= row.items()]
        if same and not arguments.repeat:
            continue
        rows = [row for row in rows if row not in same]
        steps = repeated(arguments.data, setting, arguments.repeats)
        found = [{"label": arguments.label, **row} for row in steps]
        print(pd.DataFrame(found).round(2).to_string(index=False, header=False), flush=True)
        rows += found
        store("process_scaling", rows, folder=arguments.results)
    print(pd.DataFrame(rows).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
