import warnings

import anndata as ad
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

LONG = "HLA-DRB1_$x^2$_{a}_" + "very_long_name_" * 6


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture
def make_prediction():
    """A prediction of n perturbations, one of a long name; std = 0.5, controls are 1."""

    def make(n=20, n_lines=1, n_genes=40, seed=0):
        rng = np.random.default_rng(seed)
        labels = [f"G{i}" for i in range(n)]
        labels[-1] = LONG
        lines = [f"line_{i}" for i in range(n_lines)]
        obs = pd.DataFrame(
            {"perturbation": np.repeat(labels, n_lines), "cell_line": np.tile(lines, n)}
        )
        obs["specific"] = rng.random(len(obs))
        delta = rng.normal(size=(len(obs), n_genes)).astype(np.float32)
        return ad.AnnData(
            delta + 1,
            obs=obs.set_axis([f"c{i}" for i in range(len(obs))]),
            var=pd.DataFrame(index=[*(f"G{i}" for i in range(n_genes - 1)), LONG]),
            layers={"delta": delta, "std": np.full_like(delta, 0.5)},
        )

    return make


@pytest.fixture
def check_figure():
    """Draw what a function draws; fail if it warns or clips anything."""

    def check(draw, *styles):
        for style in styles or ("default",):
            with warnings.catch_warnings(), plt.style.context(style):
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", DeprecationWarning)
                warnings.simplefilter("ignore", ResourceWarning)
                drawn = draw()
                figure = drawn if isinstance(drawn, plt.Figure) else drawn.figure
                figure.canvas.draw()
            box = figure.get_tightbbox()
            width, height = figure.get_size_inches()
            within = box.x0 > -0.03 and box.y0 > -0.03
            within &= box.x1 < width + 0.03 and box.y1 < height + 0.03
            assert within, f"clipped: {box} in {width} × {height} inches"
            plt.close(figure)

    return check
