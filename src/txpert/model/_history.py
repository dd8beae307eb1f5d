"""``model.history``: losses and scores by epoch, over all fits of a training."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from scvi.train import TrainRunner

History = Mapping[str, pd.DataFrame]
_LOSS, _FIT = "train_loss", "fit"


class NumberedTrainRunner(TrainRunner):
    """That of scvi-tools, but the epochs of a fit follow those of the fits before.

    scvi-tools follows by numbers of rows, which misplaces what not every epoch has.
    """

    def _update_history(self) -> None:
        model = self.model
        earlier, trained = model.history_, model.is_trained_
        model.is_trained_ = False  # or scvi-tools would join them
        super()._update_history()
        model.is_trained_ = trained
        if isinstance(earlier, dict) and model.history_ is not earlier:
            # there is one, and in this process
            model.history_ = _joined(earlier, model.history_ or {})


def number_fits(history: dict[str, pd.DataFrame] | None) -> None:
    """Give epochs that have no number of a fit yet the next one; another logger has no history."""
    if not history or _LOSS not in history:
        return
    epochs = history[_LOSS].index
    numbers = history[_FIT][_FIT].astype(int).tolist() if _FIT in history else []
    numbers += [max(numbers, default=0) + 1] * (len(epochs) - len(numbers))
    history[_FIT] = pd.DataFrame({_FIT: numbers}, index=epochs)


def _joined(earlier: History, later: History) -> dict[str, pd.DataFrame]:
    """Let epochs, or steps, of one history follow those of another."""
    joined = dict(earlier)
    for name, frame in later.items():
        ends = [f.index.max() for f in earlier.values() if f.index.name == frame.index.name]
        shifted = frame.set_axis(frame.index + (max(ends) + 1 if ends else 0))
        parts = [part for part in (earlier.get(name), shifted) if part is not None and len(part)]
        joined[name] = (
            pd.concat(parts).rename_axis(index=str(frame.index.name)) if parts else frame
        )
    return joined
