"""Explanations, rankings, matches and proposals of one modality of several."""

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.graph import KnowledgeGraph

GENES = [f"GENE{i}" for i in range(30)]
MEASURED = GENES[:24]


@pytest.fixture(scope="module")
def screen():
    """Effects that follow a graph, reversed by activation."""
    rng = np.random.default_rng(0)
    of_pair = rng.normal(0, 0.4, (15, 40)).repeat(2, axis=0)[:24]
    names = [f"READ{i}" for i in range(40)]
    frames = {
        modality: pd.DataFrame(
            sign * of_pair + rng.normal(0, 0.02, of_pair.shape), MEASURED, names
        )
        for modality, sign in (("CRISPRi", 1.0), ("CRISPRa", -1.0))
    }
    return tx.pp.from_effects(
        pd.concat(frames.values()),
        cell_line="K562",
        modality=[name for name, frame in frames.items() for _ in range(len(frame))],
    )


@pytest.fixture(scope="module")
def model(screen):
    edges = [(GENES[i], GENES[i + 1]) for i in range(0, 30, 2)]
    graph = KnowledgeGraph.from_edges(pd.DataFrame(edges, columns=["source", "target"]), name="g")
    tx.TxPertModel.setup_anndata(screen)
    model = tx.TxPertModel(screen, graph, components=("mean", "gaussian_process"))
    model.train(enable_progress_bar=False)
    return model


def delta(model, label, modality):
    frame = pd.DataFrame(
        {"perturbation": [label], "cell_line": "K562", "batch": "all", "modality": modality}
    )
    return model.predict(frame).layers["delta"][0]


def test_an_explanation_sums_to_the_prediction_of_its_modality(model):
    for modality in ("CRISPRi", "CRISPRa"):
        why = model.explain("GENE3", modality=modality)
        norm = np.linalg.norm(delta(model, "GENE3", modality))
        assert why["contribution"].sum() == pytest.approx(norm, rel=1e-3)


def test_what_ranks_first_in_one_modality_ranks_last_in_the_other(model):
    wanted = pd.Series(delta(model, "GENE3", "CRISPRi"), index=model.genes)
    options = {"min_specific": 0, "top": 30, "progress": False}
    down = tx.tl.screen(model, wanted, modality="CRISPRi", **options)
    up = tx.tl.screen(model, wanted, modality="CRISPRa", **options)
    assert "GENE3" in down["perturbation"][:2].tolist()
    assert "GENE3" in up["perturbation"][-2:].tolist()


def test_a_match_names_the_modality(model, screen):
    wanted = pd.Series(-delta(model, "GENE3", "CRISPRi"), index=model.genes)
    best = tx.tl.match(wanted, model, of="measured").iloc[0]
    assert best["perturbation"] in ("GENE2", "GENE3")
    assert best["modality"] == "CRISPRa"
    only = tx.tl.match(wanted, screen, modality="CRISPRi")
    assert set(only["modality"]) == {"CRISPRi"}
    predicted = tx.tl.match(wanted, model, of="predicted", modality="CRISPRa")
    assert predicted["score"].iloc[0] > 0.9


def test_proposals_are_what_this_modality_has_not_measured(screen):
    only = screen[
        ~((screen.obs["modality"] == "CRISPRa") & screen.obs["perturbation"].isin(MEASURED[:4]))
    ].copy()
    tx.TxPertModel.setup_anndata(only)
    edges = pd.DataFrame({"source": GENES[:-1], "target": GENES[1:]})
    graph = KnowledgeGraph.from_edges(edges, name="chain")
    model = tx.TxPertModel(only, graph, components=("mean", "gaussian_process"))
    model.train(enable_progress_bar=False)
    up = tx.tl.propose(model, MEASURED, n=4, modality="CRISPRa")
    assert set(up["perturbation"]) == set(MEASURED[:4])
    with pytest.raises(ValueError, match="all 24 have been measured"):
        tx.tl.propose(model, MEASURED, n=4, modality="CRISPRi")


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: model.explain("GENE3", modality="knockout"),
        lambda model: tx.tl.screen(model, {"READ1": 1.0}, modality="knockout"),
        lambda model: tx.tl.match({"READ1": 1.0, "READ2": 0.5}, model, modality="knockout"),
        lambda model: tx.tl.propose(model, n=1, modality="knockout"),
    ],
)
def test_an_unknown_modality_is_named_with_those_there_are(model, ask):
    with pytest.raises(KeyError, match=r"knockout.*CRISPRa, CRISPRi"):
        ask(model)


def test_a_model_without_modalities_says_so():
    adata = tx.datasets.toy()
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=("mean", "gaussian_process"))
    model.train(enable_progress_bar=False)
    with pytest.raises(KeyError, match="setup_anndata was given none"):
        model.explain("GENE20", modality="CRISPRi")
