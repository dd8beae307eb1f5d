"""What is held out within training."""

import warnings

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.data import ConditionTable, ObsKeys
from txpert.data._screen import Screen
from txpert.model._component import COMPONENTS, Component, Entry
from txpert.model._ensemble import Ensemble
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


def test_each_modality_is_held_out_as_itself(graph):
    rng = np.random.default_rng(0)
    genes = graph.nodes[:20]
    program = rng.normal(size=12)
    down = program + 0.3 * rng.normal(size=(20, 12))
    both = pd.DataFrame(np.concatenate([down, -down]), index=[*genes, *genes])
    both.columns = [f"READ{i}" for i in range(12)]
    adata = tx.pp.from_effects(both, modality=["deletion"] * 20 + ["induction"] * 20)
    adata.obs["split"] = np.where(adata.obs["control"], None, "train")
    adata.obs.loc[adata.obs["perturbation"].isin(genes[:5]), "split"] = "val"
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graph, components=("mean", "gaussian_process"))
    table = model.conditions.over_batches()
    data = TrainingData.of(Screen.from_anndata(adata, ObsKeys()), table)
    ensemble = Ensemble.fit(data.training, model.components, model._sources)
    found = data.evaluate(ensemble, model.matching, pooled=True)
    agreement = (found.predicted["gaussian_process"] * found.observed).sum(axis=1)
    assert len(agreement) == 10
    assert (agreement > 0).all()


class TwiceMeasured(Component):
    """Twice the effects measured; it cannot be asked for anything else."""

    def __init__(self, effects):
        self.effects = effects

    @classmethod
    def fit(cls, training, sources):
        rows = training.measured
        return cls({"+".join(of): 2 * d for of, d in zip(rows.targets, rows.delta, strict=True)})

    def covers(self, conditions):
        return conditions["perturbation"].isin(list(self.effects)).to_numpy()

    def delta(self, conditions, profiles, context):
        return np.stack([self.effects[label] for label in conditions["perturbation"]])

    def claim(self, kind, n_held_out, explained):
        return 1.0 if kind == "measured" else 0.0

    def to_dict(self):
        return self.effects

    @classmethod
    def from_dict(cls, state, sources):
        return cls(dict(state))


@pytest.mark.filterwarnings("error:The component")
def test_a_component_is_asked_for_what_it_covers_only(adata, graph, monkeypatch):
    monkeypatch.setitem(COMPONENTS, "twice", Entry(TwiceMeasured, "", ""))
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graph, components=["mean", "gaussian_process", "twice"])
    model.train(enable_progress_bar=False)
    measured = adata.obs.query("split == 'train'")["perturbation"].iloc[0]
    unseen = adata.obs.query("split == 'test'")["perturbation"].iloc[0]
    fraction = model.predict([measured, unseen]).obs["fraction_twice"]
    assert fraction.iloc[0] > 0.4
    assert fraction.iloc[1] == 0
    for label in (measured, unseen):
        why = model.explain(label, by="part")
        assert why["contribution"].sum() == pytest.approx(why.attrs["norm"], rel=1e-3)
