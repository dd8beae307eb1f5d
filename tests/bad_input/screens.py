"""A tiny clean screen, and all that is made of it once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import scvi
from anndata import AnnData
from scipy import sparse

import txpert as tx

GENES = ["JAK2", "STAT1", "KLF1", "BAK1", "MAPK1", "TP53", "KMT2A", "RARS1"]
GENES += ["IRF1", "GATA1", "CEBPA", "MYC"]
SINGLES = GENES[:8]
DOUBLE = "JAK2+STAT1"
QUICK = {"max_epochs": 1, "enable_progress_bar": False}


def clean_screen() -> AnnData:
    """Make 20 controls and 4 cells of each of 8 genes and a double, in the batches 1 and 2."""
    rng = np.random.default_rng(0)
    labels = ["control"] * 20 + [label for label in [*SINGLES, DOUBLE] for _ in range(4)]
    rate = rng.uniform(2, 9, len(GENES)) * np.ones((len(labels), 1))
    for cell, label in enumerate(labels):
        for target in label.split("+"):
            if target in GENES:
                rate[cell] *= rng.uniform(0.8, 1.2, len(GENES))
                rate[cell, GENES.index(target)] *= 0.2
    counts = rng.poisson(rate).astype(np.float32) + 1
    obs = pd.DataFrame({"perturbation": labels}, index=[f"cell{i}" for i in range(len(labels))])
    obs["control"] = obs["perturbation"] == "control"
    obs["batch"] = np.where(np.arange(len(labels)) % 2, "1", "2")
    obs["cell_line"] = "K562"
    adata = AnnData(counts, obs=obs, var=pd.DataFrame(index=GENES))
    tx.pp.normalize(adata, target_sum=100)
    adata.layers["counts"] = sparse.csr_matrix(adata.layers["counts"])
    part = dict.fromkeys(SINGLES, "train") | {"BAK1": "val", "MAPK1": "test", "TP53": "test"}
    adata.obs["split"] = adata.obs["perturbation"].map(part | {DOUBLE: "train"})
    return adata


def graph() -> tx.graph.KnowledgeGraph:
    """Make a ring over the genes."""
    n = len(GENES)
    ring = np.arange(n), (np.arange(n) + 1) % n, np.ones(n)
    return tx.graph.KnowledgeGraph("ring", GENES, *ring)


@dataclass
class World:
    """The clean screen and what was made of it, once for all cells of the table."""

    folder: Path

    @cached_property
    def clean(self) -> AnnData:
        return clean_screen()

    @cached_property
    def graph(self) -> tx.graph.KnowledgeGraph:
        return graph()

    @cached_property
    def model(self) -> tx.TxPertModel:
        """A model of the mean effect and the graph, trained."""
        adata = self.clean.copy()
        scvi.settings.seed = 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tx.TxPertModel.setup_anndata(adata)
            model = tx.TxPertModel(adata, self.graph, components=["mean", "gaussian_process"])
            model.train(**QUICK, refit=False)
            model.save(str(self.folder / "model"))
        return model

    @cached_property
    def untrained(self) -> tx.TxPertModel:
        """A model that is never trained: what training refuses leaves it so."""
        adata = self.clean.copy()
        tx.TxPertModel.setup_anndata(adata)
        return tx.TxPertModel(adata, self.graph, n_latent=4, n_hidden=4)

    @cached_property
    def evaluated(self) -> AnnData:
        """The screen with an evaluation of the model."""
        adata = self.clean.copy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tx.tl.evaluate(adata, self.model)
        return adata

    @cached_property
    def saved(self) -> str:
        assert self.model.is_trained
        return str(self.folder / "model")

    @cached_property
    def baseline(self) -> tx.baselines.MeanBaseline:
        return tx.baselines.MeanBaseline().fit(self.clean.copy())

    @cached_property
    def controls(self) -> np.ndarray:
        """Positions of the control cells."""
        return np.flatnonzero(self.clean.obs["control"])
