"""What is held out within training."""

import warnings

import pytest

import txpert as tx
from txpert.data import ConditionTable, ObsKeys
from txpert.data._screen import Screen
from txpert.model._held_out import TrainingData


@pytest.mark.parametrize("other", ["{}_2", "sg{}-1", "{}+control"])
def test_names_of_one_gene_are_held_out_together(other):
    adata = tx.datasets.simulate(24, 30, 4, n_batches=1, seed=0)
    tx.pp.normalize(adata)
    adata.obs["split"] = "train"
    labels = adata.obs["perturbation"].astype(object).to_numpy(copy=True)
    genes = sorted(set(labels) - {"control"})
    for gene in genes[:12]:
        cells = (labels == gene).nonzero()[0]
        labels[cells[:2]] = other.format(gene)
    adata.obs["perturbation"] = labels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        screen = Screen.from_anndata(adata, ObsKeys())
        data = TrainingData.of(screen, ConditionTable.from_screen(screen))
        folds = data.folds()
    assert folds
    for fold in folds:
        held_out = fold.labels("val")
        assert held_out
        for gene in genes[:12]:
            name = other.format(gene).removesuffix("+control")
            assert (gene in held_out) == (name in held_out)
