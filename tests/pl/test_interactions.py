import itertools

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert._analysis._interactions import SCORES


@pytest.fixture
def scored(adata):
    """Scores of all pairs of n genes, by two sources, written as tl.interactions does."""

    def make(n):
        rng = np.random.default_rng(0)
        genes = [f"G{i:02}" for i in range(n - 1)] + ["Z_$x^2$_" + "long" * 9]
        labels = ["+".join(pair) for pair in itertools.combinations(genes, 2)]
        parts = [
            pd.DataFrame({"perturbation": labels, "cell_line": "K", "source": source})
            for source in ("observed", "predicted")
        ]
        scores = pd.concat(parts, ignore_index=True)
        scores[list(SCORES)] = rng.normal(size=(len(scores), len(SCORES)))
        adata.uns["txpert_interactions"] = {"scores": scores}
        return adata

    return make


def test_map_has_the_observed_above_the_diagonal(scored):
    adata = scored(4)
    scores = adata.uns["txpert_interactions"]["scores"]
    image = tx.pl.interactions(adata, "deviation").images[0].get_array().filled(np.nan)
    rows = scores.set_index(["source", "perturbation"])["deviation"]
    assert image[0, 1] == pytest.approx(rows["observed", "G00+G01"])
    assert image[1, 0] == pytest.approx(rows["predicted", "G00+G01"])
    assert np.isnan(np.diag(image)).all()
    points = tx.pl.interactions(adata, "deviation", kind="scatter").collections[0].get_offsets()
    np.testing.assert_allclose(points[0], [image[0, 1], image[1, 0]])


@pytest.mark.parametrize("n", [2, 7, 64])
@pytest.mark.parametrize("kind", ["map", "scatter"])
def test_drawn_whole(n, kind, scored, check_figure):
    adata = scored(n)
    style = "dark_background" if n == 7 else "default"
    check_figure(lambda: tx.pl.interactions(adata, kind=kind), style)


def test_what_is_missing_is_named(adata):
    with pytest.raises(KeyError, match=r"run tx\.tl\.interactions"):
        tx.pl.interactions(adata)


def test_options_that_are_none_are_refused(scored):
    adata = scored(4)
    with pytest.raises(ValueError, match="kind must be one of 'map', 'scatter'"):
        tx.pl.interactions(adata, kind="nonsense")
    with pytest.raises(ValueError, match="n_labels must be a whole number"):
        tx.pl.interactions(adata, kind="scatter", n_labels=-1)
    with pytest.raises(TypeError, match="ax takes Matplotlib axes"):
        tx.pl.interactions(adata, ax="x")
