"""Fit and predict once, for cost_curves.py: PYTHON _cost_worker.py TOOL FOLDER.

It uses only what earlier versions of txpert have too, so that PYTHONPATH can set which one runs.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import anndata as ad
import pandas as pd
from _common import quiet

import txpert as tx
from txpert.baselines import KernelBaseline

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from _files import peak_memory


def main() -> None:
    tool, folder = sys.argv[1], Path(sys.argv[2])
    quiet()
    cells = ad.read_h5ad(folder / "screen.h5ad")
    labels = (folder / "asked.txt").read_text().split()
    graphs = [
        tx.graph.KnowledgeGraph.from_edges(
            pd.read_csv(file, sep="\t", keep_default_na=False), name=file.stem
        )
        for file in sorted(folder.glob("graph*.tsv"))
    ]
    start = time.perf_counter()
    if tool == "TxPert":
        tx.TxPertModel.setup_anndata(cells)
        fitted = tx.TxPertModel(cells, graphs=graphs)
        fitted.train(enable_progress_bar=False)
    else:
        fitted = KernelBaseline(tx.pp.pseudobulk(cells), graphs)
    trained = time.perf_counter()
    fitted.predict(labels)
    seconds = {"fit_seconds": trained - start, "predict_seconds": time.perf_counter() - trained}
    print(json.dumps(seconds | {"peak_gb": peak_memory() * 2**20 / 1e9}))


if __name__ == "__main__":
    main()
