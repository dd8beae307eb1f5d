import numpy as np
import pytest

from txpert.datasets import SimulationParameters
from txpert.datasets._design import draw_design


def draw(shape, *, n_cells=100, n_controls=None, seed=0, **settings):
    return draw_design(
        np.random.default_rng(seed),
        shape,
        SimulationParameters(**settings),
        n_cells=n_cells,
        n_controls=n_controls,
    )


def cells_by_batch(design, n_perturbations, n_batches):
    table = np.zeros((n_perturbations + 1, n_batches), dtype=int)
    np.add.at(table, (design.perturbation, design.batch), 1)
    return table


def test_all_perturbations_have_as_many_cells_by_default():
    design = draw((1, 30, 4))
    table = cells_by_batch(design, 30, 4)
    assert (table[1:].sum(axis=1) == 100).all()
    assert table[0].tolist() == [84, 83, 83, 83]
    assert not design.confounded.any()


def test_numbers_of_cells_spread_as_asked():
    design = draw((1, 4_000, 4), n_cells=80, cells_sd=0.5)
    assert np.median(design.size) == pytest.approx(80, rel=0.03)
    assert np.log(design.size).std() == pytest.approx(0.5, rel=0.05)
    few = draw((1, 500, 2), n_cells=1, cells_sd=2.0)
    assert few.size.min() == 1


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_confounding_is_as_strong_as_asked(share):
    design = draw((1, 100, 10), n_cells=200, confounded=share, confounded_batches=2)
    assert design.confounded.sum() == round(share * 100)
    table = cells_by_batch(design, 100, 10)[1:]
    top = np.sort(table, axis=1)[:, -2:].sum(axis=1) / table.sum(axis=1)
    confounded = design.confounded[0]
    assert top[~confounded].max() < 0.4
    if share:
        # 90% in two batches, and these have their share of the rest.
        assert top[confounded].mean() == pytest.approx(0.92, abs=0.02)


def test_more_batches_asked_for_than_there_are():
    design = draw((1, 20, 2), confounded=1.0, confounded_batches=5)
    table = cells_by_batch(design, 20, 2)[1:]
    assert table.sum(axis=1).tolist() == [100] * 20


def test_lines_measure_most_perturbations_and_each_one_somewhere():
    design = draw((4, 500, 2), n_cells=5, line_measured=0.8)
    measured = design.size > 0
    assert measured.any(axis=0).all()
    assert measured.mean() == pytest.approx(0.8, abs=0.03)
    assert (draw((3, 200, 2), n_cells=5, line_measured=0.0).size > 0).sum(axis=0).tolist() == [
        1
    ] * 200
