"""Whether a prediction is specific: closer to its own perturbation than to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from txpert._options import check_seed, check_whole
from txpert._types import BoolArray, FloatArray

from ._arrays import check_paired, gene_mask, normalize, row_blocks, standardize, to_float
from ._labeled import aligned, aligned_genes

Similarity = Literal["pearson", "cosine"]
Embed = Callable[[FloatArray, BoolArray], FloatArray]
Block = tuple[FloatArray, FloatArray, FloatArray]
"""Similarity to the own perturbation and to all, and by how much two that are equal differ."""
_UNIT = float(np.finfo(np.float64).eps) / 2
"""A dot product of n terms is off by at most n times this, times the sum of their sizes."""


def retrieval(
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    *,
    reference: npt.ArrayLike | None = None,
    by: Similarity = "pearson",
    n_sampled: int | None = None,
    seed: int = 0,
    genes: npt.ArrayLike | None = None,
    reference_genes: npt.ArrayLike | None = None,
    as_published: bool = False,
) -> FloatArray:
    r"""How well a prediction singles out its own perturbation from the others.

    .. math:: R_p = \frac{1}{|Q_p|} \sum_{q \in Q_p}
              \mathbb{1}\left[ r(\hat\Delta_p, \Delta_p) \ge r(\hat\Delta_p, \Delta_q) \right],

    where :math:`Q_p` are the other perturbations of the same cell line (paper, "normalized
    retrieval"), or a sample of them ("fast retrieval"). What differs by no more than rounding is
    equal.

    Parameters
    ----------
    pred_delta, true_delta
        Predicted and observed Δ of the perturbations judged, one cell line,
        shape ``(n_conditions, n_genes)``.
    reference
        Observed Δ of further perturbations of that cell line, shape ``(n_reference, n_genes)``.
    by
        What :math:`r` is: the Pearson correlation across genes, or the cosine.
    n_sampled
        Compare with this many others, drawn without replacement; ``None`` compares with all.
        The paper's fast retrieval draws 100.
    seed
        Seeds the draw.
    genes, reference_genes
        Genes that count in each condition and each reference: a boolean mask of the shape of
        ``pred_delta`` (or ``reference``) or ``(n_genes,)``. Others take the mean of those that
        count, in predicted and observed Δ alike, so that they say nothing.
    as_published
        Count as the authors' implementation is known to: divide by the number of perturbations
        compared with the prediction's own included, so that a perfect prediction has
        :math:`(N - 1) / N`; 0 where it is undefined; with ``n_sampled`` the same sample for all.

    Returns
    -------
    Fractions in [0, 1], shape ``(n_conditions,)``; 1 is perfect, 0.5 chance; NaN where the
    prediction or the observation is constant (by cosine: zero) or has NaN, or nothing is there to
    compare with.

    Raises
    ------
    ValueError
        If shapes do not match, ``n_sampled`` is below 1 or ``by`` is something else.

    Examples
    --------
    The first prediction is most like its own perturbation, the second like the first one:

    >>> import txpert as tx
    >>> truth = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    >>> pred = [[1.0, 0.0, 0.0, 0.0], [1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 2.0, 1.0]]
    >>> tx.metrics.retrieval(pred, truth).tolist()
    [1.0, 0.5, 1.0]
    """
    blocks = _similarity_blocks(pred_delta, true_delta, reference, by, genes, reference_genes)
    n = _check_sample(n_sampled)
    return _as_published(blocks, n, seed) if as_published else _fractions(blocks, [n], seed)[0]


def retrieval_scores(
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    *,
    reference: npt.ArrayLike | None = None,
    by: Similarity = "pearson",
    n_sampled: int = 100,
    seed: int = 0,
    genes: npt.ArrayLike | None = None,
    reference_genes: npt.ArrayLike | None = None,
) -> dict[str, FloatArray]:
    """Give the retrieval among all perturbations and among a sample, from one pass.

    Takes and raises what :func:`retrieval` does.

    Returns
    -------
    ``"retrieval"``, compared with all others, and ``"retrieval_fast"``, with ``n_sampled`` of
    them: exactly the values that :func:`retrieval` gives for each.
    """
    blocks = _similarity_blocks(pred_delta, true_delta, reference, by, genes, reference_genes)
    every, sampled = _fractions(blocks, [None, _check_sample(n_sampled)], seed)
    return {"retrieval": every, "retrieval_fast": sampled}


def centroid_accuracy(
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    *,
    reference: npt.ArrayLike | None = None,
    genes: npt.ArrayLike | None = None,
    reference_genes: npt.ArrayLike | None = None,
) -> FloatArray:
    r"""Fraction of the other perturbations that the prediction is further from than from its own.

    .. math:: C_p = \frac{1}{|Q_p|} \sum_{q \in Q_p} \mathbb{1}\left[
              \lVert \hat\Delta_p - \Delta_p \rVert < \lVert \hat\Delta_p - \Delta_q \rVert
              \right]

    As :func:`retrieval`, by Euclidean distance: the size of the effect has to be right too, and
    ties are misses, up to rounding. Within one context it makes no difference whether rows are
    expression, Δ to the control or Δ to the perturbed mean.

    Parameters
    ----------
    pred_delta, true_delta, reference, genes, reference_genes
        As in :func:`retrieval`; here distances are over the genes that count in the row.

    Returns
    -------
    Fractions in [0, 1], shape ``(n_conditions,)``; 1 is perfect, 0.5 chance; NaN where a row has
    NaN or nothing is there to compare with.

    Raises
    ------
    ValueError
        If shapes do not match.

    References
    ----------
    Viñas Torné et al., Systema, Nature Biotechnology 2025, doi:10.1038/s41587-025-02777-8.

    Examples
    --------
    The second prediction has the right direction and is nearer to the first perturbation:

    >>> import txpert as tx
    >>> truth = [[1.0, 0.0], [0.0, 5.0], [-9.0, 0.0]]
    >>> pred = [[1.0, 0.5], [0.0, 0.5], [-9.0, 0.0]]
    >>> tx.metrics.centroid_accuracy(pred, truth).tolist()
    [1.0, 0.5, 1.0]
    """
    every = genes is None and reference_genes is None
    of_pred: Embed = _twice_and_one if every else _twice_and_mask
    of_true: Embed = _itself_and_length if every else _itself_and_square
    blocks = _blocks(pred_delta, true_delta, reference, of_pred, of_true, genes, reference_genes)
    return _fractions(blocks, [None], 0, strict=True)[0]


def _similarity_blocks(
    pred: npt.ArrayLike,
    true: npt.ArrayLike,
    reference: npt.ArrayLike | None,
    by: Similarity,
    genes: npt.ArrayLike | None,
    reference_genes: npt.ArrayLike | None,
) -> Iterator[Block]:
    scalings = {"pearson": standardize, "cosine": normalize}
    if by not in scalings:
        raise ValueError(f"by must be 'pearson' or 'cosine', not {by!r}.")

    embed = scalings[by]
    return _blocks(pred, true, reference, embed, embed, genes, reference_genes)


def _blocks(
    pred_delta: npt.ArrayLike,
    true_delta: npt.ArrayLike,
    reference: npt.ArrayLike | None,
    embed_pred: Embed,
    embed_true: Embed,
    genes: npt.ArrayLike | None,
    reference_genes: npt.ArrayLike | None,
) -> Iterator[Block]:
    """Compare some predictions at a time with their own perturbation and all others (own: NaN)."""
    pred, true, genes = aligned(pred_delta, true_delta, genes)
    check_paired(pred, true)
    mask = gene_mask(genes, pred.shape)
    candidates = [(true, mask)]
    if reference is not None:
        others = aligned_genes(reference, true_delta)
        if others.ndim != 2 or others.shape[1] != true.shape[1]:
            raise ValueError(
                f"reference must have {true.shape[1]} genes, not shape {others.shape}."
            )
        candidates.append((others, gene_mask(reference_genes, others.shape)))
    with np.errstate(invalid="ignore"):
        embedded = np.vstack([embed_true(to_float(v), counted) for v, counted in candidates])
        n_genes = pred.shape[1]
        length, square = _lengths(embedded[:, :n_genes]), -embedded[:, n_genes:].sum(axis=1)
        for rows in row_blocks(len(pred), max(embedded.shape)):
            embedding = embed_pred(to_float(pred[rows]), mask[rows])
            similarity = embedding @ embedded.T
            # At least the sum of the sizes of the terms: |p||q|, of distances 2|p||q| + |q|².
            size = np.multiply.outer(_lengths(embedding[:, :n_genes]), length)
            size += square
            itself = np.arange(len(similarity)), np.arange(rows.start, rows.stop)
            own = similarity[itself]
            similarity[itself] = np.nan
            size += size[itself][:, None]
            size *= _UNIT * embedded.shape[1]
            yield own, similarity, size


def _lengths(vectors: FloatArray) -> FloatArray:
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors))


def _fractions(
    blocks: Iterator[Block],
    samples: list[int | None],
    seed: int,
    *,
    strict: bool = False,
) -> list[FloatArray]:
    """Fraction of the others, for each size of sample, that are less like the prediction."""
    check_seed(seed)
    rng = np.random.default_rng(seed)
    found: list[list[FloatArray]] = [[np.empty(0)] for _ in samples]
    for own, similarity, rounding in blocks:
        allowed = np.isfinite(similarity)
        own = own[:, None]
        if strict:
            similarity += rounding
        else:
            similarity -= rounding
        hits = own > similarity if strict else own >= similarity
        for part, n in zip(found, samples, strict=True):
            compared = allowed if n is None else _sample_columns(allowed, n, rng)
            with np.errstate(invalid="ignore"):
                fraction = (hits & compared).sum(axis=1) / compared.sum(axis=1)
            part.append(np.where(np.isfinite(own[:, 0]), fraction, np.nan))
    return [np.concatenate(part) for part in found]


def _as_published(blocks: Iterator[Block], n_sampled: int | None, seed: int) -> FloatArray:
    """Fraction of the sample, the prediction's own perturbation included, less like it."""
    found, chosen = [np.empty(0)], None
    for own, similarity, rounding in blocks:
        if chosen is None:
            n = similarity.shape[1]
            chosen = np.random.default_rng(seed).permutation(n)[: n_sampled or n]
        others = similarity[:, chosen] - rounding[:, chosen]
        hits = (own[:, None] >= others) & np.isfinite(others)
        found.append(hits.sum(axis=1) / len(chosen))
    return np.concatenate(found)


def _sample_columns(allowed: BoolArray, n: int, rng: np.random.Generator) -> BoolArray:
    """Keep up to ``n`` of the allowed columns of each row."""
    keys = np.where(allowed, rng.random(allowed.shape), np.inf)
    if n >= allowed.shape[1]:
        return allowed
    return allowed & (keys <= np.partition(keys, n - 1, axis=1)[:, n - 1 : n])


def _check_sample(n: int | None) -> int | None:
    check_whole("n_sampled", n, least=1, optional=True)
    return n


def _twice_and_one(values: FloatArray, _: BoolArray) -> FloatArray:
    """With the next, a product that falls with distance: |p|² − |p − q|² = 2 p·q − |q|²."""
    return np.hstack([2 * values, np.ones((len(values), 1))])


def _itself_and_length(values: FloatArray, _: BoolArray) -> FloatArray:
    return np.hstack([values, -np.einsum("ij,ij->i", values, values)[:, None]])


def _twice_and_mask(values: FloatArray, mask: BoolArray) -> FloatArray:
    """With the next, 2 p·q − |q|² over the genes that count for p."""
    return np.hstack([np.where(mask, 2 * values, 0), mask.astype(np.float64)])


def _itself_and_square(values: FloatArray, mask: BoolArray) -> FloatArray:
    kept = np.where(mask, values, 0)
    return np.hstack([kept, -(kept**2)])
