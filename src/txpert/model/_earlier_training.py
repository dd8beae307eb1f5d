"""What a training finds from an earlier one: kept if it fails, and neither leaked nor lost."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scvi import settings

from txpert._constants import CONTROL, TEST
from txpert.data._conditions import pairs

from ._checkpoints import random_state, set_random_state
from ._held_out import TrainingData


@contextmanager
def unchanged_on_failure(model: Any) -> Iterator[None]:
    """Put a model and torch's random numbers back to what they were if its training raises."""
    kept = {name: value for name, value in vars(model).items() if name.endswith("_")}
    weights = {name: value.clone() for name, value in model.module.state_dict().items()}
    mode, random = model.module.training, random_state()
    try:
        yield
    except BaseException:
        vars(model).update(kept)
        model.module.load_state_dict(weights)
        model.module.train(mode)
        set_random_state(random)
        raise


def refuse_leak(model: Any, data: TrainingData) -> None:
    """Raise a ValueError if test perturbations were trained on, by an earlier split."""
    leaked = sorted(set(data.pairs(TEST)) & set(model.trained_on_)) if model.is_trained_ else []
    if leaked:
        raise ValueError(
            f"The split changed since the model was trained: {len(leaked)} perturbations that "
            f"are now in {TEST!r} were trained on, {leaked[0][0]!r} in {leaked[0][1]!r} among "
            "them. Make a new model, TxPertModel(adata, ...), and train that."
        )


def warn_of_forgotten(model: Any, data: TrainingData) -> None:
    """Warn if the closed-form components know perturbations that are not in the data."""
    if not model.is_trained_ or model.ensemble_ is None:
        return
    rows = data.pooled.obs
    known = set(pairs(rows[~rows[CONTROL].to_numpy(dtype=bool)]))
    lost = sorted(set(model.trained_on_) - known)
    if lost:
        warnings.warn(
            f"{len(lost)} perturbations that the model learned earlier, such as by update(), "
            f"{lost[0][0]!r} in {lost[0][1]!r} among them, are not in its data: this training "
            "forgets them. To keep them, train a model on the joined data, anndata.concat([...]).",
            UserWarning,
            stacklevel=settings.warnings_stacklevel,
        )
