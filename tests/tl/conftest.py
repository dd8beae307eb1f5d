import warnings

import numpy as np
import pandas as pd
import pytest
import scvi

import txpert as tx


@pytest.fixture(scope="session")
def train_toy(_toy):
    """Train on the toy screen, with one perturbation made a double of it with another."""

    def train(components, epochs=2, *, doubled=False, graphs=None):
        scvi.settings.seed = 0
        adata = _toy.copy()
        if doubled:
            labels = adata.obs["perturbation"].astype(str)
            first, second = sorted(set(labels) - {"control"})[:2]
            labels = labels.replace({first: f"{second}+{first}"})
            adata.obs["perturbation"] = labels.astype("category")
        tx.pp.split(adata)
        tx.TxPertModel.setup_anndata(adata)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graphs = graphs or tx.datasets.toy_graph()
            model = tx.TxPertModel(adata, graphs, components=components, n_hidden=16)
            model.train(max_epochs=epochs, enable_progress_bar=False)
        return model

    return train


@pytest.fixture(scope="session")
def model(train_toy):
    """The mean effect and the Gaussian process; leave it as it is."""
    return train_toy(("mean", "gaussian_process"), doubled=True)


@pytest.fixture(scope="session")
def networked(train_toy):
    """With the network, decoding low rank; leave it as it is."""
    return train_toy(("mean", "gaussian_process", "network"))


@pytest.fixture
def signature(model):
    rng = np.random.default_rng(0)
    return pd.Series(rng.normal(size=len(model.genes)), index=model.genes)
