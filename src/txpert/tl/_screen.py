"""``tl.screen``: all single perturbations or pairs, ranked against a signature."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from txpert._constants import COMBINATION, PERTURBATION
from txpert._ranking import Score, Scorer, top_pairs, top_singles
from txpert._types import FloatArray, IntArray
from txpert.data._tokens import encode_targets, parse_targets
from txpert.model import TxPertModel
from txpert.model._additive import Asked, single_targets
from txpert.model._component import COMPOSED, NEW
from txpert.model._explanation import one_context
from txpert.model._fit import check_whole

from ._signature import Signature, read_signature

_SHORTLIST = 10
"""Where pairs are not additive, so many times more than asked for are predicted by themselves."""


def screen(
    model: TxPertModel,
    signature: Signature,
    *,
    order: int = 1,
    top: int = 1_000,
    score: Score = "cosine",
    reverse: bool = False,
    cell_line: str | None = None,
    genes: Sequence[str] | None = None,
    exclude: Iterable[str] = (),
    min_specific: float = 0.01,
    progress: bool = True,
) -> pd.DataFrame:
    """Rank all single perturbations or all pairs by how well predicted Δ matches a signature.

    Where the model is additive (mean effect, Gaussian process, and the network with low-rank
    decoding and summed embeddings), all pairs are ranked exactly, without predicting each:
    200 million pairs of 20,000 genes take about a minute. Whether it is, is tested on random
    pairs; if not, sums are ranked first and ten times ``top`` of them then by their own
    predictions. Pairs that were measured are predicted by themselves.

    Parameters
    ----------
    model
        A trained model.
    signature
        What is looked for: gene → weight, such as an observed Δ; or two groups of cells
        ``(start, goal)``, log-normalized, whose difference is taken.
    order
        1 for single perturbations, 2 for pairs.
    top
        Number of perturbations to return.
    score
        ``"dot"`` rewards large effects, too; ``"cosine"`` and ``"pearson"`` do not.
    reverse
        Rank first what goes against the signature.
    cell_line
        Where effects are predicted; by default the line of the model, if there is one only.
    genes
        Targets to choose from; by default all nodes of the model.
    exclude
        Targets that are left out, such as essential genes.
    min_specific
        A target is left out where the Gaussian process explains less than this fraction of the
        variance of what is specific to it: of such a target nothing but the mean effect is known.
        0 keeps all.
    progress
        Whether to show a progress bar.

    Returns
    -------
    One row per perturbation, the best first: ``perturbation``, ``score`` (of the reversed
    signature if ``reverse``) and ``specific``, the least of its targets. ``attrs`` has
    ``missing_genes`` of the signature, ``n_ranked``, the targets ``not_specific`` that were left
    out, and whether the model is ``additive``.

    Raises
    ------
    KeyError
        If a gene is no node of the model, or the cell line has no controls.
    ValueError
        If less than half of the signature's genes are predicted, a weight is NaN, there are too
        few targets for the order, or an option makes no sense.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> parts = ("mean", "gaussian_process")
    >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=parts)
    >>> model.train()
    >>> wanted = {"GENE3": 1.0, "GENE8": -1.0, "GENE9": 0.5}
    >>> found = tx.tl.screen(model, wanted, order=2, top=3, progress=False)
    >>> found.shape
    (3, 3)
    """
    check_whole("top", top, least=1)
    if order not in (1, 2):
        raise ValueError(f"order must be 1 (single perturbations) or 2 (pairs), not {order!r}.")
    model._check_if_trained(warn=True)
    weights, columns, missing = read_signature(signature, model.genes)
    scorer = Scorer.of(score, -weights if reverse else weights)
    asked = _asked(model, cell_line)
    with model._lock:
        chosen = _candidates(model, genes, exclude)
        specific = asked.specific(chosen)
        known = ~(specific < min_specific)
        left_out = [gene for gene, keep in zip(chosen, known, strict=True) if not keep]
        chosen = [gene for gene, keep in zip(chosen, known, strict=True) if keep]
        _refuse_few(chosen, order, len(left_out), min_specific)
        additive = order == 1 or asked.is_additive(chosen)
        ranking = _Ranking(asked, chosen, scorer, columns, progress)
        labels, scores = ranking.singles(top) if order == 1 else ranking.pairs(top, additive)
    _warn_of(left_out, min_specific)
    of_gene = pd.Series(specific[known], index=chosen)
    least = [of_gene[label.split(COMBINATION)].min() for label in labels]
    found = pd.DataFrame({PERTURBATION: labels, "score": scores, "specific": least})
    found.attrs = {
        "missing_genes": missing,
        "n_ranked": len(chosen) if order == 1 else len(chosen) * (len(chosen) - 1) // 2,
        "not_specific": left_out,
        "additive": additive,
    }
    return found


class _Ranking:
    """Predictions of candidates, scored."""

    def __init__(
        self,
        asked: Asked,
        genes: list[str],
        scorer: Scorer,
        columns: IntArray,
        progress: bool,
    ) -> None:
        self.asked, self.genes, self.scorer = asked, genes, scorer
        self.columns, self.progress = columns, progress

    def scores(self, labels: Sequence[str]) -> FloatArray:
        """Return the scores of perturbations, predicted some at a time."""
        parts: list[FloatArray] = [np.zeros(0)]
        whole = np.array_equal(self.columns, np.arange(len(self.asked.profiles.genes)))
        for _, some in self._chunks(labels):
            delta = self.asked.delta(some)
            parts.append(self.scorer.quick(delta if whole else delta[:, self.columns]))
        return np.concatenate(parts)

    def singles(self, top: int) -> tuple[list[str], FloatArray]:
        """Return the best single perturbations and their scores."""
        scores = self.scores(self.genes)
        best = top_singles(scores, top)
        return [self.genes[i] for i in best], scores[best]

    def pairs(self, top: int, additive: bool) -> tuple[list[str], FloatArray]:
        """Return the best pairs and their scores."""
        measured = self.asked.measured_pairs(self.genes)
        wanted = (top if additive else _SHORTLIST * top) + len(measured)
        composed = self.asked.composed(self.genes)
        inside = [gene for gene, is_in in zip(self.genes, composed, strict=True) if is_in]
        names: list[str] = []
        scores: list[float] = []
        skip = set(measured)
        for kind, genes, left_out in ((NEW, self.genes, composed), (COMPOSED, inside, None)):
            if len(genes) < 2 or (left_out is not None and left_out.all()):
                continue
            found = top_pairs(
                self._prepared(genes, kind),
                self.scorer,
                wanted,
                left_out=left_out,
                progress=self.progress,
            )
            for i, j, value in zip(*found, strict=True):
                label = COMBINATION.join(sorted((genes[i], genes[j])))
                if label not in skip and np.isfinite(value):
                    names.append(label)
                    scores.append(float(value))
        if not additive:
            kept = top_singles(np.array(scores), _SHORTLIST * top)
            names = [names[i] for i in kept]
            scores = self.scores(names).tolist()
        names += measured
        values = np.array([*scores, *self.scores(measured)])
        best = np.lexsort((np.array(names, dtype=str), -values))[:top]
        return [names[i] for i in best], values[best]

    def _prepared(self, genes: list[str], kind: str) -> FloatArray:
        """Return what each gene adds to a pair, as the score sees it."""
        prepared = np.empty((len(genes), len(self.columns)), dtype=np.float32)
        for rows, some in self._chunks(genes):
            delta = self.asked.within_pairs(some, kind)[:, self.columns]
            prepared[rows] = self.scorer.prepare(delta)
        return prepared

    def _chunks(self, labels: Sequence[str]) -> Iterable[tuple[slice, list[str]]]:
        chunks = list(self.asked.chunks(labels))
        quiet = not self.progress or len(chunks) < 2
        return tqdm(chunks, desc="predictions", disable=quiet, leave=False)


def _asked(model: TxPertModel, cell_line: str | None) -> Asked:
    profiles = model.control_profiles.pooled(model.matching)
    context = one_context(profiles, str(model.nodes[0]), cell_line)
    return Asked(model._ensemble(), profiles, context)


def _candidates(
    model: TxPertModel, genes: Sequence[str] | None, exclude: Iterable[str]
) -> list[str]:
    """Return the distinct targets to choose from, in order."""
    given = single_targets(model.nodes) if genes is None else list(genes)
    barred = {exclude} if isinstance(exclude, str) else set(exclude)
    chosen = list(dict.fromkeys(str(gene) for gene in given if gene not in barred))
    others = [gene for gene in chosen if parse_targets(gene) != (gene,)]
    if others:
        raise ValueError(
            f"genes takes single targets, not {others[0]!r}; pairs are order=2, and a name that "
            "reads as a control is none."
        )
    encode_targets(chosen, model.nodes)
    return chosen


def _refuse_few(genes: list[str], order: int, n_left_out: int, least: float) -> None:
    if len(genes) >= order:
        return
    why = ""
    if n_left_out:
        why = f", since nothing specific is known of {n_left_out} (min_specific={least:g})"
    raise ValueError(f"There are {len(genes)} targets to rank, too few for order={order}{why}.")


def _warn_of(left_out: list[str], least: float) -> None:
    if left_out:
        warnings.warn(
            f"{len(left_out)} targets are not ranked: nothing specific is known of them, such as "
            f"{left_out[0]} (min_specific={least:g}). They are in attrs['not_specific'].",
            UserWarning,
            stacklevel=3,
        )
