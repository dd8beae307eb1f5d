"""Leave one knocked-out gene of a small real screen out in turn."""

import anndata as ad
import numpy as np
import pytest

import txpert as tx
from txpert.baselines import KernelBaseline, MeanBaseline, NeighborsBaseline
from txpert.data import ConditionTable
from txpert.data._batches import average_over_batches

STRONG = ["IFNGR1", "JAK2"]


@pytest.fixture(scope="module")
def table(shared):
    adata = ad.read_h5ad(shared("papalexi.h5ad"))
    adata.obs["control"] = adata.obs["perturbation"] == "control"
    tx.pp.normalize(adata)
    return tx.pp.pseudobulk(adata)


@pytest.fixture(scope="module")
def string_graph(table, shared):
    graph = tx.graph.KnowledgeGraph.from_edges(
        shared("string_links.tsv.gz"), name="string", weight="combined_score", directed=False
    )
    return graph.restrict(set(table.obs["perturbation"]) - {"control"})


@pytest.fixture(scope="module")
def left_out(table):
    """Squared error in all, and Pearson Δ of the strong perturbations."""

    def run(make):
        error, strong = 0.0, []
        for target in sorted(set(table.obs["perturbation"]) - {"control"}):
            is_target = (table.obs["perturbation"] == target).to_numpy()
            part = np.where(is_target, "test", "train").astype(object)
            table.obs["split"] = np.where(table.obs["control"], None, part)
            held = ConditionTable.from_anndata(table).subset(is_target)
            prediction = make(table).predict(held.obs).layers["delta"]
            observed, _ = average_over_batches(held.delta, held.obs)
            predicted, _ = average_over_batches(prediction, held.obs)
            error += ((observed - predicted) ** 2).sum()
            if target in STRONG:
                strong += list(tx.metrics.pearson_delta(predicted, observed))
        return error, np.array(strong)

    return run


@pytest.fixture(scope="module")
def mean(left_out):
    return left_out(MeanBaseline)


def test_the_kernel_finds_the_pair_that_string_joins(left_out, mean, string_graph):
    error, strong = left_out(lambda table: KernelBaseline(table, string_graph))
    assert error < 0.85 * mean[0]
    assert (strong > 0.9).all()
    assert (mean[1] < 0.6).all()


def test_neighbors(left_out, mean, string_graph):
    error, strong = left_out(lambda table: NeighborsBaseline(table, string_graph, shrinkage=1))
    assert error < 0.95 * mean[0]
    assert (strong > 0.85).all()
    chosen, _ = left_out(lambda table: NeighborsBaseline(table, string_graph))
    assert chosen < 1.02 * mean[0]
