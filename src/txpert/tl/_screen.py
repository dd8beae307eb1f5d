"""``tl.screen``: all single perturbations or pairs, ranked against a signature."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from txpert._constants import COMBINATION, PERTURBATION
from txpert._files import sha256_of
from txpert._options import check_names, check_number, check_path, check_whole
from txpert._ranking import Kept, Score, Scorer
from txpert._types import FloatArray
from txpert.data._tokens import encode_targets, parse_targets
from txpert.model import TxPertModel
from txpert.model._additive import Asked, single_targets
from txpert.model._asking import asked_of

from ._screen_ranking import Ranking
from ._signature import Signature, read_signature


def screen(
    model: TxPertModel,
    signature: Signature,
    *,
    order: int = 1,
    top: int = 1_000,
    score: Score = "cosine",
    reverse: bool = False,
    cell_line: str | None = None,
    modality: str | None = None,
    genes: Sequence[str] | None = None,
    exclude: Iterable[str] = (),
    min_specific: float = 0.01,
    file: str | Path | None = None,
    enable_progress_bar: bool = True,
) -> pd.DataFrame:
    """Rank all single perturbations or all pairs by how well predicted Δ matches a signature.

    Where the model is additive (mean effect, Gaussian process, and the network with low-rank
    decoding and summed embeddings), all pairs are ranked exactly, without predicting each:
    200 million pairs of 20,000 genes took 11 s by dot product, 34 s by cosine
    (``benchmarks/decisions.py``). Whether it is, is tested on random pairs; if not, sums are
    ranked first and ten times ``top`` of them then by their own predictions, and it is bounded
    what this misses. Pairs that were measured are predicted by themselves.

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
    modality
        How genes are perturbed; by default as most training perturbations of the line are.
    genes
        Targets to choose from; by default all nodes of the model.
    exclude
        Targets that are left out, such as essential genes.
    min_specific
        A target is left out where the Gaussian process explains less than this fraction of the
        variance of what is specific to it: of such a target only the common effect is known. 0
        keeps all.
    file
        Where blocks of pairs that are finished are kept, for ``order=2``. If the call is
        interrupted, the same call goes on from there, with the same result. The file is replaced
        whole, and stays in the end.
    enable_progress_bar
        Whether to show a progress bar.

    Returns
    -------
    One row per perturbation, the best first: ``perturbation``, ``score`` (of the reversed
    signature if ``reverse``) and ``specific``, the least of its targets. ``attrs`` has
    ``missing_genes`` of the signature, ``n_ranked``, the targets ``not_specific`` that were left
    out, and whether the model is ``additive``. If it is not, ``margin`` is by how much a pair that
    is not on the shortlist would have to score above the sum of its parts to be returned, and
    ``missed_at_most`` the upper 95% confidence limit of the fraction of pairs that do, of 1,024
    random ones.

    Raises
    ------
    KeyError
        If a gene is no node of the model, the cell line has no controls, or the modality is not
        in training.
    ValueError
        If less than half of the signature's genes are predicted, a weight is NaN, there are too
        few targets for the order, an option makes no sense, or ``file`` holds another ranking.
    OSError
        If ``file`` cannot be written.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> parts = ("mean", "gaussian_process")
    >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=parts)
    >>> model.train()
    >>> wanted = {"GENE3": 1.0, "GENE8": -1.0, "GENE9": 0.5}
    >>> found = tx.tl.screen(model, wanted, order=2, top=3, enable_progress_bar=False)
    >>> found.shape
    (3, 3)
    """
    check_whole("top", top, least=1)
    if order not in (1, 2):
        raise ValueError(f"order must be 1 (single perturbations) or 2 (pairs), not {order!r}.")
    if file is not None:
        check_path("file", file)
        if order == 1:
            raise ValueError("file keeps blocks of pairs: leave it out, or set order=2.")
    check_number("min_specific", min_specific, least=0, most=1)
    weights, columns, missing = read_signature(signature, model.genes)
    scorer = Scorer.of(score, -weights if reverse else weights)
    with asked_of(model, cell_line, modality) as asked:
        chosen = _candidates(model, genes, exclude)
        left_out: list[str] = []
        if min_specific > 0:
            specific = asked.specific(chosen)
            known = ~(specific < min_specific)
            left_out = [gene for gene, keep in zip(chosen, known, strict=True) if not keep]
            chosen = [gene for gene, keep in zip(chosen, known, strict=True) if keep]
        _refuse_few(chosen, order, len(left_out), min_specific)
        task = _task(chosen, scorer, top, asked)
        kept = Kept(file, task)
        ranking = Ranking(asked, chosen, scorer, columns, kept=kept, progress=enable_progress_bar)
        additive = order == 1 or asked.is_additive(chosen)
        bound = None
        if order == 1:
            labels, scores = ranking.singles(top)
        else:
            labels, scores, bound = ranking.pairs(top, additive)
        least = _least_specific(asked, labels)
    _warn_of(left_out, min_specific)
    found = pd.DataFrame({PERTURBATION: labels, "score": scores, "specific": least})
    found.attrs = {
        "missing_genes": missing,
        "n_ranked": len(chosen) if order == 1 else len(chosen) * (len(chosen) - 1) // 2,
        "not_specific": left_out,
        "additive": additive,
    }
    if bound is not None and not additive:
        found.attrs.update(bound._asdict())
    return found


def _candidates(
    model: TxPertModel, genes: Sequence[str] | None, exclude: Iterable[str]
) -> list[str]:
    """Return the distinct targets to choose from, in order."""
    given = single_targets(model.nodes) if genes is None else check_names("genes", genes)
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


def _task(genes: list[str], scorer: Scorer, top: int, asked: Asked) -> str:
    """Return a hash of what is ranked; the predictions themselves are compared later."""
    where = asked.context.astype(str).to_numpy().tolist()
    options = json.dumps([genes, scorer.name, top, where]).encode()
    return sha256_of(options + scorer.signature.tobytes())


def _least_specific(asked: Asked, labels: list[str]) -> FloatArray:
    """Return how much is known of the target of each perturbation of which least is."""
    parts = [label.split(COMBINATION) for label in labels]
    targets = sorted({target for of in parts for target in of})
    place = {target: i for i, target in enumerate(targets)}
    specific = asked.specific(targets)
    ends = np.array([(place[of[0]], place[of[-1]]) for of in parts]).reshape(-1, 2)
    return np.asarray(specific[ends].min(axis=1))


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
