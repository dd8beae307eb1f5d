"""A model in one call, on a screen whose columns have names of their own."""

import warnings

import numpy as np
import pytest

import txpert as tx
from txpert._constants import BENCHMARK_KEY, TEST_PERTURBATIONS

QUICK = {"enable_progress_bar": False}


@pytest.fixture
def renamed(adata):
    """The perturbation under another name, its controls under a label that looks like a gene."""
    adata = adata.copy()
    labels = adata.obs.pop("perturbation").astype(str)
    adata.obs["gene"] = labels.replace("control", "AAVS1").astype("category")
    del adata.obs["control"]
    return adata


SETUP = {"perturbation_key": "gene", "control_label": "AAVS1"}


def test_columns_may_have_other_names(adata, renamed, graph):
    options = {"graphs": graph, "components": "mean", "train": QUICK}
    expected = tx.tl.fit_txpert(adata, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = tx.tl.fit_txpert(renamed, setup=SETUP, **options)
    np.testing.assert_array_equal(found.predict("GENE3").X, expected.predict("GENE3").X)


def test_a_label_of_controls_is_no_node(renamed):
    renamed.uns[BENCHMARK_KEY] = {TEST_PERTURBATIONS: ["GENE3", "NEW"]}
    model = tx.tl.fit_txpert(renamed, graphs=[], setup=SETUP, components="mean", train=QUICK)
    assert {"GENE3", "NEW"} < set(model.nodes)
    assert "AAVS1" not in set(model.nodes)
