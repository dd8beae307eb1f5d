"""Train GEARS on a screen with a given split and graph, and predict; nothing is downloaded.

PYTHON benchmarks/peers/run_gears.py --h5ad screen.h5ad --graph graph.tsv --out prediction.h5ad

PYTHON is that of an environment with cell-gears and torch-geometric; txpert is not needed. The
screen is log-normalized and has the obs columns perturbation, control and split, and perhaps
cell_line and batch. The graph is a table with the columns source, target and weight, one row per
directed edge. Predicted are the conditions of ``--splits``, or the labels in the file
``--predict``, which the screen need not have. Settings are GEARS' own defaults, ``--help`` lists
them; TXPERT_THREADS sets the number of torch threads (2 by default). What is written has the form
of ``TxPertModel.predict``, and ``uns["peer"]`` tells settings, seconds, memory, what GEARS could
not use, and in ``"curve"`` each epoch's validation score and the seconds of training until then.

- GEARS sees cells of train, val and the controls alone: test cells are not in its files.
- It has one model per cell line and none for batches.
- It knows the genes of the graph and at most two targets. Perturbations with others are left out
  of training, and predictions of them are missing.
- It adds what it predicts to the expression of a control cell. It is given their mean instead of
  the 300 cells that its ``predict`` draws, so that Δ has no sampling noise.

Roohani, Huang and Leskovec (2024), doi 10.1038/s41587-023-01905-6.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pickle
import random
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from _files import asked, conditions, peak_memory, prediction, read_graph, read_screen

CONTROL = "ctrl"
MIN_CELLS = 2  # GEARS does a t-test per condition
MIN_GENES = 20  # and picks its epoch by so many differential genes
SCORE = "val_de_mse"  # their validation MSE, as GEARS names it in what it logs


@dataclasses.dataclass(frozen=True)
class Settings:
    """What GEARS is trained with; of each perturbation and of the controls 0 means all cells.

    An empty device means a GPU where there is one, else the processor.
    """

    epochs: int = 20
    batch_size: int = 32
    hidden_size: int = 64
    lr: float = 1e-3
    seed: int = 0
    max_cells: int = 0
    max_controls: int = 0
    device: str = ""


class Epochs:
    """Takes the place of wandb in a GEARS model, and notes each epoch's score and time.

    Attributes
    ----------
    seen
        Per epoch the score that GEARS picks its best by (the lowest), and seconds of the wall
        clock and of this process from the start until the end of its validation.
    """

    def __init__(self) -> None:
        self.start = time.perf_counter(), time.process_time()
        self.seen: list[dict[str, float]] = []

    def log(self, values: dict[str, float]) -> None:
        """Note the score if it is among the values; GEARS logs others too."""
        if SCORE in values:
            self.seen.append(
                {
                    "validation": float(values[SCORE]),
                    "seconds": time.perf_counter() - self.start[0],
                    "cpu_seconds": time.process_time() - self.start[1],
                }
            )


def gears_label(label: str) -> str:
    """Write a perturbation as GEARS does: ``"ctrl"``, ``"A+ctrl"``, ``"A+B"``."""
    targets = sorted({part.strip() for part in label.split("+")} - {CONTROL, "control"})
    return "+".join(targets if len(targets) > 1 else [*targets, CONTROL])


def usable(condition: str, nodes: set[str]) -> bool:
    """Whether GEARS can embed a condition: two targets at most, all in the graph."""
    targets = set(condition.split("+")) - {CONTROL}
    return len(targets) <= 2 and targets <= nodes


def draw_cells(obs: pd.DataFrame, nodes: set[str], settings: Settings) -> np.ndarray:
    """Return the positions of controls and of cells of usable train and val conditions."""
    rng = np.random.default_rng(settings.seed)
    seen = np.flatnonzero(obs["split"].isin(["train", "val"]) | obs["control"])
    chosen = []
    for condition, rows in obs.iloc[seen].groupby("condition").indices.items():
        limit = settings.max_controls if condition == CONTROL else settings.max_cells
        if len(rows) >= MIN_CELLS and usable(condition, nodes):
            chosen.append(rng.choice(rows, min(len(rows), limit or len(rows)), replace=False))
    return seen[np.sort(np.concatenate(chosen))] if chosen else seen[:0]


def check(cells: ad.AnnData, line: str, settings: Settings) -> None:
    """Raise an error where GEARS would fail late or silently not train."""
    if not cells.obs["control"].any():
        raise ValueError(f"Cell line {line!r} has fewer than {MIN_CELLS} control cells.")
    if not (cells.obs["split"] == "val").any():
        raise ValueError(
            f"Cell line {line!r} has no validation perturbation that GEARS can use, and it picks "
            "its best epoch by them."
        )
    n_training = ((cells.obs["split"] == "train") | cells.obs["control"]).sum()
    if n_training < settings.batch_size:
        raise ValueError(
            f"{n_training} training cells of cell line {line!r} do not fill a batch of "
            f"{settings.batch_size}; GEARS drops batches that are not full."
        )
    if cells.n_vars < MIN_GENES:
        raise ValueError(f"GEARS needs {MIN_GENES} genes or more, not {cells.n_vars}.")


def seed_all(seed: int) -> None:
    """Seed the generators that GEARS draws from; importing it seeds one, so it comes first."""
    import gears  # noqa: F401
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


def pickle_to(path: Path, value: Any) -> str:
    path.write_bytes(pickle.dumps(value))
    return str(path)


def prepare(cells: ad.AnnData, nodes: Sequence[str], folder: Path, settings: Settings) -> Any:
    """Return GEARS' data object, its files made from our screen and graph.

    GEARS downloads ``gene2go_all.pkl`` where it finds none. A gene is in its graph if it is
    annotated there, so each node gets one annotation; the edges come later, as ``G_go``.
    """
    from gears import PertData

    pickle_to(folder / "gene2go_all.pkl", {node: {"node"} for node in nodes})
    genes = pickle_to(folder / "genes.pkl", list(nodes))
    data = PertData(str(folder), gene_set_path=genes, default_pert_graph=False)
    obs = cells.obs[["condition"]].assign(cell_type="line")
    obs.index = [f"cell_{i}" for i in range(len(obs))]
    var = pd.DataFrame({"gene_name": cells.var_names.to_numpy()}, index=cells.var_names)
    data.new_data_process("screen", adata=ad.AnnData(cells.X, obs=obs, var=var))
    perturbed = cells.obs[~cells.obs["control"]]
    parts = {
        part: sorted(perturbed.loc[perturbed["split"] == part, "condition"].unique())
        for part in ("train", "val")
    }
    split = {**parts, "train": [CONTROL, *parts["train"]], "test": []}
    data.prepare_split("custom", split_dict_path=pickle_to(folder / "split.pkl", split))
    data.get_dataloader(settings.batch_size)
    del data.dataloader["test_loader"]
    return data


def train(data: Any, edges: pd.DataFrame, settings: Settings) -> tuple[Any, pd.DataFrame]:
    """Train GEARS over our edges; it estimates its second graph, of co-expression, itself.

    Returns
    -------
    The model, and of each epoch what :class:`Epochs` notes.
    """
    import torch
    from gears import GEARS

    # GEARS indexes X with a pandas column, which sparse matrices allow up to SciPy 1.14 only.
    compressed = data.adata.X
    data.adata.X = compressed.toarray()
    model = GEARS(data, device=settings.device)
    data.adata.X = compressed
    ends = [edges[column].map(data.node_map_pert) for column in ("source", "target")]
    model.model_initialize(
        hidden_size=settings.hidden_size,
        G_go=torch.as_tensor(np.stack(ends), dtype=torch.long),
        G_go_weight=torch.as_tensor(edges["weight"].to_numpy(), dtype=torch.float32),
    )
    model.wandb = epochs = Epochs()
    model.train(epochs=settings.epochs, lr=settings.lr)
    return model, pd.DataFrame(epochs.seen)


def predict(
    model: Any, data: Any, labels: Sequence[str], control: np.ndarray, settings: Settings
) -> np.ndarray:
    """Return Δ of each condition, conditions × genes, against the mean control given.

    GEARS (0.1.2) lets its co-expression graph act on the first cell of a batch alone, so the
    first is a spare one and each condition is predicted as most of its training cells were.
    """
    import torch
    from torch_geometric.data import Batch

    x = control[None]
    graphs = [data.create_cell_graph(x, x, [-1], c, data.get_pert_idx(c)) for c in labels]
    network = model.best_model.to(settings.device).eval()
    rows = []
    with torch.no_grad():
        for start in range(0, len(graphs), settings.batch_size):
            batch = [graphs[0], *graphs[start : start + settings.batch_size]]
            predicted = network(Batch.from_data_list(batch).to(settings.device))
            rows.append(predicted[1:].cpu().numpy())
    return np.concatenate(rows) - x


def fit_predict_line(
    screen: ad.AnnData, edges: pd.DataFrame, labels: Sequence[str], settings: Settings
) -> tuple[np.ndarray, dict[str, float], pd.DataFrame]:
    """Train on one cell line; return Δ of each label, numbers of cells and seconds, and epochs."""
    nodes = sorted({*edges["source"], *edges["target"]})
    cells = screen[draw_cells(screen.obs, set(nodes), settings)].copy()
    check(cells, screen.obs["cell_line"].iloc[0], settings)
    seed_all(settings.seed)
    clock = [time.perf_counter()]
    with tempfile.TemporaryDirectory() as folder:
        data = prepare(cells, nodes, Path(folder), settings)
        clock.append(time.perf_counter())
        model, curve = train(data, edges, settings)
    clock.append(time.perf_counter())
    control = np.asarray(cells.X[cells.obs["control"].to_numpy()].mean(axis=0)).ravel()
    delta = predict(model, data, labels, control, settings)
    clock.append(time.perf_counter())
    spans = zip(("data", "training", "prediction"), np.diff(clock), strict=True)
    report = {f"{name}_seconds": float(seconds) for name, seconds in spans}
    report["n_cells"] = cells.n_obs
    report["n_cells_left_out"] = int((screen.obs["split"] != "test").sum()) - cells.n_obs
    return delta, report, curve


def fit_predict(
    screen: ad.AnnData,
    edges: pd.DataFrame,
    *,
    splits: Sequence[str] = ("test",),
    labels: Sequence[str] | None = None,
    settings: Settings | None = None,
) -> ad.AnnData:
    """Train GEARS on train and val of each cell line, and predict the conditions of ``splits``.

    With ``labels`` it predicts these instead, in every cell line and batch that has controls; the
    screen needs no cells of them.

    Returns
    -------
    Conditions × genes with Δ in ``layers["delta"]`` and a report in ``uns["peer"]``; conditions
    that GEARS cannot embed are missing.

    Raises
    ------
    ValueError
        If there is nothing to predict, or too little to train on.
    """
    import torch

    start = time.perf_counter()
    settings = settings or Settings()
    found = "cuda" if torch.cuda.is_available() else "cpu"
    settings = dataclasses.replace(settings, device=settings.device or found)
    control = screen.obs["control"]
    screen.obs["condition"] = screen.obs["perturbation"].where(~control, CONTROL).map(gears_label)
    rows = conditions(screen, list(splits)) if labels is None else asked(screen, list(labels))
    rows["condition"] = rows["perturbation"].map(gears_label)
    nodes = {*edges["source"], *edges["target"]}
    known = {*screen.obs["condition"], *rows["condition"]}
    unusable = {c for c in known if not usable(c, nodes)}
    rows = rows[~rows["condition"].isin(unusable)]
    if rows.empty:
        raise ValueError("No target of the perturbations to predict is in the graph.")
    delta = np.empty((len(rows), screen.n_vars), dtype=np.float32)
    reports, curves = [], {}
    for line, here in rows.groupby("cell_line").indices.items():
        code, labels = pd.factorize(rows["condition"].iloc[here])
        cells = screen[screen.obs["cell_line"] == line]
        of_label, report, curves[line] = fit_predict_line(cells, edges, list(labels), settings)
        delta[here] = of_label[code]
        reports.append(report)
    predicted = prediction(screen, rows.drop(columns="condition"), delta)
    predicted.uns["peer"] = {
        "name": "GEARS",
        "version": version("cell-gears"),
        "settings": dataclasses.asdict(settings),
        **pd.DataFrame(reports).sum().to_dict(),
        "curve": pd.concat(curves, names=["cell_line", "epoch"]).reset_index(),
        "unusable": np.array(sorted(unusable), dtype=object),
        "seconds": time.perf_counter() - start,
        "peak_memory_mib": peak_memory(),
    }
    return predicted


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--h5ad", type=Path, required=True, help="the screen")
    parser.add_argument("--graph", type=Path, required=True, help="table of edges")
    parser.add_argument("--out", type=Path, required=True, help="prediction to write")
    parser.add_argument("--splits", nargs="+", default=["test"], help="what to predict")
    parser.add_argument("--predict", type=Path, help="instead of --splits: labels, one a line")
    for field in dataclasses.fields(Settings):
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=type(field.default), default=field.default, help=" ")
    arguments = vars(parser.parse_args())
    torch.set_num_threads(int(os.environ.get("TXPERT_THREADS", "2")))
    settings = Settings(**{f.name: arguments[f.name] for f in dataclasses.fields(Settings)})
    screen, edges = read_screen(arguments["h5ad"]), read_graph(arguments["graph"])
    wanted = arguments["predict"]
    labels = wanted.read_text().split() if wanted else None
    splits = arguments["splits"]
    predicted = fit_predict(screen, edges, splits=splits, labels=labels, settings=settings)
    predicted.write_h5ad(arguments["out"])


if __name__ == "__main__":
    main()
