"""Explanations, rankings, matches and proposals of one modality of several."""

import warnings

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.data import ConditionTable
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
    options = {"min_specific": 0, "top": 30, "enable_progress_bar": False}
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


@pytest.fixture
def pairs():
    """A pair that adds up by interference and has twice that by activation; C only in one."""
    rng = np.random.default_rng(0)
    names = [f"READ{i}" for i in range(40)]
    a, b, c = rng.normal(0, 0.4, (3, 40))
    effects = {
        "CRISPRi": {"A": a, "B": b, "C": c, "A+B": a + b},
        "CRISPRa": {"A": -a, "B": -b, "A+B": -2 * (a + b), "A+C": c - a},
    }
    frames = [pd.DataFrame(effects[kind], names).T for kind in effects]
    kinds = [kind for kind, part in effects.items() for _ in part]
    return tx.pp.from_effects(pd.concat(frames), cell_line="K562", modality=kinds)


class Measured(tx.data.Predictor):
    """Predicts what was measured of a perturbation in its modality, and 1 of anything else."""

    def __init__(self, adata):
        table = ConditionTable.of(adata)
        self.control_profiles = table.controls
        names = table.obs[["perturbation", "modality"]].astype(str)
        self.known = dict(zip(names.itertuples(index=False, name=None), table.delta, strict=True))

    def _delta(self, obs, profiles, context):
        rows = obs[["perturbation", "modality"]].itertuples(index=False, name=None)
        return np.stack([self.known.get(row, np.ones(len(profiles.genes))) for row in rows])


def test_a_pair_is_compared_with_the_parts_of_its_modality(pairs):
    table = tx.tl.interactions(pairs).set_index(["perturbation", "modality"])
    assert sorted(table.index) == [("A+B", "CRISPRa"), ("A+B", "CRISPRi")]
    synergy = table.loc["A+B", "synergy"].to_dict()
    assert synergy == pytest.approx({"CRISPRi": 0, "CRISPRa": 1}, abs=1e-6)
    assert table.loc[("A+B", "CRISPRi"), "deviation"] == pytest.approx(0, abs=1e-6)
    precision = pairs.uns["txpert_interactions"]["precision"]
    assert (precision["n"] == 0).all()


def test_a_pair_is_predicted_in_its_modality(pairs):
    names = ["perturbation", "modality", "source"]
    table = tx.tl.interactions(pairs, Measured(pairs)).set_index(names)
    assert (table["observed_r"].drop(("A+B", "CRISPRi", "observed")) > 0.999).all()
    for kind in ("CRISPRi", "CRISPRa"):
        seen, said = table.loc["A+B", kind, "observed"], table.loc["A+B", kind, "predicted"]
        assert said["synergy"] == pytest.approx(seen["synergy"], abs=1e-5)
    assert ("A+C", "CRISPRa", "observed") in table.index  # its part C is predicted there
    precision = pairs.uns["txpert_interactions"]["precision"].set_index("score")
    assert precision.loc["synergy", ["precision", "n"]].tolist() == [1, 3]
    every = tx.tl.interactions(pairs, Measured(pairs), pairs="all")
    asked = every.loc[every["source"] == "predicted", ["perturbation", "modality"]]
    assert asked.to_numpy().tolist() == [
        ["A+B", "CRISPRa"],
        ["A+B", "CRISPRi"],
        ["A+C", "CRISPRi"],
        ["B+C", "CRISPRi"],
    ]


def test_a_figure_of_interactions_is_of_one_modality(pairs):
    tx.tl.interactions(pairs, Measured(pairs))
    scores = pairs.uns["txpert_interactions"]["scores"]
    scores = scores.set_index(["modality", "source", "perturbation"])["synergy"]
    for kind, chosen in ((None, "CRISPRa"), ("CRISPRi", "CRISPRi")):
        ax = tx.pl.interactions(pairs, modality=kind, show=False)
        assert ax.images[0].get_array()[0, 1] == pytest.approx(scores[chosen, "observed", "A+B"])
        assert ax.get_title().startswith(f"synergy, K562, {chosen}")
        ax = tx.pl.interactions(pairs, kind="scatter", modality=kind, show=False)
        assert ax.get_title().endswith(f"K562, {chosen}")
    with pytest.raises(KeyError, match="no modality of K562 'knockout'"):
        tx.pl.interactions(pairs, modality="knockout")
    plain = pairs[pairs.obs["modality"].astype(str) != "CRISPRa"].copy()
    del plain.obs["modality"]
    assert "modality" not in tx.tl.interactions(plain)
    with pytest.raises(KeyError, match="no modality 'CRISPRi'"):
        tx.pl.interactions(plain, modality="CRISPRi")


def test_trust_keeps_the_modalities_of_a_perturbation_apart(screen, model):
    held = MEASURED[:8]
    adata = screen.copy()
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(held), "test", "train")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tx.tl.evaluate(adata, {"model": model}, baselines={})
    names = ["perturbation", "modality"]
    scores = adata.uns["txpert"]["metrics"].set_index(names)["pearson_delta"]
    frame = scores.index.to_frame(index=False).assign(cell_line="K562", batch="all")
    prediction = model.predict(frame, return_std=True)
    kinds = (prediction.obs["modality"] == "CRISPRa").to_numpy()
    prediction.layers["std"] = np.where(kinds[:, None], 2.0, 1.0) * np.ones(prediction.shape)
    adata.uns["txpert_screen_report"] = {
        "perturbations": pd.DataFrame(
            {"perturbation": held, "cell_line": "K562", "n_de": range(len(held))}
        )
    }
    table = tx.tl.trust(adata, prediction=prediction)
    assert len(adata.uns["txpert_trust"]["perturbations"].drop_duplicates(names)) == 16
    assert "predicted_std" in set(table["covariate"])
    assert "n_de" not in set(table["covariate"])  # a report is of both modalities
    found = adata.uns["txpert_trust"]["perturbations"].set_index(names)
    assert len(found) == 2 * len(held) == len(scores)
    pd.testing.assert_series_equal(found["score"], scores.reindex(found.index), check_names=False)
    expected = np.where(found.index.get_level_values("modality") == "CRISPRa", 2.0, 1.0)
    np.testing.assert_array_equal(found["predicted_std"], expected)
    drawn = tx.pl.trust(adata, show=False)
    middle = found.sort_values("score", kind="stable").iloc[len(found) // 2]
    label, kind = middle.name
    title = drawn.axes[3].get_title()
    assert title.startswith(f"{label}, K562, {kind}: Pearson Δ = {middle['score']:.2f}")


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
    with pytest.raises(KeyError, match="the data name none"):
        model.explain("GENE20", modality="CRISPRi")
