"""Linear models of gene features."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._options import check_number, check_whole
from txpert._types import FloatArray
from txpert.data import ConditionTable
from txpert.data._tokens import parse_targets
from txpert.effects._effects import Effects
from txpert.effects._smoother import Smoother, penalties, rotated

from ._base import EffectBaseline
from ._registry import register_baseline

_N_EXPRESSION = 10
_REFERENCE = "Ahlmann-Eltze et al. (2025), doi 10.1038/s41592-025-02772-6"


@register_baseline("ridge", reference=_REFERENCE)
class RidgeBaseline(EffectBaseline):
    r"""Ridge regression of Δ on the targets' features.

    .. math:: \hat\Delta_P = \sum_{p \in P} \big( b + (x_p - \bar x)\, B \big), \qquad
              (b, B) = \arg\min \sum_Q \lVert \Delta_Q - \hat\Delta_Q \rVert^2
              + \lambda \lVert B \rVert^2,

    over the training perturbations Q, with :math:`x_p` the features of gene p and :math:`\bar x`
    their mean over the training targets. Every perturbation counts the same. A gene without
    features counts as :math:`\bar x`, so its prediction is b, about the mean effect. λ has the
    least squared error when each training perturbation is left out in turn (in closed form).

    With ``n_components`` the fit is restricted to the leading principal components P of the
    training Δ, so that :math:`\Delta \approx b + x W P^\top`.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.
    features
        Genes × features, such as :func:`txpert.graph.spectral_embedding` or any embedding of
        genes; their relative scale matters to a penalty. By default :func:`expression_features`
        of the training data.
    penalty
        λ; by default chosen as above, in :attr:`penalty_`.
    n_components
        Number of principal components of Δ; ``None`` does without.

    Attributes
    ----------
    mean_effect_, coefficients_, features_
        b, B, and :math:`x - \bar x` of every gene.

    Raises
    ------
    ValueError
        If no target has features, features are not finite or name a gene twice, or the penalty or
        the number of components is out of range.

    References
    ----------
    Ahlmann-Eltze, Huber, Anders (2025), Nature Methods, doi 10.1038/s41592-025-02772-6.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> features = tx.graph.spectral_embedding(tx.datasets.toy_graph(), 8)
    >>> baseline = RidgeBaseline(features=features).fit(adata)
    >>> baseline.predict(["GENE3", "GENE3+GENE5"], batch="batch_1").shape
    (2, 60)
    """

    def __init__(
        self,
        data: AnnData | ConditionTable | None = None,
        features: pd.DataFrame | None = None,
        *,
        penalty: float | None = None,
        n_components: int | None = None,
    ) -> None:
        check_penalty("penalty", penalty)
        check_whole("n_components", n_components, least=1, optional=True)
        if not isinstance(features, pd.DataFrame | None):
            raise TypeError(f"features is a data frame, genes × features, not {features!r}.")
        self.features, self.penalty, self.n_components = features, penalty, n_components
        super().__init__(data)

    def _learn(self, effects: Effects, table: ConditionTable) -> None:
        features = expression_features(table) if self.features is None else self.features
        targets = sorted({t for label in effects.targets for t in label})
        self.features_ = _centered(features, targets)
        design = np.stack([self._row(label) for label in effects.targets])
        order = np.array([len(label) for label in effects.targets], dtype=float)
        y = effects.delta.astype(np.float64)
        smoother = Smoother.from_features(design, np.ones(len(y)), order)
        components = self._components(y)
        scored = rotated(y) if components is None else y @ components.T
        self.penalty_ = self.penalty or least_loo_error(smoother, scored)
        alpha, self.mean_effect_ = smoother.fit(y, self.penalty_)
        self.coefficients_ = design.T @ alpha
        if components is not None:
            self.coefficients_ = self.coefficients_ @ components.T @ components

    def _further_genes(self) -> Iterable[str]:
        return self.features_.index

    def _components(self, y: FloatArray) -> FloatArray | None:
        """Return the principal components that Δ is restricted to, if it is."""
        return None if self.n_components is None else _principal(y, self.n_components)

    def _predicted(self, labels: list[str]) -> FloatArray:
        targets = [parse_targets(label) for label in labels]
        order = np.array([[len(label)] for label in targets])
        rows = np.stack([self._row(label) for label in targets])
        return (order * self.mean_effect_ + rows @ self.coefficients_).astype(np.float32)

    def _row(self, targets: tuple[str, ...]) -> FloatArray:
        """Sum the centered features of targets; those without any add nothing."""
        known = self.features_.index.get_indexer(pd.Index(targets, dtype=object))
        return self.features_.to_numpy()[known[known >= 0]].sum(axis=0)


@register_baseline("linear_pca", reference=_REFERENCE)
class LinearPCABaseline(RidgeBaseline):
    r"""Regression of principal components of training effects on gene embeddings.

    The linear model that deep ones did not beat, :math:`\Delta \approx b + x W P^\top`:
    :class:`RidgeBaseline` with P the leading 10 principal components of the training Δ, x the
    genes' embedding by the training expression (:func:`expression_features`) and a fixed penalty.

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.
    features
        Another embedding of genes.
    penalty
        Penalty of the ridge regression, 0.1 in the reference.
    n_components
        Number of principal components of Δ; fewer where there are not so many perturbations.

    References
    ----------
    Ahlmann-Eltze, Huber, Anders (2025), Nature Methods, doi 10.1038/s41592-025-02772-6.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.baselines.LinearPCABaseline().fit(adata).predict("GENE3", batch="batch_1").shape
    (1, 60)
    """

    def __init__(
        self,
        data: AnnData | ConditionTable | None = None,
        features: pd.DataFrame | None = None,
        *,
        penalty: float | None = 0.1,
        n_components: int = 10,
    ) -> None:
        super().__init__(data, features, penalty=penalty, n_components=n_components)

    def _components(self, y: FloatArray) -> FloatArray:
        return _principal(y, min(self.n_components or 1, *y.shape))


def least_loo_error(smoother: Smoother, y: FloatArray) -> float:
    """Return the penalty with the least leave-one-out error; under three rows, the largest."""
    tried = penalties(smoother.scale)
    if len(y) < 3:
        return float(tried[-1])
    return float(tried[np.argmin([smoother.loo_error(y, penalty) for penalty in tried])])


def check_penalty(name: str, value: float | None) -> None:
    """Refuse a penalty that is not a positive number."""
    check_number(name, value, above=0, optional=True)


def _centered(features: pd.DataFrame, targets: list[str]) -> pd.DataFrame:
    """Return features minus their mean over the training targets."""
    if not features.index.is_unique:
        gene = features.index[features.index.duplicated()][0]
        raise ValueError(f"The features name the gene {gene!r} more than once.")
    values = features.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"Feature {features.columns[column]!r} of gene {features.index[row]!r} is "
            f"{values[row, column]}; drop or fill in such genes first."
        )
    held = features.index.isin(targets)
    if not held.any():
        raise ValueError(
            f"None of the {len(targets)} training targets has features: their genes are like "
            f"{', '.join(map(str, features.index[:3]))}, the targets like "
            f"{', '.join(targets[:3])}. Both must use the same gene symbols."
        )
    return pd.DataFrame(values - values[held].mean(axis=0), index=features.index)


def expression_features(table: ConditionTable, number: int = _N_EXPRESSION) -> pd.DataFrame:
    """Embed the measured genes by how their expression varies over training conditions.

    Parameters
    ----------
    table
        Its controls and training perturbations are looked at. A gene counts as average where it
        was not measured.
    number
        Dimensionality; less where there are not so many conditions or genes.

    Returns
    -------
    Genes × principal components, scaled to a mean squared length of 1.
    """
    profiles = np.vstack([table.controls.mean, table.training().mean]).astype(np.float64)
    known = np.isfinite(profiles)
    mean = np.where(known, profiles, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centered = np.where(known, profiles - mean, 0)
    _, singular, right = np.linalg.svd(centered, full_matrices=False)
    scores = right[:number].T * singular[:number]
    length = np.sqrt((scores**2).sum(axis=1).mean()) or 1.0
    return pd.DataFrame(scores / length, index=table.genes)


def _principal(y: FloatArray, number: int) -> FloatArray:
    """Return the leading principal components of the rows, shape ``(number, n_genes)``."""
    if not 1 <= number <= min(y.shape):
        raise ValueError(
            f"n_components must lie between 1 and {min(y.shape)} with {y.shape[0]} training "
            f"perturbations and {y.shape[1]} genes, not be {number}."
        )
    return np.linalg.svd(y - y.mean(axis=0), full_matrices=False)[2][:number]
