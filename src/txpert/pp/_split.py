from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import CONTROL, PERTURBATION, SPLIT, TEST, TRAIN, VALIDATION
from txpert.data import FRACTIONS, Screen, resolve_key, split_by_target

Task = Literal["unseen_perturbation"]


def split(
    adata: AnnData,
    task: Task = "unseen_perturbation",
    *,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    perturbation_key: str = PERTURBATION,
    control_key: str = CONTROL,
    key_added: str = SPLIT,
) -> None:
    """Divide the perturbations into train, validation and test.

    Whole perturbations are held out, never single cells. Targets are drawn, and a combination
    follows its held-out target, so a test gene is never trained on in a combination either.
    Control cells belong to no split.

    Parameters
    ----------
    adata
        Cells × genes; only ``obs[key_added]`` is written.
    task
        What the split asks of a model: ``"unseen_perturbation"``.
    fractions
        Shares of train, val and test among the perturbed genes (the paper's by default).
    seed
        Seeds the draw; the same perturbations and seed give the same split.
    perturbation_key, control_key
        obs columns of the perturbation and the control flag.
    key_added
        obs column to write: ``"train"``, ``"val"``, ``"test"``, missing for controls.

    Raises
    ------
    KeyError
        If a column does not exist.
    ValueError
        If the task is unknown, there are too few perturbations, or annotation is unusable.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> adata.obs.groupby("split", observed=True)["perturbation"].nunique().to_dict()
    {'train': 7, 'val': 2, 'test': 3}
    """
    if task != "unseen_perturbation":
        raise ValueError(f"There is no task {task!r}; the task known is 'unseen_perturbation'.")
    if adata.is_view:
        raise ValueError("adata is a view; make a copy first: adata = adata.copy()")
    columns = {
        name: adata.obs[resolve_key(name, key, adata.obs, "adata.obs")]
        for name, key in ((PERTURBATION, perturbation_key), (CONTROL, control_key))
    }
    screen = Screen.from_columns(adata.X, adata.var_names, columns)
    labels = screen.perturbation.categories
    part = split_by_target(labels, fractions=fractions, seed=seed)
    of_label = np.array([part.get(label) for label in labels], dtype=object)
    adata.obs[key_added] = pd.Categorical(
        of_label[screen.perturbation.codes], categories=[TRAIN, VALIDATION, TEST]
    )
