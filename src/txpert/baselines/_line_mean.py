"""The mean effect of a cell line."""

from __future__ import annotations

import numpy as np

from txpert._types import FloatArray
from txpert.data._controls import ControlProfiles
from txpert.effects._contexts import Context

from ._lines import LineBaseline
from ._registry import register_baseline


@register_baseline("line_mean")
class LineMeanBaseline(LineBaseline):
    """Mean effect of the cell line's own training perturbations, whatever the perturbation.

    Every perturbation counts the same. What was trained on gets no effect of its own. A line
    without training perturbations has the mean over the other lines' means. With one line it is
    :class:`MeanBaseline` of single genes. A gene that the line did not measure has the mean over
    the lines that did. Modalities are averaged like batches.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.baselines.LineMeanBaseline().fit(adata).predict("GENE3", batch="batch_1").shape
    (1, 60)
    """

    def _in_context(
        self, labels: list[str], context: Context, profiles: ControlProfiles
    ) -> FloatArray:
        return np.tile(self._effects.mean(context), (len(labels), 1))
