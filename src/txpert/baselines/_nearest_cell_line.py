from __future__ import annotations

import numpy as np

from txpert._types import FloatArray

from ._lines import CellLineBaseline


class NearestCellLineBaseline(CellLineBaseline):
    """Takes Δ of a perturbation from the most similar cell line that has it in training.

    How similar another line is: where the line asked for has perturbed cells in training and
    shares perturbations with every other training line, the mean over the shared ones of the
    correlation of Δ; else, and so for a line left out altogether, the correlation of the mean
    control profiles, so that none of its perturbed cells is needed. :meth:`similarity` tells both.

    A line that has the perturbation itself in training is nearest to itself. A combination that no
    line has is the sum of its parts. A gene that no line has gets the mean effect of single genes
    in the line itself, where that was trained on, else in the nearest line.

    Parameters
    ----------
    pseudobulk
        Table made by :func:`txpert.pp.pseudobulk`. With a split, only ``"train"`` is looked at.

    Raises
    ------
    KeyError
        If this is no pseudobulk table.
    ValueError
        If no perturbation is in training.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> adata.obs["cell_line"] = adata.obs["batch"].map({"batch_1": "K562", "batch_2": "RPE1"})
    >>> baseline = NearestCellLineBaseline(tx.pp.pseudobulk(adata))
    >>> baseline.similarity("K562").index.to_list()
    ['RPE1']
    >>> baseline.predict("GENE3", cell_line="K562").shape
    (1, 60)
    """

    def _share(self, similarity: FloatArray) -> FloatArray:
        # An undefined correlation, that of a constant profile, counts as the least possible.
        nearest = np.where(np.isnan(similarity), -1, similarity).argmax()
        return (np.arange(len(similarity)) == nearest).astype(np.float32)
