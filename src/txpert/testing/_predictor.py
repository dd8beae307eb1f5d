"""What must hold for whatever predicts perturbations."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import BATCH, CELL_LINE, CONTROL, DELTA, PERTURBATION, SPLIT, TRAIN
from txpert._types import FloatArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import parse_targets
from txpert.datasets import toy
from txpert.pp import split

_CONDITION = [PERTURBATION, CELL_LINE, BATCH]
_TOLERANCE = 1e-4


def check_predictor(predictor: Any, adata: AnnData | None = None) -> None:
    """Check that a predictor keeps the rules that evaluation relies on.

    Parameters
    ----------
    predictor
        With ``predict(conditions, controls=)``, as :class:`txpert.TxPertModel` has it. If it has
        ``fit(adata)``, a copy is fitted, and what is not in training must not change predictions;
        else it must have been fitted to ``adata``.
    adata
        A screen with a split, log-normalized; by default :func:`txpert.datasets.toy`.

    Raises
    ------
    AssertionError
        If a rule is broken; the message says which.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.testing.check_predictor(tx.baselines.GeneralBaseline())
    """
    if adata is None:
        adata = toy()
        split(adata)
    table = ConditionTable.of(adata)
    fitted = _fitted(predictor, adata)
    conditions = _conditions(table)
    delta = _predicted(fitted, conditions, table.controls)
    _check_rows(fitted, conditions, table.controls, delta)
    _check_labels(fitted, conditions, table.controls)
    if hasattr(predictor, "fit"):
        _check_hidden_cells(predictor, adata, conditions, table.controls, delta)


def _fitted(predictor: Any, adata: AnnData) -> Any:
    if not hasattr(predictor, "fit"):
        return predictor
    before = adata.copy()
    fitted = copy.deepcopy(predictor)
    returned = fitted.fit(adata)
    _rule(returned is fitted, "fit returns the predictor itself")
    _rule(adata.obs.equals(before.obs), "fit does not change adata.obs")
    changed = abs(adata.X - before.X).max() if adata.n_obs else 0
    _rule(changed == 0, "fit does not change adata.X")
    return fitted


def _conditions(table: ConditionTable) -> pd.DataFrame:
    """Return all perturbed conditions, a combination of two genes and a gene never perturbed."""
    obs = table.obs.loc[~table.obs[CONTROL].to_numpy(dtype=bool), _CONDITION].astype(str)
    genes = sorted({target for label in obs[PERTURBATION] for target in parse_targets(label)})
    new = obs.iloc[[0, 0]].copy()
    new[PERTURBATION] = ["+".join(genes[:2]), genes[-1]]
    return pd.concat([obs, new]).drop_duplicates().reset_index(drop=True)


def _check_rows(
    fitted: Any, conditions: pd.DataFrame, controls: ControlProfiles, delta: FloatArray
) -> None:
    again = _predicted(fitted, conditions, controls)
    _rule(np.array_equal(delta, again), "the same question has the same answer")
    order = np.random.default_rng(0).permutation(len(conditions))
    turned = _predicted(fitted, conditions.iloc[order].reset_index(drop=True), controls)
    _rule(
        np.allclose(turned, delta[order], atol=_TOLERANCE),
        "a condition's prediction does not depend on the order of conditions",
    )
    some = np.arange(len(conditions)) % 2 == 0
    fewer = _predicted(fitted, conditions[some].reset_index(drop=True), controls)
    _rule(
        np.allclose(fewer, delta[some], atol=_TOLERANCE),
        "a condition's prediction does not depend on what else is asked",
    )


def _check_labels(fitted: Any, conditions: pd.DataFrame, controls: ControlProfiles) -> None:
    double = conditions[conditions[PERTURBATION].str.contains("+", regex=False)]
    turned = double.assign(
        **{PERTURBATION: ["+".join(label.split("+")[::-1]) for label in double[PERTURBATION]]}
    )
    one, other = (_predicted(fitted, frame, controls) for frame in (double, turned))
    _rule(np.allclose(one, other, atol=_TOLERANCE), "'B+A' is predicted as 'A+B' is")
    control = conditions.iloc[[0]].assign(**{PERTURBATION: CONTROL})
    change = np.abs(_predicted(fitted, control, controls)).max()
    _rule(change <= _TOLERANCE, f"controls do not change; Δ of {CONTROL!r} is up to {change:.3g}")


def _check_hidden_cells(
    predictor: Any,
    adata: AnnData,
    conditions: pd.DataFrame,
    controls: ControlProfiles,
    delta: FloatArray,
) -> None:
    """Refit to data whose cells outside training are shuffled among genes."""
    if SPLIT not in adata.obs:
        return
    hidden = (adata.obs[SPLIT].notna() & (adata.obs[SPLIT] != TRAIN)).to_numpy()
    hidden = hidden & ~adata.obs[CONTROL].to_numpy(dtype=bool)
    if not hidden.any():
        return
    poisoned = adata.copy()
    values = poisoned.X.toarray() if hasattr(poisoned.X, "toarray") else np.array(poisoned.X)
    values[hidden] = values[hidden][:, ::-1]
    poisoned.X = values
    again = _predicted(copy.deepcopy(predictor).fit(poisoned), conditions, controls)
    _rule(
        np.allclose(again, delta, atol=_TOLERANCE),
        "cells that are not in training do not change predictions",
    )


def _predicted(fitted: Any, conditions: pd.DataFrame, controls: ControlProfiles) -> FloatArray:
    """Predict conditions and check the form of what comes back."""
    asked = conditions[_CONDITION].reset_index(drop=True)
    predicted = fitted.predict(asked.copy(), controls=controls)
    _rule(isinstance(predicted, AnnData), "predict returns AnnData")
    shape = len(asked), len(controls.genes)
    _rule(predicted.shape == shape, f"the prediction has the shape {shape}: {predicted.shape}")
    _rule(predicted.var_names.equals(controls.genes), "var names are the genes of controls")
    _rule(DELTA in predicted.layers, f"the predicted change is in layers[{DELTA!r}]")
    for column in _CONDITION:
        named = column in predicted.obs and list(predicted.obs[column]) == list(asked[column])
        _rule(named, f"obs[{column!r}] names the conditions in the order asked for")
    delta = np.asarray(predicted.layers[DELTA])
    _rule(np.isfinite(delta).all(), "predictions are finite")
    context = controls.conditions(asked)[1]
    expression, expected = np.asarray(predicted.X), controls.mean[context] + delta
    whole, clipped = (np.abs(expression - e).max() for e in (expected, np.maximum(expected, 0)))
    _rule(
        min(whole, clipped) <= 1e-3,
        "X is the matched control's mean plus Δ, or 0 where that is negative",
    )
    return delta


def _rule(holds: Any, rule: str) -> None:
    if not holds:
        raise AssertionError(f"A predictor breaks the rule: {rule}.")
