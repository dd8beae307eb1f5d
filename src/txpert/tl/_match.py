"""``tl.match``: which perturbation, measured or predicted, explains an observed Δ."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import CELL_LINE, CONTROL, MODALITY, PERTURBATION
from txpert._options import check_number, check_whole
from txpert._ranking import Score, Scorer
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._tokens import canonical_label
from txpert.model import TxPertModel
from txpert.model._additive import Asked, single_targets
from txpert.model._asking import asked_of

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
    modality: str | None = None,
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
    modality
        Only effects of perturbations of this modality; also how genes are perturbed in
        predictions, by default as most training perturbations of the line are.
    min_specific
        Predictions of which the Gaussian process explains less are left out: they are all the
        common effect.

    Returns
    -------
    One row per match, the best first: ``perturbation``, ``cell_line``, ``source`` (measured or
    predicted), ``score`` and ``specific`` (NaN where measured), and ``modality`` where the data
    name any. ``attrs["missing_genes"]`` are
    genes of the profile that the reference does not have.

    Raises
    ------
    KeyError
        If the cell line or the modality is unknown.
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
    check_number("min_specific", min_specific, least=0, most=1)
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
        parts.append(_of_measured(table, scorer, columns, cell_line, modality))
    if model is not None and of != "measured":
        known = set() if of == "predicted" or not parts else set(parts[0][PERTURBATION])
        with asked_of(model, cell_line, modality) as asked:
            labels = [node for node in single_targets(model.nodes) if node not in known]
            parts.append(_of_predicted(asked, labels, scorer, columns, min_specific))
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
    table: ConditionTable,
    scorer: Scorer,
    columns: IntArray,
    cell_line: str | None,
    modality: str | None,
) -> pd.DataFrame:
    some = table
    for column, wanted in ((CELL_LINE, cell_line), (MODALITY, modality)):
        if wanted is None:
            continue
        if column not in some.obs:
            raise KeyError(f"The data name no {column}, so there is no {wanted!r}.")
        values = some.obs[column].astype(str).to_numpy()
        if wanted not in values:
            known = ", ".join(sorted(set(values)))
            raise KeyError(f"Nothing was measured in {wanted!r}, only in {known}.")
        some = some.subset(values == wanted)
    delta = np.nan_to_num(some.delta[:, columns])  # no change where it was not measured
    labels = some.obs[PERTURBATION].astype(str).map(canonical_label).to_numpy()
    return _frame(labels, some.obs, "measured", scorer, delta)


def _of_predicted(
    asked: Asked, labels: list[str], scorer: Scorer, columns: IntArray, min_specific: float
) -> pd.DataFrame:
    specific = asked.specific(labels)
    labels = [s for s, of in zip(labels, specific, strict=True) if not of < min_specific]
    specific = specific[~(specific < min_specific)]
    parts = [
        _frame(
            np.array(some),
            asked.conditions(some)[0],
            "predicted",
            scorer,
            asked.delta(some)[:, columns],
        )
        for _, some in asked.chunks(labels)
    ]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return frame.assign(specific=specific) if parts else frame


def _frame(
    labels: np.ndarray, obs: pd.DataFrame, source: str, scorer: Scorer, delta: FloatArray
) -> pd.DataFrame:
    contexts = [name for name in (CELL_LINE, MODALITY) if name in obs]
    return pd.DataFrame(
        {
            PERTURBATION: labels,
            **{name: obs[name].astype(str).to_numpy() for name in contexts},
            "source": source,
            "score": scorer.exact(delta),
            "specific": np.nan,
        }
    )
