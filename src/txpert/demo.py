"""Train, predict and evaluate on one screen: ``python -m txpert.demo``.

Without arguments it uses a simulated screen and the packaged GO annotations; with ``--h5ad`` it
does the same on a file of yours. Figures, scores, predictions and the model are saved.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import anndata as ad
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import txpert as tx
from txpert._constants import BATCH, CELL_LINE, CONTROL, PERTURBATION, SPLIT, TEST
from txpert._csv import csv_bytes
from txpert._files import replacing
from txpert._screen_files import (
    folder_for_results,
    has_counts,
    read_h5ad,
    reason,
    usual_control_labels,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the demo; data that cannot be used end it with the reason."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise SystemExit(reason(error)) from error


def _run(options: argparse.Namespace) -> None:
    _check_numbers(options)
    with folder_for_results(options.out) as out:
        _make(options, out)


def _make(options: argparse.Namespace, out: Path) -> None:
    warnings.filterwarnings("ignore", module="lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    import matplotlib as mpl
    import scvi

    mpl.use("Agg")
    scvi.settings.verbosity = logging.WARNING
    scvi.settings.seed = options.seed
    adata = _load(options)
    print(f"Screen: {adata.n_obs:,} cells × {adata.n_vars:,} genes")
    if has_counts(adata):
        print("Raw counts found: normalizing to 4,000 counts per cell and taking log1p.")
        tx.pp.normalize(adata)
    if SPLIT not in adata.obs:
        tx.pp.split(adata, seed=options.seed)
    elif TEST not in set(adata.obs[SPLIT]):
        raise ValueError(
            f"No perturbation of {options.h5ad} is in the split {TEST!r}: nothing would be "
            f"scored. Remove the obs column {SPLIT!r} to have the demo draw one."
        )
    n = adata.obs.groupby(SPLIT, observed=True)[PERTURBATION].nunique()
    print("Perturbations: " + ", ".join(f"{count} {part}" for part, count in n.items()))

    graph = _graph(options, adata)
    print(f"Graph: {graph}")
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graphs=[graph])
    model.train(max_epochs=options.max_epochs)
    summary = tx.tl.evaluate(adata, model)
    _save(out, adata, model, summary)
    print("\nHeld-out perturbations, mean scores (retrieval by chance: 0.5):\n")
    print(
        summary.drop(columns=["retrieval_fast", "retrieval_fast_without_targets"])
        .round(3)
        .to_string()
    )
    print(f"\nFigures, scores, predictions and the model are in {out.resolve()}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m txpert.demo", description=__doc__.splitlines()[0] if __doc__ else None
    )
    add = parser.add_argument
    add("--h5ad", help="screen of yours; by default a simulated one")
    add("--perturbation-key", default=PERTURBATION, help="obs column of perturbations")
    add("--control-label", default=None, help="label of control cells, if there is no flag")
    add("--control-key", default=CONTROL, help="obs column that is True for control cells")
    add("--batch-key", default=BATCH, help="obs column of batches, if there is one")
    add("--cell-line-key", default=CELL_LINE, help="obs column of cell lines, if there is one")
    add("--graph", help="TSV or CSV edge table (source, target, weight); by default GO")
    add("--out", default="txpert-demo", help="folder for the results")
    add("--max-epochs", type=int, default=100, help="passes over the training conditions")
    add("--seed", type=int, default=0)
    return parser


def _check_numbers(options: argparse.Namespace) -> None:
    if options.max_epochs < 1:
        raise ValueError(f"--max-epochs must be at least 1, not {options.max_epochs}.")
    if not 0 <= options.seed < 2**32:
        raise ValueError(f"--seed must be from 0 to 2^32 - 1, not {options.seed}.")


def _load(options: argparse.Namespace) -> ad.AnnData:
    """Read the screen and give its obs columns the names used everywhere."""
    if options.h5ad is None:
        return tx.datasets.simulate(n_genes=500, seed=options.seed)
    adata = read_h5ad(options.h5ad)
    if options.perturbation_key not in adata.obs:
        raise SystemExit(
            f"{options.h5ad} has no obs column {options.perturbation_key!r}; it has "
            f"{', '.join(adata.obs)}. Name the column by --perturbation-key."
        )
    for name, key in (
        (PERTURBATION, options.perturbation_key),
        (CONTROL, options.control_key),
        (BATCH, options.batch_key),
        (CELL_LINE, options.cell_line_key),
    ):
        if key in adata.obs:
            adata.obs[name] = adata.obs[key]
        elif key != name:
            raise SystemExit(f"{options.h5ad} has no obs column {key!r}.")
    if options.control_label is not None:
        adata.obs[CONTROL] = (adata.obs[PERTURBATION] == options.control_label).to_numpy()
        if not adata.obs[CONTROL].any():
            raise SystemExit(f"No cell has the perturbation {options.control_label!r}.")
    elif CONTROL not in adata.obs:
        labels = adata.obs[PERTURBATION]
        usual = usual_control_labels(labels)
        adata.obs[CONTROL] = labels.astype(str).isin(usual).to_numpy()
    return adata


def _graph(options: argparse.Namespace, adata: ad.AnnData) -> tx.graph.KnowledgeGraph:
    genes = sorted(tx.get.genes(adata))
    if options.graph is None:
        return tx.graph.go(genes)
    graph = tx.graph.KnowledgeGraph.from_edges(options.graph, name=Path(options.graph).stem)
    return graph.restrict(genes).top_k()


def _save(out: Path, adata: ad.AnnData, model: tx.TxPertModel, summary: pd.DataFrame) -> None:
    metrics = adata.uns["txpert"]["metrics"]
    for name, table in (("metrics", metrics), ("summary", summary.reset_index(names="model"))):
        with replacing(out / f"{name}.csv") as part:
            part.write_bytes(csv_bytes(table))
    tested = adata.obs.loc[adata.obs[SPLIT] == TEST, PERTURBATION].astype(str).unique()
    with replacing(out / "prediction.h5ad") as part:
        model.predict(sorted(tested)).write_h5ad(part)
    model.save(str(out / "model"), overwrite=True)
    _draw(out, adata, model, metrics)


def _draw(out: Path, adata: ad.AnnData, model: tx.TxPertModel, metrics: pd.DataFrame) -> None:
    """Save the figures; one that has nothing to show is named and left out."""
    import matplotlib.pyplot as plt

    ours = metrics[metrics["model"] == "TxPert"].dropna(subset="pearson_delta")
    typical = ours.sort_values("pearson_delta").iloc[len(ours) // 2 : len(ours) // 2 + 1]
    figures: dict[str, Callable[[], Axes | Figure]] = {
        "scores": lambda: tx.pl.scores(adata),
        "retrieval": lambda: tx.pl.scores(adata, "retrieval"),
        "history": lambda: tx.pl.history(model),
    }
    for label, line in typical[[PERTURBATION, CELL_LINE]].itertuples(index=False):
        figures["delta"] = partial(tx.pl.delta, adata, label, cell_line=line)
    for name, draw in figures.items():
        try:
            draw()
        except ValueError as error:
            print(f"No figure {name}: {reason(error)}")
        else:
            with replacing(out / f"{name}.png") as part:
                plt.savefig(part, dpi=150, bbox_inches="tight")
        plt.close()


if __name__ == "__main__":
    main()
