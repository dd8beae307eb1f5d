"""The PerturbQA benchmark (Wu et al., ICLR 2025): which genes respond to a knock-down, which way.

python benchmarks/perturbqa.py FOLDER [--graphs FILE ...] [--components mean gaussian_process]
    [--results FOLDER]

FOLDER holds the published files, LINE-de.csv ("differentially expressed": 1 or 0) and LINE-dir.csv
("direction": 1 up, 0 down) of each cell line, with the columns pert, gene, label and split. Labels
of the training split, minus each gene's mean, are a table of effects in which pairs that no one
looked at are missing; the model predicts the pairs of the test split. The score is the mean over
genes of the AUROC across perturbations, of genes with both labels in the test split. Graphs are
tables of edges (source, target and, if there is one, score); by default STRING's 20 strongest
links per gene and Gene Ontology. Finished tables are kept in perturbqa.json.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

import txpert as tx
from txpert.graph import KnowledgeGraph

Result = dict[str, float | int]
KINDS = {"de": "differentially expressed", "dir": "direction"}
PUBLISHED = {
    "de": {"k562": 0.62, "rpe1": 0.59, "hepg2": 0.62, "jurkat": 0.59},
    "dir": {"k562": 0.69, "rpe1": 0.64, "hepg2": 0.66, "jurkat": 0.67},
}
"""Best of the methods that the paper compares, by label and cell line."""
COLUMNS = ("pert", "gene", "label", "split")


def read_labels(file: Path) -> pd.DataFrame:
    """Return the labeled pairs of a file.

    Raises
    ------
    ValueError
        If columns are missing or labels are others than 0 and 1.
    """
    pairs = pd.read_csv(file)
    missing = [name for name in COLUMNS if name not in pairs]
    if missing:
        raise ValueError(f"{file} lacks the columns {', '.join(missing)}; it has {list(pairs)}.")
    if not pairs["label"].isin([0, 1]).all():
        odd = pairs["label"][~pairs["label"].isin([0, 1])].iloc[0]
        raise ValueError(f"{file} has the label {odd}; labels are 0 and 1.")
    return pairs.astype({"pert": str, "gene": str})


def gene_auroc(pairs: pd.DataFrame, score: str = "score") -> pd.Series:
    """Return the AUROC across perturbations for each gene with both labels.

    Parameters
    ----------
    pairs
        gene, label and score of each pair; pairs without a score are left out.
    score
        Column of the score.
    """
    known = pairs[pairs[score].notna()]
    both = known.groupby("gene")["label"].transform("nunique") == 2
    grouped = known[both].groupby("gene")
    return pd.Series(
        {gene: roc_auc_score(part["label"], part[score]) for gene, part in grouped}, dtype=float
    )


def predict(
    train: pd.DataFrame,
    asked: Sequence[str],
    graphs: Sequence[KnowledgeGraph],
    components: Sequence[str],
    line: str,
) -> pd.DataFrame:
    """Predict labels, up to each gene's mean, of perturbations × genes.

    Parameters
    ----------
    train
        Labeled pairs.
    asked
        Perturbations to predict.
    graphs
        Knowledge graphs.
    components
        Of :class:`txpert.TxPertModel`.
    line
        Cell line.
    """
    labels = train.pivot_table(index="pert", columns="gene", values="label", aggfunc="mean")
    adata = tx.pp.from_effects(labels - labels.mean(), cell_line=line)
    adata.obs["split"] = "train"
    tx.TxPertModel.setup_anndata(adata)
    genes = {*labels.index, *asked}.difference(*(graph.nodes for graph in graphs))
    model = tx.TxPertModel(adata, graphs, components=components, extra_nodes=sorted(genes))
    model.train(enable_progress_bar=False)
    predicted = model.predict(list(asked))
    delta = pd.DataFrame(predicted.layers["delta"], columns=predicted.var_names)
    return delta.set_axis(predicted.obs["perturbation"].astype(str), axis=0)


def score_table(
    pairs: pd.DataFrame, graphs: Sequence[KnowledgeGraph], components: Sequence[str], line: str
) -> Result:
    """Return the mean AUROC on the test split, and of how many genes."""
    train, test = pairs[pairs["split"] == "train"], pairs[pairs["split"] == "test"].copy()
    if train.empty or test.empty:
        raise ValueError(
            f"The splits are {sorted(pairs['split'].unique())}; train and test are needed."
        )
    began = time.process_time()
    predicted = predict(train, sorted(test["pert"].unique()), graphs, components, line)
    row = predicted.index.get_indexer(test["pert"])
    column = predicted.columns.get_indexer(test["gene"])
    values = predicted.to_numpy()[row, column]
    test["score"] = np.where(column >= 0, values, np.nan)
    auroc = gene_auroc(test)
    return {
        "auroc": float(auroc.mean()),
        "n_genes": len(auroc),
        "n_train": train["pert"].nunique(),
        "n_test": test["pert"].nunique(),
        "fraction_labeled": len(train) / (train["pert"].nunique() * train["gene"].nunique()),
        "seconds": time.process_time() - began,
    }


def read_graph(file: Path) -> KnowledgeGraph:
    """Read a table of edges: source, target and, in a third column, score."""
    edges = pd.read_csv(file, sep=None, engine="python")
    weight = edges.columns[2] if edges.shape[1] > 2 else None
    source, target = edges.columns[:2]
    names = {"source": source, "target": target, "weight": weight}
    name = file.name.partition(".")[0]
    return KnowledgeGraph.from_edges(edges, name=name, directed=False, **names)


def tabulate(done: dict[str, Result]) -> str:
    """Return the scores next to the best published ones."""
    rows = []
    for name, result in done.items():
        line, kind = name.rsplit("-", 1)
        published = PUBLISHED[kind].get(line.lower(), np.nan)
        rows.append((KINDS[kind], line, result["auroc"], published, result["n_genes"]))
    columns = ["label", "line", "TxPert", "best published", "n_genes"]
    return pd.DataFrame(rows, columns=columns).round(3).to_string(index=False)


def find_tables(folder: Path) -> list[tuple[str, Path]]:
    """Return name and file of each table of labels in a folder.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    files = sorted(file for kind in KINDS for file in folder.glob(f"*-{kind}.csv"))
    if not files:
        raise FileNotFoundError(f"{folder} has no LINE-de.csv or LINE-dir.csv.")
    return [(file.stem, file) for file in files]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with LINE-de.csv and LINE-dir.csv")
    parser.add_argument("--graphs", nargs="+", type=Path, help="tables of edges")
    parser.add_argument("--components", nargs="+", default=["mean", "gaussian_process"])
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    tables = find_tables(arguments.folder)
    file = arguments.results / "perturbqa.json"
    done = json.loads(file.read_text()) if file.exists() else {}
    graphs: list[KnowledgeGraph] = []
    for name, table in tables:
        if name in done:
            continue
        if not graphs:
            given = arguments.graphs
            graphs = (
                [read_graph(path) for path in given]
                if given
                else [tx.graph.string(), tx.graph.go()]
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            done[name] = score_table(
                read_labels(table), graphs, arguments.components, name.rsplit("-", 1)[0]
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(done, indent=1))
    print(tabulate(done))


if __name__ == "__main__":
    main()
