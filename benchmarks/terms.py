"""Terms of the Gene Ontology among what the mean knockdown raises, on K562 and RPE1.

python benchmarks/terms.py --data FOLDER [--results FOLDER]

The 100 genes with the largest mean effect of each line (Replogle 2022, ranks of what goes up; what
goes down is not in that table) against all genes measured. Written to terms.json: the most
significant terms, and those that the paper's supplementary tables name for what goes up.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import anndata as ad
import numpy as np
from _common import RESULTS, quiet, store

import txpert as tx

OF_THE_PAPER = ("vacuole", "lysosome")
N_GENES = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the data")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    quiet()
    adata = ad.read_h5ad(arguments.data / "replogle_up.h5ad")
    rows = []
    for line in ("K562", "RPE1"):
        own = (adata.obs["cell_line"] == line) & ~adata.obs["control"].astype(bool)
        mean = np.asarray(adata[own.to_numpy()].X.mean(axis=0)).ravel()
        up = adata.var_names[np.argsort(-mean, kind="stable")[:N_GENES]]
        table = tx.tl.enrichment(list(up), list(adata.var_names))
        table.insert(0, "rank", np.arange(1, len(table) + 1))
        chosen = (table["rank"] <= 3) | table["name"].isin(OF_THE_PAPER)
        columns = ["rank", "term", "name", "n_set", "n_found", "fdr"]
        rows += [{"line": line, **row} for row in table.loc[chosen, columns].to_dict("records")]
        print(line, table.loc[chosen, columns].to_string(), sep="\n", flush=True)
    store("terms", rows, folder=arguments.results)


if __name__ == "__main__":
    main()
