"""One progress bar over all fits of a training, and no messages of libraries about themselves."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
from tqdm.auto import tqdm

from ._plan import MONITOR

_LOGGERS = (
    "lightning.pytorch.utilities.rank_zero",
    "scvi.data._download",
    "scvi.model.base._base_model",
)
_DONE = (
    "already downloaded",
    "attempting to transfer setup.",
    "attempting to transfer anndata setup",
)


class TrainingProgress:
    """A bar whose length is the epochs of all fits, as far as they are known.

    Parameters
    ----------
    n_fits
        Number of fits.
    shown
        Whether there is a bar.
    """

    def __init__(self, n_fits: int, *, shown: bool) -> None:
        self.shown = shown
        self.title = ""
        self._left = n_fits
        self._planned = 0
        self._bar: Any = None

    def begin(self, max_epochs: int) -> None:
        """Count on so many epochs for this fit, and for each that follows."""
        self._left -= 1
        if self._bar is None:
            self._bar = tqdm(total=0, desc="Training", unit="epoch", dynamic_ncols=True)
        self._planned = max_epochs
        self._bar.total = self._bar.n + max_epochs * (1 + self._left)
        self._bar.set_description(self.title or "Training")

    def step(self, scores: dict[str, str]) -> None:
        """Count an epoch."""
        self._bar.set_postfix(scores, refresh=False)
        self._bar.update()

    def finish(self) -> None:
        """Forget the epochs that the fit did without."""
        if self._bar is not None:
            self._bar.total = self._bar.n + self._planned * self._left
            self._bar.refresh()

    def skip(self) -> None:
        """Leave out a fit that is not repeated."""
        self._left -= 1

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()


class EpochProgress(pl.Callback):
    """Tells a :class:`TrainingProgress` of the epochs of one fit."""

    def __init__(self, progress: TrainingProgress) -> None:
        self.progress: TrainingProgress | None = progress

    def __getstate__(self) -> dict[str, Any]:
        return {"progress": None}  # a bar belongs to its process

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin with the epochs that may be run."""
        if self.progress is not None and trainer.is_global_zero:
            self.progress.begin(trainer.max_epochs or 0)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count an epoch and show its scores."""
        if self.progress is not None and trainer.is_global_zero:
            known = trainer.callback_metrics
            names = {"train_loss": "train_loss", "pearson_delta": MONITOR}
            scores = {shown: known[name] for shown, name in names.items() if name in known}
            self.progress.step({name: f"{float(score):.3g}" for name, score in scores.items()})

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget the epochs that were not needed."""
        if self.progress is not None and trainer.is_global_zero:
            self.progress.finish()


class _Advertising(logging.Filter):
    """Leaves out what is said of absent devices, products, local files and registrations."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        idle = "available: False" in text or text.startswith("`Trainer.fit` stopped")
        return not (idle or text.startswith("💡") or text.lower().endswith(_DONE))


@contextmanager
def without_advertising() -> Iterator[None]:
    """Leave out the libraries' messages about themselves; those about the model stay."""
    loggers, only_ours = [logging.getLogger(name) for name in _LOGGERS], _Advertising()
    for logger in loggers:
        logger.addFilter(only_ours)
    try:
        with warnings.catch_warnings():
            for message in (
                ".*does not have many workers.*",
                ".*treespec.*is deprecated.*",
                "Total length of .* across ranks is zero.*",
                "The method mod_names is deprecated.*",  # called by scvi-tools itself
            ):
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(only_ours)
