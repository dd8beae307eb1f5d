"""``tl.propose``: which perturbations to measure next."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from txpert._constants import PERTURBATION
from txpert._options import check_names, check_seed, check_whole
from txpert._types import FloatArray
from txpert.data._tokens import canonical_label, encode_targets, parse_targets
from txpert.effects._design import STRATEGIES, Design, Strategy
from txpert.effects._line_effects import contexts_of
from txpert.model import TxPertModel
from txpert.model._additive import Asked, single_targets
from txpert.model._asking import asked_of, kernels_among
from txpert.model._component import GAUSSIAN_PROCESS, MEASURED, not_fitted

_MOST = 4_000
"""Candidates at a time: their covariances take 8 × 128 MB."""


def propose(
    model: TxPertModel,
    candidates: Sequence[str] | None = None,
    n: int = 10,
    *,
    strategy: Strategy = "variance",
    cost: Mapping[str, float] | pd.Series | None = None,
    cell_line: str | None = None,
    modality: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Propose the perturbations to measure next.

    Parameters
    ----------
    model
        A trained model with the Gaussian process.
    candidates
        Labels to choose from; by default all nodes of the model that have not been measured.
    n
        Number of perturbations to propose.
    strategy
        ``"variance"`` chooses one after the other what lowers the posterior variance of the
        effects of all candidates most (A-optimal design), ``"d_optimal"`` what raises the log
        determinant of the precision most, ``"diverse"`` what is least similar to anything measured
        or chosen, ``"random"`` is the control.
    cost
        Cost of candidates by label, 1 for others; gain per cost is maximized. ``"random"`` does
        not look at it.
    cell_line
        Where they would be measured; by default the line of the model, if there is one only.
    modality
        How; by default as most training perturbations of the line are.
    seed
        Of the random choice.

    Returns
    -------
    One row per proposal, the first first: ``perturbation``, ``gain``, the fraction of the
    posterior variance of all candidates that its measurement removes after those before it,
    ``variance_left``, and ``cost``. ``attrs["unsupported"]`` lists candidates of which a target
    has no edge or feature, ``attrs["measured"]`` those already measured there; neither is
    proposed.

    Raises
    ------
    KeyError
        If a target is no node of the model, or the cell line has no controls.
    ValueError
        If there are no candidates, more than 4,000 or fewer than ``n``, a cost is not positive,
        ``cost`` is of none of the candidates, or the model has no Gaussian process.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> parts = ("mean", "gaussian_process")
    >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=parts)
    >>> model.train()
    >>> tx.tl.propose(model, n=3)["gain"].is_monotonic_decreasing
    True
    """
    check_whole("n", n, least=1)
    check_seed(seed)
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, not {strategy!r}.")
    if GAUSSIAN_PROCESS not in model.components:
        raise ValueError("Proposals need a model with the component 'gaussian_process'.")
    with asked_of(model, cell_line, modality) as asked:
        process = asked.ensemble.process
        if process is None:
            raise not_fitted(model.components)
        labels, measured = _labels(model, asked, candidates)
        targets = [parse_targets(label) for label in labels]
        genes = pd.Index(sorted({t for names in targets for t in names}), dtype=object)
        known = dict(zip(genes, process.kernels.knows(genes), strict=True))
        supported = np.array([all(known[t] for t in names) for names in targets])
        unsupported = [label for label, is_so in zip(labels, supported, strict=True) if not is_so]
        _warn_of_unsupported(unsupported, len(labels))
        if supported.sum() < n:
            raise ValueError(f"n={n}, but there are {supported.sum()} candidates to choose from.")
        prices = _prices(labels, measured, cost)
        both = pd.Index(sorted({*process.process.rows.targets, *genes}), dtype=object)
        context = contexts_of(asked.conditions(labels[:1])[0])[0]
        design = Design.of(process.process, kernels_among(model, both), targets, context)
    choice = design.choose(n, strategy, prices, supported, seed)
    found = pd.DataFrame(
        {
            PERTURBATION: [labels[i] for i in choice.chosen],
            "gain": choice.gain,
            "variance_left": 1 - np.cumsum(choice.gain),
            "cost": prices[choice.chosen],
        }
    )
    found.attrs = {"unsupported": unsupported, "measured": measured}
    return found


def _warn_of_unsupported(unsupported: list[str], number: int) -> None:
    if unsupported:
        warnings.warn(
            f"{len(unsupported)} of {number} candidates have a target without edge or "
            f"feature, such as {unsupported[0]}, and are not proposed: measuring them says "
            "nothing about others. They are in attrs['unsupported'].",
            UserWarning,
            stacklevel=3,
        )


def _labels(
    model: TxPertModel, asked: Asked, candidates: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """Return the candidates to choose from, and those that were measured in this context."""
    given = single_targets(model.nodes)
    if candidates is not None:
        given = check_names("candidates", candidates)
    labels = list(dict.fromkeys(canonical_label(label) for label in given))
    encode_targets(labels, model.nodes)
    if not all(parse_targets(label) for label in labels):
        raise ValueError("A control is among the candidates; they are perturbations to measure.")
    kinds = asked.ensemble.kinds(asked.conditions(labels)[0])
    left = [label for label, kind in zip(labels, kinds, strict=True) if kind != MEASURED]
    measured = [label for label, kind in zip(labels, kinds, strict=True) if kind == MEASURED]
    if not left:
        raise ValueError(
            "There are no candidates"
            + (f": all {len(measured)} have been measured." if measured else ".")
        )
    if len(left) > _MOST:
        raise ValueError(
            f"There are {len(left):,} candidates, more than {_MOST:,}: name those that could be "
            "measured, such as expressed genes, in candidates."
        )
    return left, measured


def _prices(
    labels: list[str], measured: list[str], cost: Mapping[str, float] | pd.Series | None
) -> FloatArray:
    if not isinstance(cost, Mapping | pd.Series | None):
        raise TypeError(f"cost is a mapping or Series from label to cost, not {cost!r}.")
    given = {} if cost is None else {canonical_label(str(k)): v for k, v in cost.items()}
    others = sorted(given.keys() - {*labels, *measured})
    if others and len(others) == len(given):
        raise ValueError(
            f"None of the labels in cost is a candidate: {others[0]} there, {labels[0]} here."
        )
    if others:
        warnings.warn(
            f"{len(others)} of {len(given)} labels in cost are no candidates, such as "
            f"{others[0]}.",
            UserWarning,
            stacklevel=3,
        )
    prices = np.array([float(given.get(label, 1.0)) for label in labels])
    if not (np.isfinite(prices) & (prices > 0)).all():
        label = labels[int((~(np.isfinite(prices) & (prices > 0))).argmax())]
        raise ValueError(f"The cost of {label} must be a positive number, not {given[label]}.")
    return prices
