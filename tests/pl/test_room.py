"""Text fits figures of any width, and labels of points lie on nothing."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.transforms import Bbox

import txpert as tx
from txpert.pl._labels import label_points, scientific
from txpert.pl._room import legend_below, wrap_labels

LABEL = "a label that is far longer than half a page is wide, with its unit (log1p)"


def half_a_page(n=1):
    _, axes = plt.subplots(1, n, figsize=(3.5 * n, 3), layout="constrained", squeeze=False)
    return axes.ravel()


def extent(text):
    text.figure.canvas.draw()
    return text.get_window_extent()


@pytest.mark.parametrize("n", [1, 2])
def test_long_labels_are_wrapped_into_their_column(n):
    for column, ax in enumerate(half_a_page(n)):
        ax.set(xlabel=LABEL, ylabel=LABEL, title=LABEL)
        wrap_labels(ax)
        width, height = ax.figure.bbox.width / n, ax.figure.bbox.height
        for text in (ax.xaxis.label, ax.title):
            box = extent(text)
            assert text.get_text().replace("\n", " ") == LABEL
            assert column * width <= box.x0 < box.x1 <= (column + 1) * width
        box = extent(ax.yaxis.label)
        assert 0 <= box.y0 < box.y1 <= height


def test_short_labels_stay_in_one_line():
    (ax,) = half_a_page()
    ax.set(xlabel="epoch", ylabel="loss", title="a fit")
    wrap_labels(ax)
    assert [ax.get_xlabel(), ax.get_ylabel(), ax.get_title()] == ["epoch", "loss", "a fit"]


def test_lines_are_of_similar_lengths():
    (ax,) = half_a_page()
    ax.set_title("twelve words that are a little longer than the width of it all")
    wrap_labels(ax)
    first, second = ax.get_title().split("\n")
    assert abs(len(first) - len(second)) < 8


def test_a_legend_has_as_many_columns_as_there_is_room_for():
    (ax,) = half_a_page()
    ax.set_xlabel(LABEL)
    for i in range(6):
        ax.plot([0, 1], [0, i], label=f"a model of a long name {i}")
    legend_below(ax, 6)
    box, labels = extent(ax.get_legend()), extent(ax.xaxis.label)
    assert 0 <= box.x0 < box.x1 <= ax.figure.bbox.width
    assert 0 <= box.y0 < box.y1 <= labels.y0


def test_labels_lie_neither_on_each_other_nor_on_their_points():
    (ax,) = half_a_page()
    x = np.array([0.5, 0.5, 0.51, 0.0, 1.0])
    ax.scatter(x, x, s=40, marker="D")
    ax.margins(0.2)
    names = [f"a long name {i}" for i in range(5)]
    label_points(ax, x, x, names, [0, 1], n_labels=2, color="black", also=[2, 3, 4])
    boxes = [extent(text) for text in ax.texts]
    assert len(boxes) == 5
    assert not any(Bbox.intersection(*pair) for pair in itertools.combinations(boxes, 2))
    points = ax.transData.transform(np.column_stack([x, x]))
    assert not any(box.count_contains(points) for box in boxes)


def test_small_numbers_are_powers_of_ten():
    assert scientific(0.032) == "0.032"
    assert scientific(1.9e-9) == "1.9×10$^{-9}$"
    assert scientific(0.0) == "0"


@pytest.mark.parametrize("width", [3.5, 7])
def test_heatmaps_name_genes_where_there_is_room(make_prediction, width):
    _, ax = plt.subplots(figsize=(width, 4), layout="constrained")
    tx.pl.heatmap(make_prediction(10, n_genes=50), n_genes=40, ax=ax)
    assert bool(ax.get_xlabel()) == (width < 4)
    assert len(ax.get_xticks()) == (0 if width < 4 else 40)
