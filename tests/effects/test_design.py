"""Choices of what to measure next, against fits that measured it."""

import numpy as np
import pandas as pd
import pytest

from txpert.effects._contexts import Context
from txpert.effects._design import Design
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._measured_effects import MeasuredEffects
from txpert.graph import KnowledgeGraph

GENES = [f"g{i:02d}" for i in range(30)]
TRAIN, ASKED = [0, 1, 5, 6, 10], [2, 3, 4, 7, 8, 15, 16, 17, 18, 20, 25]
LINE = Context("K", "all")


@pytest.fixture(scope="module")
def kernels():
    """Six cliques of five genes, all of them anchors."""
    pairs = [(GENES[a], GENES[b]) for a in range(30) for b in range(a) if a // 5 == b // 5]
    edges = pd.DataFrame(pairs, columns=["source", "target"])
    graph = KnowledgeGraph.from_edges(edges, name="cliques", directed=False)
    return GeneKernels([graph], {}, pd.Index(GENES, dtype=object))


@pytest.fixture(scope="module")
def process(kernels):
    rng = np.random.default_rng(0)
    delta = rng.normal(size=(6, 20))[np.arange(30) // 5][TRAIN]
    delta = delta + 0.3 * rng.normal(size=delta.shape)
    effects = MeasuredEffects.of([(GENES[i],) for i in TRAIN], delta, cell_line="K")
    return GeneGaussianProcess.fit(effects, kernels)


@pytest.fixture
def design(process, kernels):
    return Design.of(process, kernels, [(GENES[i],) for i in ASKED], LINE)


def test_variance_is_that_of_predictions(process, kernels, design):
    std = process.predict(
        [(GENES[i],) for i in ASKED], kernels, cell_line="K", return_std=True
    ).std
    noise = process.noise.sum() * len(ASKED)
    # The process takes kernels for 1 on the diagonal, which diffusion is to a few percent.
    assert design.variance + noise == pytest.approx(float((std**2).sum()), rel=0.1)


def test_reduction_is_what_a_measurement_reduces(design):
    before, promised = design.variance, design.reductions()
    design.measure(5)
    assert before - design.variance == pytest.approx(promised[5], rel=1e-6)


def test_the_first_choice_is_the_best_and_covers_a_clique_not_seen(design):
    allowed = np.ones(len(ASKED), dtype=bool)
    best = design.reductions().argmax()
    choice = design.choose(3, "variance", np.ones(len(ASKED)), allowed, 0)
    assert choice.chosen[0] == best
    assert GENES[ASKED[best]] in {"g15", "g16", "g17", "g18"}
    assert (np.diff(choice.gain) <= 1e-9).all()


def test_costs_and_what_is_not_allowed_count(process, kernels, design):
    everything = np.ones(len(ASKED), dtype=bool)
    cost = np.where(design.reductions() == design.reductions().max(), 1e6, 1.0)
    assert design.choose(1, "variance", cost, everything, 0).chosen[0] != cost.argmax()
    again = Design.of(process, kernels, [(GENES[i],) for i in ASKED], LINE)
    only = np.arange(len(ASKED)) == 2
    assert again.choose(4, "d_optimal", np.ones(len(ASKED)), only, 0).chosen == [2]


def test_diverse_takes_a_clique_once(design):
    everything = np.ones(len(ASKED), dtype=bool)
    chosen = design.choose(3, "diverse", np.ones(len(ASKED)), everything, 0).chosen
    assert len({ASKED[i] // 5 for i in chosen}) == 3


def test_variance_beats_random_on_average(process, kernels):
    asked = [(GENES[i],) for i in ASKED]
    everything, one = np.ones(len(ASKED), dtype=bool), np.ones(len(ASKED))

    def removed(strategy, seed=0):
        design = Design.of(process, kernels, asked, LINE)
        return design.choose(3, strategy, one, everything, seed).gain.sum()

    drawn = [removed("random", seed) for seed in range(10)]
    assert removed("variance") > np.mean(drawn) + 0.05
    assert removed("variance") >= max(drawn) - 1e-9
