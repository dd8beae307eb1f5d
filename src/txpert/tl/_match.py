"""``tl.match``: which perturbation, measured or predicted, explains an observed Δ."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import CELL_LINE, CONTROL, PERTURBATION
from txpert._ranking import Score, Scorer
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._tokens import canonical_label
from txpert.model import TxPertModel
from txpert.model._additive import Asked, single_targets
from txpert.model._explanation import one_context
from txpert.model._fit import check_whole

from ._signature import Signature, read_signature

Sources = Literal["both", "measured", "predicted"]


def match(
    profile: Signature,
    reference: TxPertModel | AnnData,
    *,
    of: Sources = "both",
    top: int = 20,
    score: Score = "pearson",
    cell_line: str | None = None,
    min_specific: float = 0.01,
) -> pd.DataFrame:
    """Find the perturbations that explain an observed Δ.

    Parameters
    ----------
    profile
        The observed Δ: gene → change, or two groups of cells ``(start, goal)``.
    reference
        A screen (cells or pseudobulk with the usual obs columns), or a trained model, whose data
        are the screen and which predicts what they have not measured.
    of
        Compare with ``"measured"`` effects, with ``"predicted"`` ones, or ``"both"``: predictions
        then only of what was not measured.
    top
        Number of matches to return.
    score
        ``"pearson"``, ``"cosine"`` or ``"dot"``.
    cell_line
        Only effects measured in this line; also where effects are predicted, by default the line
        of the model, if there is one only.
    min_specific
        Predictions of which the Gaussian process explains less are left out: they are all the
        mean effect.

    Returns
    -------
    One row per match, the best first: ``perturbation``, ``cell_line``, ``source`` (measured or
    predicted), ``score`` and ``specific`` (NaN where measured). ``attrs["missing_genes"]`` are
    genes of the profile that the reference does not have.

    Raises
    ------
    KeyError
        If the cell line is unknown.
    ValueError
        If less than half of the profile's genes are known, a value is NaN, predictions are asked
        of a screen, or there is nothing to compare with.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> cells = adata.obs["perturbation"].astype(str).to_numpy()
    >>> pair = adata[cells == "control"], adata[cells == "GENE33"]
    >>> tx.tl.match(pair, adata, top=3)["perturbation"][0]
    'GENE33'
    """
    if of not in get_args(Sources):
        raise ValueError(f"of must be one of {', '.join(get_args(Sources))}, not {of!r}.")
    check_whole("top", top, least=1)
    model = reference if isinstance(reference, TxPertModel) else None
    if model is None and of == "predicted":
        raise ValueError("A screen predicts nothing; give a trained model as the reference.")
    table = _measured(reference)
    if table is None and of == "measured":
        raise ValueError("The model was loaded without data: it has no measured effects.")
    genes = model.genes if model is not None else table.genes if table is not None else None
    assert genes is not None
    weights, columns, missing = read_signature(profile, genes)
    scorer = Scorer.of(score, weights)
    parts = []
    if table is not None and of != "predicted":
        parts.append(_of_measured(table, scorer, columns, cell_line))
    if model is not None and of != "measured":
        known = set() if of == "predicted" or not parts else set(parts[0][PERTURBATION])
        parts.append(_of_predicted(model, scorer, columns, cell_line, known, min_specific))
    found = pd.concat(parts, ignore_index=True)
    if found.empty:
        raise ValueError("There is no effect to compare the profile with.")
    found = found.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    found = found.head(top)
    found.attrs = {"missing_genes": missing}
    return found


def _measured(reference: TxPertModel | AnnData) -> ConditionTable | None:
    """Return the perturbed conditions of a reference, batches pooled; ``None`` if it has none."""
    if isinstance(reference, TxPertModel):
        if reference.adata is None:
            return None
        table = reference.conditions
    else:
        table = ConditionTable.of(reference)
    table = table.over_batches()
    return table.subset(~table.obs[CONTROL].to_numpy(dtype=bool))


def _of_measured(
    table: ConditionTable, scorer: Scorer, columns: IntArray, cell_line: str | None
) -> pd.DataFrame:
    lines = table.obs[CELL_LINE].astype(str).to_numpy()
    if cell_line is not None and cell_line not in lines:
        raise KeyError(
            f"Nothing was measured in {cell_line!r}, only in {', '.join(sorted(set(lines)))}."
        )
    some = table.subset(lines == cell_line) if cell_line is not None else table
    delta = np.nan_to_num(some.delta[:, columns])  # no change where it was not measured
    labels = some.obs[PERTURBATION].astype(str).map(canonical_label).to_numpy()
    return _frame(labels, some.obs[CELL_LINE].astype(str).to_numpy(), "measured", scorer, delta)


def _of_predicted(
    model: TxPertModel,
    scorer: Scorer,
    columns: IntArray,
    cell_line: str | None,
    known: set[str],
    min_specific: float,
) -> pd.DataFrame:
    model._check_if_trained(warn=True)
    profiles = model.control_profiles.pooled(model.matching)
    context = one_context(profiles, str(model.nodes[0]), cell_line)
    asked = Asked(model._ensemble(), profiles, context)
    labels = [node for node in single_targets(model.nodes) if node not in known]
    with model._lock:
        specific = asked.specific(labels)
        labels = [s for s, of in zip(labels, specific, strict=True) if not of < min_specific]
        specific = specific[~(specific < min_specific)]
        parts = [
            _frame(np.array(some), line, "predicted", scorer, asked.delta(some)[:, columns])
            for line in [str(context[CELL_LINE].iloc[0])]
            for _, some in asked.chunks(labels)
        ]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return frame.assign(specific=specific) if parts else frame


def _frame(
    labels: np.ndarray, lines: np.ndarray | str, source: str, scorer: Scorer, delta: FloatArray
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            PERTURBATION: labels,
            CELL_LINE: lines,
            "source": source,
            "score": scorer.exact(delta),
            "specific": np.nan,
        }
    )
