"""What makes an evaluation misleading: leaks, genes not measured, names that collide."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from txpert._constants import CELL_LINE
from txpert._types import FloatArray
from txpert.data._conditions import pairs

from ._scoring import HeldOut

_COPIED = 1e-5
OBSERVED = "observed"
"""Name under which the observed Δ stands next to predictions."""


def check_names(names: Iterable[Any], *, stored: bool = False) -> None:
    """Refuse names of models that would be lost or mistaken.

    Parameters
    ----------
    names
        Names of models and baselines together.
    stored
        Whether they become keys of ``uns``, which an h5ad file must be able to keep.

    Raises
    ------
    TypeError
        If one is no string.
    ValueError
        If one is empty, taken, or cannot be kept in a file.
    """
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                f"The name of a model is a string, not {name!r} ({type(name).__name__}): "
                f"write {str(name)!r}."
            )
        if not name.strip():
            raise ValueError(f"The name of a model is a string that is not empty, not {name!r}.")
        if name in seen:
            raise ValueError(f"Two of the models compared are called {name!r}; rename one.")
        seen.add(name)
        if not stored:
            continue
        if name == OBSERVED:
            raise ValueError(
                f"The name {name!r} stands for the observed Δ; give the model another name."
            )
        if "/" in name or name in (".", ".."):
            raise ValueError(
                f"The name {name!r} cannot be kept in an h5ad file, in which '/' separates "
                f"groups; write {name.replace('/', ' ')!r}, say."
            )


def warn_of_leak(
    held_out: HeldOut, name: str, trained_on: Iterable[tuple[str, str]], stacklevel: int = 3
) -> bool:
    """Warn if something was trained on what is about to be scored; return whether it was.

    Parameters
    ----------
    held_out
        What is scored.
    name
        What was trained, as the message begins: ``"The model"``, say.
    trained_on
        Perturbation and cell line of what it was trained on, with the modality after a bar where
        the data name any; a cell line alone stands for all its modalities.
    stacklevel
        Of the warning.
    """
    scored, seen = pairs(held_out.obs), set(trained_on)
    lines = held_out.obs[CELL_LINE].astype(str)
    leaked = sorted(
        {
            (label, context)
            for (label, context), line in zip(scored, lines, strict=True)
            if {(label, context), (label, line)} & seen
        }
    )
    if leaked:
        warnings.warn(
            f"{name} was trained on {len(leaked)} of the {len(scored)} perturbations to be "
            f"scored, {leaked[0][0]} in {leaked[0][1]} among them: their scores say nothing about "
            "unseen ones. Score with the split that it was trained with; a split by batch or by "
            "cell needs tx.pp.split(adata) instead.",
            UserWarning,
            stacklevel=stacklevel,
        )
    return bool(leaked)


def warn_of_copies(held_out: HeldOut, name: str, delta: FloatArray, stacklevel: int = 3) -> None:
    """Warn if a prediction is what was observed: it was made from the cells it is scored by.

    Parameters
    ----------
    held_out
        What is scored.
    name
        Name of the prediction.
    delta
        Predicted Δ, ``(n_observations, n_genes)``.
    stacklevel
        Of the warning.
    """
    measured = held_out.measured[0]
    off = np.where(measured, np.abs(delta - held_out.observed), 0).max(axis=1, initial=0)
    size = np.where(measured, np.abs(held_out.observed), 0).max(axis=1, initial=0)
    copied = np.flatnonzero((off <= _COPIED * size) & (size > 0))
    if copied.size:
        label, line = pairs(held_out.obs.iloc[copied[:1]])[0]
        warnings.warn(
            f"The prediction {name!r} equals the observed change of {copied.size} of the "
            f"{len(held_out.obs)} perturbations to be scored, {label} in {line} among them: it "
            "was trained on these cells, or is the observation itself.",
            UserWarning,
            stacklevel=stacklevel,
        )


def warn_of_unmeasured(held_out: HeldOut, stacklevel: int = 3) -> None:
    """Warn if genes are left out of the scores because a cell line did not measure them."""
    measured = held_out.measured[0]
    lines = held_out.obs[CELL_LINE].astype(str).to_numpy()
    missing = {
        line: int((~measured[lines == line]).all(axis=0).sum()) for line in np.unique(lines)
    }
    missing = {line: number for line, number in missing.items() if number}
    if missing:
        shown = ", ".join(f"{number:,} in {str(line)!r}" for line, number in missing.items())
        warnings.warn(
            f"Of the {measured.shape[1]:,} genes some were not measured in a cell line that is "
            f"scored: {shown}. They are NaN, or zero in all its cells while other lines express "
            "them, as an outer join of data sets leaves them. They are not scored there.",
            UserWarning,
            stacklevel=stacklevel,
        )
