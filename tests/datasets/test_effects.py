import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma, kstest, spearmanr

from txpert.datasets import SimulationParameters, toy_graph
from txpert.datasets._effects import _stress_strength, draw_effects

GENES = [f"GENE{i}" for i in range(1, 61)]


def draw(n_targets=30, *, n_lines=1, n_doubles=0, seed=0, **settings):
    parameters = SimulationParameters(**settings)
    return draw_effects(
        np.random.default_rng(seed),
        toy_graph(),
        sorted(GENES[:n_targets]),
        GENES,
        parameters,
        n_lines=n_lines,
        n_doubles=n_doubles,
    )


def by_label(effects, line=0):
    return pd.DataFrame(effects.log_fold_change[line], index=effects.labels, columns=GENES)


@pytest.mark.parametrize("n_lines", [1, 3])
def test_additive_doubles_are_sums(n_lines):
    effects = draw(n_lines=n_lines, n_doubles=40, synergistic=0, buffering=0)
    assert (effects.interactions["kind"] == "additive").all()
    for line in range(n_lines):
        table = by_label(effects, line)
        for pair in effects.interactions.itertuples():
            expected = table.loc[pair.first] + table.loc[pair.second]
            np.testing.assert_allclose(table.loc[pair.perturbation], expected, atol=1e-5)


def test_interactions_deviate_in_their_direction():
    effects = draw(n_doubles=60, synergistic=0.25, buffering=0.5)
    assert effects.interactions["kind"].value_counts().to_dict() == {
        "buffering": 30,
        "synergistic": 15,
        "additive": 15,
    }
    table, shapes = by_label(effects), []
    for pair in effects.interactions.itertuples():
        total = (table.loc[pair.first] + table.loc[pair.second]).drop([pair.first, pair.second])
        double = table.loc[pair.perturbation].drop([pair.first, pair.second])
        slope = (total @ double) / (total @ total)
        shapes.append(np.corrcoef(total, double)[0, 1])
        match pair.kind:
            case "additive":
                assert slope == pytest.approx(1, abs=1e-5)
            case "synergistic":
                assert slope > 1.05
            case "buffering":
                assert slope < 0.95
    other = (effects.interactions["kind"] != "additive").to_numpy()
    assert (np.array(shapes)[other] < 0.999).all(), "a mere factor would not change Pearson Δ"


def test_targets_of_a_double_are_both_knocked_down():
    effects = draw(n_doubles=20, synergistic=0.5, buffering=0.5, knockdown=0.1)
    table = by_label(effects)
    for pair in effects.interactions.itertuples():
        for own, other in ((pair.first, pair.second), (pair.second, pair.first)):
            expected = np.log(0.1) + table.loc[other, own]
            assert table.loc[pair.perturbation, own] == pytest.approx(expected, abs=1e-5)


def test_buffering_pairs_are_the_most_alike():
    effects = draw(n_doubles=80, buffering=0.3, synergistic=0.2, stress_scale=0, seed=1)
    table = by_label(effects)
    pairs = effects.interactions
    alike = np.array(
        [
            np.corrcoef(table.loc[a], table.loc[b])[0, 1]
            for a, b in zip(pairs["first"], pairs["second"], strict=True)
        ]
    )
    buffering = (pairs["kind"] == "buffering").to_numpy()
    assert alike[buffering].mean() > alike[~buffering].mean() + 0.2


@pytest.mark.parametrize(("tie", "low", "high"), [(0.0, -0.35, 0.35), (0.9, 0.8, 1.0)])
def test_stress_follows_essentiality_as_far_as_asked(tie, low, high):
    effects = draw(60, stress_essentiality=tie, effect_scale=0, stress_scale=0.5)
    size = by_label(effects).abs()
    strength = size.loc[:, (size > 1e-6).mean() > 0.9].median(axis=1)
    score = effects.essentiality.set_index("gene")["essentiality"]
    assert score.between(0, 1).all()
    assert low < spearmanr(strength, score[strength.index]).statistic < high


def test_stress_strength_keeps_its_distribution():
    rng = np.random.default_rng(0)
    for tie in (0.0, 0.8, 1.0):
        strength = _stress_strength(rng, rng.standard_normal(4_000), tie)
        assert kstest(strength, gamma(2, scale=0.5).cdf).pvalue > 1e-3


def test_sizes_of_effects_differ_as_asked():
    one, many = (draw(60, stress_scale=0, effect_sd=sd, n_programs=40) for sd in (0.0, 1.0))
    spread = [np.log(e.log_fold_change[0].std(axis=1)).std() for e in (one, many)]
    assert spread[0] < 0.35 < spread[1]
