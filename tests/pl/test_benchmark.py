from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import txpert as tx

PLOTS = [
    tx.pl.benchmark_bars,
    tx.pl.benchmark_strips,
    tx.pl.benchmark_ranks,
    tx.pl.benchmark_differences,
]


@pytest.fixture(scope="module")
def result():
    models = {"mean": "mean", "zero": "no_change", "line": "nearest_cell_line"}
    adata = tx.datasets.toy()
    return tx.benchmark(adata, models, "unseen_perturbation", [0, 1], ceiling_repeats=2)


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


def test_each_group_has_its_own_ceilings(result):
    groups = result.scores["perturbation"].map(lambda name: f"ends on {str(name)[-1]}")
    grouped = replace(result, scores=result.scores.assign(group=groups))
    n = groups.nunique()
    assert n > 1
    lines = tx.pl.benchmark_bars(grouped, by="group").lines
    ceilings = [line for line in lines if line.get_linestyle() == ":"]
    assert len(ceilings) == n
    keys = ["seed", "fold", "perturbation", "cell_line"]
    known = grouped.scores[[*keys, "group"]].drop_duplicates(keys)
    table = result.ceiling[result.ceiling["kind"] == "split_half"].merge(known, on=keys)
    expected = table.groupby(["group", "seed"])["pearson_delta"].mean().groupby("group").mean()
    drawn = sorted(line.get_ydata()[0] for line in ceilings)
    np.testing.assert_allclose(drawn, sorted(expected))


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


@pytest.mark.parametrize("plot", PLOTS[:3])
def test_nothing_defined_to_draw(plot, adata):
    result = tx.benchmark(adata, {"zero": "no_change"}, baseline=None, ceiling_repeats=0)
    with pytest.raises(ValueError, match="no model besides 'zero'"):
        tx.pl.benchmark_differences(result, "mse")
    with pytest.raises(ValueError, match="undefined for every model"):
        plot(result)
    assert plot(result, "mse").get_figure() is not None


def test_bars_by_group_and_task(result):
    ax = tx.pl.benchmark_bars(result, by="cell_line")
    assert names(ax.get_xticklabels()) == result.models  # there is one cell line
    ax = tx.pl.benchmark_bars({"one task": result, "another": result}, "mse", model="line")
    assert names(ax.get_xticklabels()) == ["one task", "another"]
    summary = result.summary("mse")
    heights = [bar.get_height() for bar in ax.patches[: 2 * len(summary)]]
    np.testing.assert_allclose(heights, [*summary["mean"], *summary["mean"]])
    colors = {patch.get_label(): patch[0].get_facecolor() for patch in ax.containers[-4:]}
    assert len(set(colors.values())) == 4


def test_whiskers_are_the_sd_over_seeds(result):
    ax = tx.pl.benchmark_bars(result, "mse", oracles=["line"])
    assert "± sd over 2 seeds" in ax.get_legend_handles_labels()[1]
    assert [bool(bar.get_hatch()) for bar in ax.patches[:4]] == [False, False, True, False]
    places = [bar.get_center()[0] for bar in ax.patches[:4]]
    np.testing.assert_allclose(places, [0, 1, 3.4, 2])


def test_differences_are_paired(result):
    ax = tx.pl.benchmark_differences(result, "mse", model="mean")
    assert names(ax.get_yticklabels()) == ["general", "line", "zero"]
    wide = result.scores.groupby(["model", "perturbation"])["mse"].mean().unstack("model")
    expected = (wide["mean"] - wide["zero"]).mean()
    drawn = [points.get_offsets()[0] for points in ax.collections if len(points.get_offsets())]
    assert [x for x, y in drawn if y == 2] == [pytest.approx(expected)]
    assert ax.texts[-1].get_text().endswith(f"n = {len(wide)}")


def test_strips_connect_perturbations_and_mark_means(result):
    ax = tx.pl.benchmark_strips(result, "mse")
    table = result.scores.groupby(["model", "perturbation"])["mse"].mean().unstack("model")
    segments = ax.collections[-1].get_segments()
    assert len(segments) == len(table)
    np.testing.assert_allclose(segments[0][:, 1], table[result.models].iloc[0])
    np.testing.assert_allclose(ax.collections[1].get_segments()[0][0, 1], table["mean"].mean())


@pytest.mark.parametrize("plot", PLOTS)
def test_drawn_whole(plot, result, check_figure):
    check_figure(lambda: plot(result, "mse"), "default", "dark_background")


@pytest.mark.slow
def test_a_large_benchmark_of_long_names_is_drawn(result, check_figure):
    long = {"mean": "a very long name of a model $x^2$ " * 2}
    parts = []
    for i in range(60):
        labels = result.scores["perturbation"] + f"_{i}"
        lines = [f"line_{i % 5}"] * len(labels)
        parts.append(result.scores.assign(perturbation=labels, cell_line=lines))
    scores, runs = pd.concat(parts).replace(long), result.runs.replace(long)
    large = tx.BenchmarkResult(scores, runs, result.ceiling, None, "general")
    check_figure(lambda: tx.pl.benchmark_strips(large, "mse"))
    check_figure(lambda: tx.pl.benchmark_bars(large, "mse", by="cell_line"))


def test_more_models_than_colors_are_gray_where_the_axis_names_them(result):
    first = result.scores["model"].iloc[0]
    rows, runs = [result.scores], [result.runs]
    for i in range(9):
        rows.append(result.scores[result.scores["model"] == first].assign(model=f"other {i}"))
        runs.append(result.runs[result.runs["model"] == first].assign(model=f"other {i}"))
    many = tx.BenchmarkResult(pd.concat(rows), pd.concat(runs), result.ceiling, None, "general")
    ax = tx.pl.benchmark_bars(many, model="other 0", show=False)
    names = [label.get_text() for label in ax.get_xticklabels()]
    color = {n: bar.get_facecolor()[:3] for n, bar in zip(names, ax.patches, strict=False)}
    assert len({color[f"other {i}"] for i in range(1, 9)}) == 1
    assert len({color[name] for name in ("other 0", "other 1", "general")}) == 3
