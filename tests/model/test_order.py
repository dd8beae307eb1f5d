"""Data that say the same in another way give the same predictions."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scvi
import torch
from scipy import sparse

import txpert as tx

GAT = {"name": "gat", "options": {"n_layers": 1, "n_channels": 4, "n_input": 4}}
SMALL = {"encoder": GAT, "n_hidden": 8, "n_latent": 8}
CONFIGURATIONS = {
    "direct": ({"decoding": "direct", "components": "network"}, {}),
    "cells": ({"decoding": "direct", "components": "network"}, {"unit": "cell"}),
    "sampled controls": ({"decoding": "direct", "components": "network"}, {"controls": "sampled"}),
    "delta": ({"decoding": "delta", "components": "network"}, {}),
    "default": ({}, {}),
}
CALLED = {"a": "batch_2", "z": "batch_1"}


def shuffled(adata, tmp_path):
    return adata[np.random.default_rng(1).permutation(adata.n_obs)].copy()


def genes_permuted(adata, tmp_path):
    return adata[:, np.random.default_rng(2).permutation(adata.n_vars)].copy()


def batches_renamed(adata, tmp_path):
    names = {name: new for new, name in CALLED.items()}
    adata.obs["batch"] = adata.obs["batch"].astype(str).map(names)
    return adata


def categories_reordered(adata, tmp_path):
    for name in ("batch", "perturbation"):
        column = adata.obs[name].astype("category")
        adata.obs[name] = column.cat.reorder_categories(list(column.cat.categories)[::-1])
    return adata


def two_files(adata, tmp_path):
    third = adata.n_obs // 3
    for name, part in (("b", adata[third:]), ("a", adata[:third])):
        part.copy().write_h5ad(tmp_path / f"{name}.h5ad")
    return ad.concat([ad.read_h5ad(tmp_path / f"{name}.h5ad") for name in "ba"])


def targets_swapped(adata, tmp_path):
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["perturbation"] = labels.map(lambda label: "+".join(label.split("+")[::-1]))
    return adata


def csc(adata, tmp_path):
    adata.X = sparse.csc_matrix(adata.X)
    return adata


def dense(adata, tmp_path):
    adata.X = adata.X.toarray()
    return adata


def backed(adata, tmp_path):
    adata.write_h5ad(tmp_path / "cells.h5ad")
    return ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")


def lazy_zarr(adata, tmp_path):
    pytest.importorskip("zarr")
    adata.write_zarr(tmp_path / "cells.zarr")
    lazy = ad.experimental.read_lazy(tmp_path / "cells.zarr")
    return ad.AnnData(lazy.X, obs=adata.obs.copy(), var=adata.var.copy())


def doubled(adata, tmp_path):
    again = adata.copy()
    again.obs_names = [f"{name} again" for name in again.obs_names]
    return ad.concat([adata, again])


REWRITTEN = [shuffled, genes_permuted, batches_renamed, categories_reordered, two_files]
STORED = [csc, dense, backed, lazy_zarr]
CASES = [
    *[("direct", way) for way in (*REWRITTEN, targets_swapped, doubled, *STORED)],
    *[("cells", way) for way in (shuffled, genes_permuted, batches_renamed, two_files)],
    ("sampled controls", shuffled),
    *[("delta", way) for way in (genes_permuted, batches_renamed)],
    *[("default", way) for way in (*REWRITTEN[:4], targets_swapped)],
]
OF_SUMMATION = {"batches_renamed", "categories_reordered", *[way.__name__ for way in STORED]}
"""Ways that change the order in which numbers are added up."""


@pytest.fixture(scope="module")
def screen():
    adata = tx.datasets.toy()
    del adata.layers["counts"]
    labels = adata.obs["perturbation"].astype(str)
    single = sorted(set(labels) - {"control"})
    adata.obs["perturbation"] = labels.replace({single[0]: f"{single[0]}+{single[1]}"})
    tx.pp.split(adata)
    return adata


def effects(adata, configuration, **options):
    """Train for two epochs and predict each perturbation in each batch."""
    model, train = CONFIGURATIONS[configuration]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scvi.settings.seed = 0
        tx.TxPertModel.setup_anndata(adata)
        made = tx.TxPertModel(adata, tx.datasets.toy_graph(), **SMALL, **model)
        quiet = {"enable_progress_bar": False, "refit": False}
        made.train(max_epochs=2, **quiet, **train, **options)
        predicted = made.predict([f"GENE{i}" for i in range(1, 19)] + ["GENE1+GENE3"])
    batch = predicted.obs["batch"].astype(str).replace(CALLED)
    frame = predicted.to_df("delta").set_axis(batch + "|" + predicted.obs["perturbation"], axis=0)
    return frame.sort_index()[sorted(predicted.var_names)]


@pytest.fixture(scope="module")
def clean(screen):
    found = {}

    def of(configuration):
        if configuration not in found:
            found[configuration] = effects(screen.copy(), configuration)
        return found[configuration]

    return of


@pytest.mark.parametrize(("configuration", "way"), CASES)
def test_what_says_the_same_is_predicted_the_same(screen, clean, tmp_path, configuration, way):
    want = clean(configuration)
    found = effects(way(screen.copy(), tmp_path), configuration)
    assert np.abs(want.to_numpy()).max() > 0.05
    if way.__name__ in OF_SUMMATION or configuration == "default":
        np.testing.assert_allclose(found, want, atol=1e-6)
    else:
        pd.testing.assert_frame_equal(found, want, check_exact=True)


# Batch normalization over two batches multiplies what rounding leaves.
@pytest.mark.parametrize(("configuration", "atol"), [("default", 1e-6), ("direct", 1e-3)])
def test_threads_make_no_difference(screen, clean, configuration, atol):
    want = clean(configuration)
    torch.set_num_threads(2)
    try:
        found = effects(screen.copy(), configuration)
    finally:
        torch.set_num_threads(1)
    np.testing.assert_allclose(found, want, atol=atol)


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_with_other_hashes_predicts_the_same(screen, clean, tmp_path, seed):
    screen.copy().write_h5ad(tmp_path / "screen.h5ad")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import anndata, torch; torch.set_num_threads(1)\n"
        "from test_order import effects\n"
        "effects(anndata.read_h5ad(sys.argv[2]), 'direct').to_pickle(sys.argv[3])\n"
    )
    out = tmp_path / "effects.pkl"
    arguments = [str(Path(__file__).parent), str(tmp_path / "screen.h5ad"), str(out)]
    environment = os.environ | {"PYTHONHASHSEED": seed}
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, env=environment)
    pd.testing.assert_frame_equal(pd.read_pickle(out), clean("direct"), check_exact=True)
