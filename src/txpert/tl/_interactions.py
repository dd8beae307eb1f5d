"""``tl.interactions``: additive, predicted and observed effects of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._analysis._interactions import interaction_scores, precision_table
from txpert._constants import ALL, BATCH, CELL_LINE, CONTROL, MODALITY, N_CELLS, PERTURBATION
from txpert._options import check_name, check_whole
from txpert._types import FloatArray
from txpert.baselines import StoredPrediction
from txpert.data import ConditionTable
from txpert.data._batches import OverBatches, average_over_batches
from txpert.data._tokens import canonical_label, join_targets, parse_targets
from txpert.evaluation._scoring import SupportsPredict, predicted_delta

INTERACTIONS_KEY = "txpert_interactions"
Condition = tuple[str, ...]
"""Perturbation, cell line and, where the data have modalities, modality."""
Effects = dict[Condition, FloatArray]


def interactions(
    adata: AnnData,
    model: SupportsPredict | AnnData | None = None,
    *,
    pairs: Sequence[str] | Literal["measured", "all"] = "measured",
    cell_line: str | None = None,
    n_genes: int = 1_000,
    k: int = 10,
    key_added: str = INTERACTIONS_KEY,
) -> pd.DataFrame:
    r"""Score how the effects of pairs differ from what their parts add up to.

    With :math:`\delta_a`, :math:`\delta_b`, :math:`\delta_{ab}` the Δ of parts and pair over
    genes, without the two targets, least squares fit
    :math:`\delta_{ab} \approx c_1 \delta_a + c_2 \delta_b`, and dCor is the distance correlation:

    ===============  ===================================================================
    ``magnitude``    :math:`(c_1^2 + c_2^2)^{1/2}`; :math:`\sqrt 2` if effects add up
    ``fit``          dCor of :math:`c_1 \delta_a + c_2 \delta_b` and :math:`\delta_{ab}`
    ``similarity``   dCor of :math:`(\delta_a, \delta_b)` and :math:`\delta_{ab}`
    ``equality``     the lesser of dCor(:math:`\delta_a, \delta_{ab}`) and
                     dCor(:math:`\delta_b, \delta_{ab}`) over the greater
    ``synergy``      :math:`s - 1` of the least-squares fit :math:`\delta_{ab} \approx
                     s\,(\delta_a + \delta_b)`; ``suppression`` is its negative
    ``neomorphism``  1 − fit: what no sum of the parts explains
    ``redundancy``   dCor of :math:`\delta_a` and :math:`\delta_b`
    ``epistasis``    1 − equality: one part masks the other
    ``deviation``    root mean square of :math:`\delta_{ab} - \delta_a - \delta_b`
    ===============  ===================================================================

    The quantities are those of Norman et al. and of GEARS, with two differences: they fit
    robustly, and they take the magnitude for synergy and suppression. It grows without bound
    where the parts are similar, as :math:`c_1` and :math:`c_2` are not determined then; :math:`s`
    is.

    Parameters
    ----------
    adata
        Cells, log-normalized with the usual obs columns, or a pseudobulk of them.
        ``uns[key_added]`` is written: ``scores``, ``precision`` and ``params``.
    model
        Predicts the pairs, and parts that were not measured; an AnnData is taken for its
        prediction (``layers["delta"]``). Without one only what was observed is scored.
    pairs
        Pairs to score: those ``"measured"``, ``"all"`` of the single genes measured, or labels.
    cell_line
        Only this cell line.
    n_genes
        Genes that count for a pair, those that change most.
    k
        Number of pairs called strongest in ``precision``.
    key_added
        Key in ``uns``.

    Returns
    -------
    One row per pair, cell line, modality (where the data have any; parts are of the pair's) and
    ``source``, ``"observed"`` or ``"predicted"``: the quantities above, ``additive_r``, the
    Pearson correlation of the pair with the sum of its parts, and ``observed_r``, that of the
    predicted with the observed pair. ``uns[key_added]["precision"]`` has for each score the
    fraction of the ``k`` pairs of highest predicted score that are among the ``k`` of highest
    observed score, and what chance gives.

    Raises
    ------
    KeyError
        If there is no such cell line.
    ValueError
        If no pair can be scored, or a number is not positive.

    References
    ----------
    Norman et al., Science 2019, doi:10.1126/science.aax4438. Roohani, Huang and Leskovec (GEARS),
    Nature Biotechnology 2023, doi:10.1038/s41587-023-01905-6.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.simulate(6, 40, 20, n_doubles=3, graph=tx.datasets.toy_graph())
    >>> tx.pp.normalize(adata)
    >>> table = tx.tl.interactions(adata, tx.baselines.GeneralBaseline().fit(adata))
    >>> table["source"].value_counts().to_dict()
    {'observed': 3, 'predicted': 3}
    """
    check_name("key_added", key_added)
    check_whole("k", k, least=1)
    check_whole("n_genes", n_genes, least=1)
    table = ConditionTable.of(adata)
    perturbed = table.subset(~table.obs[CONTROL].to_numpy(dtype=bool))
    delta, obs = average_over_batches(perturbed.delta, perturbed.obs)
    names = [name for name in (PERTURBATION, CELL_LINE, MODALITY) if name in obs]
    observed = dict(zip(_conditions(obs, names), delta, strict=True))
    lines = list(dict.fromkeys(obs[CELL_LINE].astype(str)))
    if cell_line is not None:
        if cell_line not in lines:
            raise KeyError(f"There is no cell line {cell_line!r}; there are {', '.join(lines)}.")
        lines = [cell_line]
    asked = _pairs({key: effect for key, effect in observed.items() if key[1] in lines}, pairs)
    predictor = StoredPrediction(model) if isinstance(model, AnnData) else model
    predicted: Effects = {}
    if predictor is not None and asked:
        predicted = _predict(predictor, asked, names, observed, table)
    rows = []
    for pair in asked:
        for source, effects in (("observed", observed), ("predicted", predicted)):
            row = _row(pair, effects, observed, predicted, table.genes, n_genes)
            if row is not None:
                rows.append({**dict(zip(names, pair, strict=True)), "source": source, **row})
    if not rows:
        raise ValueError(
            "No pair can be scored: it takes the effects of a pair such as 'A+B' and of both its "
            "parts 'A' and 'B', measured or predicted by a model."
        )
    scores = pd.DataFrame(rows)
    adata.uns[key_added] = {
        "scores": scores,
        "precision": precision_table(scores, k),
        "params": {"n_genes": n_genes, "k": k},
    }
    return scores


def _conditions(obs: pd.DataFrame, names: list[str]) -> list[Condition]:
    return list(obs[names].astype(str).itertuples(index=False, name=None))


def _pairs(
    observed: Effects, pairs: Sequence[str] | Literal["measured", "all"]
) -> list[Condition]:
    """Return the pairs asked for in each context of what was observed."""
    contexts = dict.fromkeys(key[1:] for key in observed)
    if not isinstance(pairs, str):
        labels = list(dict.fromkeys(canonical_label(label) for label in pairs))
        wrong = [label for label in labels if len(parse_targets(label)) != 2]
        if wrong:
            raise ValueError(f"pairs has {wrong[0]!r}, which is no pair such as 'A+B'.")
        return [(label, *context) for context in contexts for label in labels]
    if pairs == "measured":
        return [key for key in observed if len(parse_targets(key[0])) == 2]
    if pairs != "all":
        raise ValueError(f"pairs is 'measured', 'all' or a list of labels, not {pairs!r}.")
    asked = []
    for context in contexts:
        here = [key[0] for key in observed if key[1:] == context]
        genes = sorted(label for label in here if len(parse_targets(label)) == 1)
        asked += [(join_targets(pair), *context) for pair in combinations(genes, 2)]
    return asked


def _predict(
    predictor: SupportsPredict,
    asked: list[Condition],
    names: list[str],
    observed: Effects,
    table: ConditionTable,
) -> Effects:
    """Predict the pairs, and their parts where these were not measured, over each context."""
    wanted = dict.fromkeys(asked)
    for label, *context in asked:
        for part in parse_targets(label):
            if (part, *context) not in observed:
                wanted[part, *context] = None
    frame = pd.DataFrame(list(wanted), columns=names)
    frame[BATCH], frame[N_CELLS] = ALL, 1
    delta = predicted_delta(predictor, frame, table.controls.over_batches())
    return dict(zip(_conditions(OverBatches.of(frame).obs, names), delta, strict=True))


def _row(
    pair: Condition,
    effects: Effects,
    observed: Effects,
    predicted: Effects,
    genes: pd.Index,
    n_genes: int,
) -> dict[str, float] | None:
    """Score a pair by one source; ``None`` where an effect is not known."""
    label, *context = pair
    targets = parse_targets(label)
    keys = [(target, *context) for target in targets]
    parts = [observed.get(key, predicted.get(key)) for key in keys]
    effect = effects.get(pair)
    if effect is None or parts[0] is None or parts[1] is None:
        return None
    others = ~genes.isin(targets)
    first, second, both = parts[0][others], parts[1][others], effect[others]
    scores = interaction_scores(first, second, both, n_genes=n_genes)
    truth = observed.get(pair)
    scores["additive_r"] = _correlation(first + second, both)
    scores["observed_r"] = np.nan if truth is None else _correlation(truth[others], both)
    return scores


def _correlation(a: FloatArray, b: FloatArray) -> float:
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known].astype(float), b[known].astype(float)
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return np.nan
    return float(np.corrcoef(a, b)[0, 1])
