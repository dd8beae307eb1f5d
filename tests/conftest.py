import logging
import warnings

import anndata as ad
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import scvi
import torch

import txpert as tx

mpl.use("Agg")
torch.set_num_threads(1)
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

SMALL_GAT = {"n_layers": 2, "n_channels": 8, "n_input": 8}
PAPER = {"decoding": "direct", "prediction": "network"}
TINY = {"encoder": {"name": "gat", "options": SMALL_GAT}, "n_hidden": 16, **PAPER}


@pytest.fixture(autouse=True)
def _seed():
    scvi.settings.verbosity = logging.ERROR
    scvi.settings.seed = 0


@pytest.fixture
def graph():
    return tx.datasets.toy_graph()


@pytest.fixture(scope="session")
def _toy():
    return tx.datasets.toy()


@pytest.fixture
def adata(_toy):
    """A log-normalised screen with a split; each test has its own."""
    copy = _toy.copy()
    tx.pp.split(copy)
    return copy


@pytest.fixture
def two_lines(adata):
    """The same cells as two cell lines of two batches each, the second line shifted."""
    other = adata.copy()
    other.X = other.X.toarray() + 0.5
    adata.X = adata.X.toarray()
    adata.obs["cell_line"], other.obs["cell_line"] = "K562", "RPE1"
    adata.obs["batch"] = "k_" + adata.obs["batch"].astype(str)
    other.obs["batch"] = "r_" + other.obs["batch"].astype(str)
    other.obs_names = [f"r_{name}" for name in other.obs_names]
    return ad.concat([adata, other])


@pytest.fixture
def make_model(graph):
    """Set up and, unless ``epochs=0``, train a tiny model."""

    def make(adata, *, graphs=None, epochs=2, train=None, setup=True, **options):
        scvi.settings.seed = 0
        if setup:
            tx.TxPertModel.setup_anndata(adata)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = tx.TxPertModel(adata, graphs or [graph], **{**TINY, **options})
            if epochs:
                model.train(max_epochs=epochs, enable_progress_bar=False, **(train or {}))
        return model

    return make


@pytest.fixture
def add_doubles():
    """Turn the cells of one perturbation into a double of it with another."""

    def add(adata, first, second):
        labels = adata.obs["perturbation"].astype(str)
        adata.obs["perturbation"] = labels.replace({first: f"{second}+{first}"}).astype("category")
        return adata

    return add


@pytest.fixture
def random_deltas():
    def draw(n=12, n_genes=30, seed=0):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=(n, n_genes))
        return truth + rng.normal(size=truth.shape), truth

    return draw


@pytest.fixture
def raw_counts():
    rng = np.random.default_rng(0)
    counts = rng.poisson(2.0, size=(40, 12)).astype(np.float32)
    obs = pd.DataFrame(
        {"perturbation": ["control", "A", "B", "C"] * 10}, index=[f"c{i}" for i in range(40)]
    )
    obs["control"] = obs["perturbation"] == "control"
    return ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(12)]))
