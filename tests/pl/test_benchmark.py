import matplotlib.pyplot as plt
import numpy as np
import pytest

import txpert as tx

PLOTS = [tx.pl.benchmark_bars, tx.pl.benchmark_strips, tx.pl.benchmark_ranks]


@pytest.fixture
def result(adata):
    models = {"mean": "mean", "zero": "no_change", "line": "nearest_cell_line"}
    yield tx.benchmark(adata, models, "unseen_perturbation", [0, 1], ceiling_repeats=2)
    plt.close("all")


def names(ticks):
    return [tick.get_text() for tick in ticks]


def test_bars_show_means_seeds_baseline_and_ceilings(result):
    ax = tx.pl.benchmark_bars(result)
    summary = result.summary("pearson_delta").set_index("model")
    assert names(ax.get_xticklabels()) == list(summary.index)
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(heights, summary["mean"])
    of_seed = result.scores.groupby(["model", "seed"])["pearson_delta"].mean()
    dots = [points.get_offsets()[:, 1] for points in ax.collections[-4:]]
    np.testing.assert_allclose(dots[0], of_seed["mean"])
    np.testing.assert_allclose(dots[3], of_seed["general"])
    lines = {line.get_label(): line.get_ydata()[0] for line in ax.lines}
    assert lines["general (baseline)"] == pytest.approx(summary.loc["general", "mean"])
    ceiling = result.ceiling.groupby("kind")["pearson_delta"].mean()
    assert lines["ceiling: halves of the data"] == pytest.approx(ceiling["split_half"])
    assert lines["ceiling: perfect prediction"] == pytest.approx(ceiling["noise_free"])
    assert "undefined" in [text.get_text() for text in ax.texts]


def test_ceilings_are_drawn_where_there_are_any(result):
    labels = [line.get_label() for line in tx.pl.benchmark_bars(result, "retrieval").lines]
    assert "ceiling: halves of the data" in labels
    assert "ceiling: repeated experiment" not in labels
    labels = [line.get_label() for line in tx.pl.benchmark_bars(result, "centroid_accuracy").lines]
    assert not [label for label in labels if label.startswith("ceiling")]


def test_strips_show_each_perturbation(result):
    ax = tx.pl.benchmark_strips(result)
    scores = result.scores[result.scores["model"] == "mean"]
    expected = scores.groupby("perturbation")["pearson_delta"].mean()
    drawn = ax.collections[0].get_offsets()[:, 1]
    np.testing.assert_allclose(sorted(drawn), sorted(expected))
    n = scores["perturbation"].nunique()
    assert f"zero\n({n} undefined)" in names(ax.get_xticklabels())


def test_ranks_put_the_best_first(adata):
    table = tx.pp.pseudobulk(adata)
    truth = table[~table.obs["control"].to_numpy()].copy()
    result = tx.benchmark(adata, {"zero": "no_change", "truth": truth}, ceiling_repeats=0)
    for metric in ("pearson_delta", "mse"):
        ax = tx.pl.benchmark_ranks(result, metric)
        assert names(ax.get_yticklabels())[-1] == "truth (1.0)"
        first = [bar.get_width() for bar in ax.containers[0]]
        assert first == [0, 0, 1]
    assert names(tx.pl.benchmark_ranks(result).get_yticklabels())[0] == "zero (3.0)"


@pytest.mark.parametrize("plot", PLOTS)
def test_plots_take_axes_and_name_what_is_missing(plot, result):
    _, given = plt.subplots()
    assert plot(result, "mse", ax=given) is given
    with pytest.raises(KeyError, match="no metric 'r2'; there are pearson_delta"):
        plot(result, "r2")


@pytest.mark.parametrize("plot", PLOTS)
def test_nothing_defined_to_draw(plot, adata):
    result = tx.benchmark(adata, {"zero": "no_change"}, baseline=None, ceiling_repeats=0)
    with pytest.raises(ValueError, match="undefined for every model"):
        plot(result)
    assert plot(result, "mse").get_figure() is not None
