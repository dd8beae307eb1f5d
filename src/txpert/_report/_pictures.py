"""The figures of a report, as inline images."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from anndata import AnnData

from txpert import pl
from txpert._constants import CELL_LINE, PERTURBATION, UNS_KEY
from txpert.tl._interactions import INTERACTIONS_KEY
from txpert.tl._screen_report import REPORT_KEY
from txpert.tl._trust import TRUST_KEY

_WIDE = 6.5
"""Inches from which on a figure has several panels side by side, and takes the whole width."""


class Picture(NamedTuple):
    """A figure with its title, its caption and its ``data:`` address."""

    name: str
    caption: str
    address: str
    wide: bool


def pictures(adata: AnnData, model: Any) -> Iterator[Picture]:
    """Yield every figure that the data have results for."""
    for title, caption, draw in _drawn(adata, model):
        with plt.style.context("default"):
            try:
                figure = draw().figure
            except ValueError:  # nothing defined to draw
                continue
            text, wide = io.BytesIO(), figure.get_figwidth() > _WIDE
            figure.savefig(text, format="png", dpi=130)
            plt.close(figure)
        address = base64.b64encode(text.getvalue()).decode()
        yield Picture(title, caption, f"data:image/png;base64,{address}", wide)


def _drawn(adata: AnnData, model: Any) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    yield (
        "Scores",
        "Each dot is a held-out perturbation. Above the diagonal the model is better.",
        lambda: pl.scores(adata),
    )
    for label, line in _median(adata):
        yield (
            "A typical prediction",
            "The held-out perturbation of the median score; each dot is a gene.",
            partial(pl.delta, adata, label, cell_line=line),
        )
    if model.history:
        yield (
            "Training",
            "Loss and validation score by epoch, over all fits of the training.",
            lambda: pl.history(model),
        )
    known: dict[str, tuple[str, str, Callable[[AnnData], Any]]] = {
        REPORT_KEY: ("The screen", "What the data look like before any model.", pl.screen_report),
        TRUST_KEY: ("When to trust it", "What the scores depend on.", pl.trust),
        INTERACTIONS_KEY: ("Interactions", "Pairs against the sum of parts.", pl.interactions),
    }
    for key, (title, caption, draw) in known.items():
        if key in adata.uns:
            yield title, caption, partial(draw, adata)


def _median(adata: AnnData) -> list[tuple[str, str]]:
    metrics = adata.uns[UNS_KEY]["metrics"]
    own = metrics[metrics["model"] == metrics["model"].iloc[0]].dropna(subset="pearson_delta")
    row = own.sort_values("pearson_delta", kind="stable").iloc[len(own) // 2 : len(own) // 2 + 1]
    return [(str(p), str(line)) for p, line in row[[PERTURBATION, CELL_LINE]].to_numpy()]
