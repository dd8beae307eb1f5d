from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import pandas as pd
from anndata import AnnData
from mudata import MuData

from txpert._constants import CELL_LINE, PERTURBATION, SPLIT, TEST, TRAIN, UNS_KEY
from txpert.baselines import GeneralBaseline
from txpert.evaluation import METRICS, HeldOut, SupportsPredict, predicted_delta
from txpert.model import TxPertModel


def evaluate(
    adata: AnnData | MuData,
    model: TxPertModel,
    *,
    baselines: Mapping[str, SupportsPredict] | None = None,
    split: str | Sequence[str] = TEST,
    key_added: str = UNS_KEY,
) -> pd.DataFrame:
    """Score the model and baselines on perturbations held out, side by side.

    Δ is taken against the controls of the same cell line and batch and averaged over the batches
    of a cell line by numbers of cells, so each perturbation × cell line is one observation. The
    summary is the unweighted mean over these; undefined scores are left out and counted. A warning
    tells if the model was trained on what is scored.

    Parameters
    ----------
    adata
        The cells; ``uns[key_added]`` is written: ``params``, ``metrics`` (one row per model,
        perturbation and cell line), ``summary`` (one row per model) and ``delta`` (observed and
        predicted Δ of each, for plots).
    model
        A trained model.
    baselines
        Predictors to compare with, by name; by default the general baseline fitted on the
        training perturbations.
    split
        Which conditions to score.
    key_added
        Key in ``uns``.

    Returns
    -------
    The summary: per model the mean Pearson Δ, retrieval (all other perturbations of the cell
    line, and the fast version with 100 of them), mean squared error, and the numbers of
    perturbations scored and of undefined correlations.

    Raises
    ------
    ValueError
        If no condition is in the split.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, graphs=tx.datasets.toy_graph())
    >>> model.train(max_epochs=1, enable_progress_bar=False)
    >>> tx.tl.evaluate(adata, model).index.to_list()
    ['TxPert', 'general']
    """
    _, table = model.read(adata)
    splits = [split] if isinstance(split, str) else list(split)
    chosen = table.obs[SPLIT].isin(splits).to_numpy()
    if not chosen.any():
        raise ValueError(
            f"No perturbation is in the split {' or '.join(map(repr, splits))}. Run "
            "tx.pp.split(adata) before setup_anndata, or name another split."
        )
    if baselines is None:
        baselines = {"general": GeneralBaseline(model.conditions)}
    held_out = HeldOut.of(table, chosen)
    if TRAIN not in splits:
        _warn_of_leak(held_out, model)
    deltas = {"observed": held_out.observed}
    scores = []
    for name, predictor in {"TxPert": model, **baselines}.items():
        deltas[name] = predicted_delta(predictor, held_out.conditions, held_out.controls)
        score = held_out.score(deltas[name])
        score.insert(0, "model", name)
        scores.append(score)
    metrics = pd.concat(scores, ignore_index=True)
    summary = _summarise(metrics)
    adata.uns[key_added] = {
        **adata.uns.get(key_added, {}),
        "params": {
            "split": splits,
            "nodes": len(model.nodes),
            "model": model.summary_string.splitlines()[0],
        },
        "metrics": metrics,
        "summary": summary,
        "delta": deltas,
        "delta_obs": held_out.obs,
        "delta_genes": model.genes.to_numpy(dtype=object),
    }
    return summary


def _warn_of_leak(held_out: HeldOut, model: TxPertModel) -> None:
    """Warn if the model was trained on what is about to be scored, under another split, say."""
    scored = set(
        zip(*(held_out.obs[c].astype(str) for c in (PERTURBATION, CELL_LINE)), strict=True)
    )
    leaked = sorted(scored & set(model.trained_on_))
    if leaked:
        warnings.warn(
            f"The model was trained on {len(leaked)} of the {len(scored)} perturbations to be "
            f"scored, {leaked[0][0]} in {leaked[0][1]} among them: their scores say nothing about "
            "unseen ones. Score with the split that the model was trained with.",
            UserWarning,
            stacklevel=3,
        )


def _summarise(metrics: pd.DataFrame) -> pd.DataFrame:
    grouped = metrics.groupby("model", sort=False)
    summary = grouped[list(METRICS)].mean()
    summary["n_perturbations"] = grouped.size()
    summary["n_undefined"] = grouped["pearson_delta"].apply(lambda score: int(score.isna().sum()))
    return summary
