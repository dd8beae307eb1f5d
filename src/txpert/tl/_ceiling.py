"""``tl.ceiling``: how well an experiment reproduces itself."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import (
    ALL,
    BATCH,
    CELL_LINE,
    CONTROL,
    N_CELLS,
    SPLIT,
    TEST,
    UNS_KEY,
)
from txpert._layers import named_layers
from txpert._options import check_name, check_names, check_seed, check_whole
from txpert._types import BoolArray, IntArray
from txpert.data import ObsKeys
from txpert.data._conditions import conditions_of
from txpert.data._keys import (
    BATCH_KEY,
    CELL_LINE_KEY,
    CONTROL_KEY,
    PERTURBATION_KEY,
    SPLIT_KEY,
    check_anndata,
)
from txpert.data._matrix import expression_matrix, place
from txpert.data._screen import Screen
from txpert.data._values import ValueCheck, check_counts
from txpert.evaluation._halves import split_half_deltas
from txpert.evaluation._observations import Observations
from txpert.evaluation._repeats import mean_over_repeats, score_pairs, summarize, with_estimates
from txpert.evaluation._sampled import CountModel, sampled_deltas

Ceiling = Literal["split_half", "sampled"]


def ceiling(
    adata: AnnData,
    kind: Ceiling | Sequence[Ceiling] = "split_half",
    *,
    n_repeats: int = 10,
    split: str | Sequence[str] | None = TEST,
    seed: int = 0,
    perturbation_key: str = PERTURBATION_KEY,
    control_key: str = CONTROL_KEY,
    batch_key: str | None = BATCH_KEY,
    cell_line_key: str | None = CELL_LINE_KEY,
    split_key: str | None = SPLIT_KEY,
    control_label: str | Sequence[str] | None = None,
    layer: str | None = None,
    counts_layer: str = "counts",
    key_added: str = UNS_KEY,
    enable_progress_bar: bool = True,
) -> pd.DataFrame:
    r"""Score the experiment against itself: what a prediction could reach at best.

    Two measurements of every perturbation are made from the data, one takes the place of the
    prediction, and they are scored as in :func:`evaluate`: Δ against the controls of the same cell
    line and batch, averaged over the batches of a cell line by numbers of cells. The rows of the
    result are

    ``split_half``
        The cells of each condition, controls too, are halved at random; the halves share no cell.
        Half the cells make more noise than all of them, so this is lower than what a prediction
        can reach. An odd or only cell goes to either half by chance.
    ``full_size``
        Two experiments of full size, estimated from the halves. The Spearman-Brown formula
        :math:`r_\text{full} = 2r / (1 + r)` (``spearman_brown``) is applied
        to the Pearson Δ of each perturbation, averaged over repeats; the mean squared error is
        half of that between the halves. There is no such formula for retrieval.
    ``noise_free``
        The truth against one experiment of full size: what a perfect prediction would score.
        :math:`\sqrt{r_\text{full}}` (``correlation_with_truth``), undefined
        where the halves correlate negatively, so that its mean is too high where many do; a
        quarter of the mean squared error of the halves.
    ``sampled``
        The counts of each condition are pooled to fractions of genes, from which two data sets of
        the original size are drawn, each cell with its own number of counts (multinomial), then
        normalized as the data are. This is noise of counting alone: the cells of a condition do
        not differ, and the noise in the pooled counts passes for signal. So it is an upper bound,
        loose for conditions of few cells: a perturbation without effect has a Pearson Δ of about
        0.5 here, and of 0 between halves.

    Parameters
    ----------
    adata
        Cells × genes, log-normalized, in memory or backed; ``uns[key_added]["ceiling"]`` is
        written: ``params``, ``summary``, ``perturbations`` (means over repeats, one row per kind,
        perturbation and cell line) and ``repeats`` (the same for each repeat).
    kind
        ``"split_half"``, ``"sampled"``, or both in a list. The sampled one draws the counts of all
        cells twice per repeat and takes far longer.
    n_repeats
        Number of times that halves or samples are drawn.
    split
        Which conditions to score; ``None`` scores all. Retrieval compares with all perturbations
        of the cell line in any case.
    seed
        Seeds the draws.
    perturbation_key, control_key, batch_key, cell_line_key, split_key
        obs columns, as in :meth:`txpert.TxPertModel.setup_anndata`; by default those registered
        by it, if any.
    control_label
        Label or labels of unperturbed cells, instead of ``control_key``.
    layer
        Layer of the expression values; ``None`` takes ``X``.
    counts_layer
        Layer of the raw counts, for ``"sampled"``.
    key_added
        Key in ``uns``.
    enable_progress_bar
        Whether to show a progress bar.

    Returns
    -------
    The summary, one row per kind: mean of each metric over perturbations, and in ``…_sd`` the
    standard deviation of that mean over repeats (estimates are made from each repeat by itself for
    it); ``n_perturbations``, and ``n_undefined`` of them that have no Pearson Δ in any repeat, or
    no estimate, and are left out of the means.

    Raises
    ------
    KeyError
        If a column or layer does not exist.
    ValueError
        If the kind is unknown, ``n_repeats`` is below 1, no condition is in the split, or
        annotation or values are unusable.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.tl.ceiling(adata, n_repeats=3).index.to_list()
    ['split_half', 'full_size', 'noise_free']
    """
    kinds = _check_arguments(adata, kind, n_repeats)
    check_seed(seed)
    check_name("key_added", key_added)
    if split is not None:
        check_names("split", [split] if isinstance(split, str) else split)
    keys = ObsKeys.of(
        adata,
        perturbation=perturbation_key,
        control=control_key,
        batch=batch_key,
        cell_line=cell_line_key,
        split=split_key,
        control_label=control_label,
    )
    screen = Screen.from_anndata(adata, keys, layer)
    screen.check_values(place(layer))
    counts = _counts(adata, counts_layer) if "sampled" in kinds else None
    conditions, condition = conditions_of(screen)
    scored, splits = _scored(conditions, split)
    observations = Observations.from_conditions(conditions, scored)
    draws = {"n_repeats": n_repeats, "seed": seed}
    scoring: dict[str, Any] = {"n_repeats": n_repeats, "enable_progress_bar": enable_progress_bar}
    repeats = []
    if "split_half" in kinds:
        used = _without_lonely_controls(conditions, condition)
        check = ValueCheck("Expression", screen.names, screen.batch, effects=screen.of_effects)
        pairs = split_half_deltas(screen.X, observations, used, **draws, check=check)
        repeats.append(score_pairs("split_half", pairs, observations, screen.genes, **scoring))
    if counts is not None:
        model = CountModel.fit(counts, screen.X, condition, len(conditions))
        pairs = sampled_deltas(model, observations, **draws)
        repeats.append(score_pairs("sampled", pairs, observations, screen.genes, **scoring))
    scores = pd.concat(repeats, ignore_index=True)
    perturbations = with_estimates(mean_over_repeats(scores))
    summary = summarize(perturbations, with_estimates(scores))
    adata.uns[key_added] = {
        **adata.uns.get(key_added, {}),
        "ceiling": {
            "params": {"kind": kinds, "split": splits, **draws},
            "summary": summary,
            "perturbations": perturbations,
            "repeats": scores,
        },
    }
    return summary


def _check_arguments(adata: AnnData, kind: str | Sequence[str], n_repeats: int) -> list[str]:
    kinds = list(dict.fromkeys(check_names("kind", [kind] if isinstance(kind, str) else kind)))
    unknown = [k for k in kinds if k not in get_args(Ceiling)]
    if unknown or not kinds:
        raise ValueError(
            f"There is no ceiling {unknown[0] if unknown else kind!r}; there are 'split_half' and "
            "'sampled', or both: kind=['split_half', 'sampled']."
        )
    check_whole("n_repeats", n_repeats, least=1)
    check_anndata(adata)
    if adata.is_view:
        raise ValueError("adata is a view; make a copy first: adata = adata.copy()")
    return kinds


def _counts(adata: AnnData, layer: str) -> Any:
    if layer not in adata.layers:
        raise KeyError(
            f"The sampled ceiling draws from raw counts, and there is no layer {layer!r}; layers: "
            f"{', '.join(named_layers(adata)) or 'none'}. tx.pp.normalize(adata) keeps the counts "
            "in layers['counts'], counts_layer= names another layer; kind='split_half' needs none."
        )
    counts = expression_matrix(adata, layer)
    check_counts(counts, f"adata.layers[{layer!r}]")
    return counts


def _scored(
    conditions: pd.DataFrame, split: str | Sequence[str] | None
) -> tuple[BoolArray, list[str]]:
    """Find the conditions to be scored, and name the splits they are of."""
    perturbed = ~conditions[CONTROL].to_numpy(dtype=bool)
    if split is None:
        splits, scored = [ALL], perturbed
    else:
        splits = [split] if isinstance(split, str) else list(split)
        column = conditions.get(SPLIT, pd.Series(None, index=conditions.index, dtype=object))
        scored = perturbed & column.isin(splits).to_numpy()
    if not scored.any():
        raise ValueError(
            f"No perturbation is in the split {' or '.join(map(repr, splits))}. Run "
            "tx.pp.split(adata), name another split, or score all perturbations by split=None."
        )
    return scored, splits


def _without_lonely_controls(conditions: pd.DataFrame, condition: IntArray) -> IntArray:
    """Leave out, with a warning, the cells of contexts whose controls cannot be halved."""
    controls = conditions[CONTROL] & (conditions[N_CELLS] > 1)
    contexts = conditions.groupby([CELL_LINE, BATCH], observed=True).ngroup()
    lonely = (~contexts.isin(contexts[controls])).to_numpy()
    if not lonely.any():
        return condition
    row = conditions[lonely].iloc[0]
    warnings.warn(
        f"{contexts[lonely].nunique()} of the {contexts.nunique()} contexts have one control cell "
        f"only, which cannot be halved ({row[CELL_LINE]!r}, batch {row[BATCH]!r}, say). Their "
        f"{conditions.loc[lonely, N_CELLS].sum():,} cells are left out of the halves.",
        UserWarning,
        stacklevel=3,
    )
    return np.where(lonely[condition], -1, condition)
