"""Features of targets from the screen: genes that respond similarly to training perturbations."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.utils.extmath import randomized_svd

from txpert._types import FloatArray

from ._measured_effects import MeasuredEffects
from ._missing import context_means, first_guess

_COMPONENTS = 100


def co_response(effects: MeasuredEffects, genes: pd.Index) -> pd.DataFrame:
    r"""Return coordinates of genes by their responses to the training perturbations.

    Genes whose expression follows the same perturbations often have similar effects when they are
    perturbed themselves. With the singular value decomposition :math:`Y = U S V^\top` of effects
    centered by context, gene g has the coordinates

    .. math:: w_g = S V_g / (\lVert S V_g \rVert + m),

    where m is the median of the norms. What a perturbation does to its own target is left out, so
    that targets in training look no different from others. Linear models of gene embeddings from
    the training data (Ahlmann-Eltze et al. 2025, doi:10.1038/s41592-025-02772-6) use the same.

    Parameters
    ----------
    effects
        Training effects.
    genes
        Names of the genes measured.

    Returns
    -------
    Genes × at most 100 components; without columns where there are fewer than two effects.
    """
    contexts = [*zip(effects.cell_line, effects.modality, strict=True)]
    distinct = sorted(set(contexts))
    context = np.array([distinct.index(pair) for pair in contexts])
    y = effects.delta.astype(np.float32)
    if np.isnan(y).any():
        y = first_guess(y, context).astype(np.float32)
    y = y - context_means(y, context).astype(np.float32)
    targets = [t for names in effects.targets for t in names]
    row = np.repeat(np.arange(len(y)), [len(names) for names in effects.targets])
    column = genes.get_indexer(pd.Index(targets, dtype=object))
    y[row[column >= 0], column[column >= 0]] = 0
    rank = min(_COMPONENTS, len(y) - 1, y.shape[1])
    if rank < 1 or not y.any():
        return pd.DataFrame(index=genes)
    _, size, axes = randomized_svd(y, rank, random_state=0)
    loadings: FloatArray = axes.T * size
    norm = np.linalg.norm(loadings, axis=1, keepdims=True)
    scale = norm + np.median(norm)
    scaled = np.divide(loadings, scale, out=np.zeros_like(loadings), where=scale > 0)
    return pd.DataFrame(scaled, index=genes)
