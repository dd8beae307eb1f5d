"""The most similar cell line."""

from __future__ import annotations

import numpy as np

from txpert._types import FloatArray

from ._lines import CellLineBaseline
from ._registry import register_baseline


@register_baseline("nearest_cell_line")
class NearestCellLineBaseline(CellLineBaseline):
    """Effect of the perturbation in the most similar cell line that has it in training.

    How similar another line is: where the line asked for has perturbed cells in training and
    shares perturbations with every other training line, the mean over the shared ones of the
    correlation of Δ; else, and so for a line left out altogether, the correlation of the mean
    control profiles, so that none of its perturbed cells is needed (:meth:`similarity`).

    A line that has the perturbation itself in training is nearest to itself. A combination that no
    line has is the sum of its parts. A gene that no line has gets the mean effect of single genes
    in the line itself, where that was trained on, else in the nearest line. Where a line did not
    measure a gene, its Δ there is the mean effect over the lines that did. Modalities are averaged
    like batches.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> adata.obs["cell_line"] = adata.obs["batch"].map({"batch_1": "K562", "batch_2": "RPE1"})
    >>> baseline = NearestCellLineBaseline().fit(adata)
    >>> baseline.similarity("K562").index.to_list()
    ['RPE1']
    >>> baseline.predict("GENE3", cell_line="K562").shape
    (1, 60)
    """

    def _fractions(self, similarity: FloatArray) -> FloatArray:
        # An undefined correlation, that of a constant profile, counts as the least possible.
        nearest = np.where(np.isnan(similarity), -1, similarity).argmax()
        return (np.arange(len(similarity)) == nearest).astype(np.float32)
