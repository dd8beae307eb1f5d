"""Graphs and features without any of the targets: what is said depends on what these look like."""

import pandas as pd
import pytest

import txpert as tx
from txpert.model._inputs import check_overlap


def graph_of(*genes):
    edges = pd.DataFrame({"source": genes[:-1], "target": genes[1:]})
    return tx.graph.KnowledgeGraph.from_edges(edges, name="g")


@pytest.mark.parametrize(
    ("genes", "targets", "remedy"),
    [
        (["ACSM6", "ACSS1"], ["AHR", "BAK1"], r"tx\.graph\.go\(tx\.get\.genes"),
        (["ACSM6", "ACSS1"], ["AHR_1", "AHR_2", "BAK1_1"], r"guides: tx\.pp\.harmonize_labels"),
        (["Acsm6", "Acss1"], ["AHR", "BAK1"], "use the same gene symbols"),
        (["ACSM6", "ACSS1"], ["YAL001C", "YBR002W"], "use the same gene symbols"),
    ],
)
def test_the_remedy_fits_the_names(genes, targets, remedy):
    with pytest.raises(ValueError, match=f"Graph 'g' holds none.*{genes[0]}.*{remedy}"):
        check_overlap([graph_of(*genes)], [], targets)


def test_features_are_to_be_of_the_targets_too():
    with pytest.raises(ValueError, match="add the targets to the features"):
        check_overlap([], ["ACSM6", "ACSS1"], ["AHR", "BAK1"])
