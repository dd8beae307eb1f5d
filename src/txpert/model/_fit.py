"""One fit of the network to the training conditions of one split."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from lightning.pytorch.utilities.exceptions import MisconfigurationException

from ._callbacks import BestWeights, early_stopping, refuse_subprocesses, run
from ._data_splitter import PerturbationSplitter
from ._held_out import TrainingData
from ._progress import EpochProgress
from ._train_options import TrainingOptions

_CHANGES_ALL = "weight_decay", "optimizer", "optimizer_creator"


def fit_network(
    model: Any, data: TrainingData, options: TrainingOptions
) -> dict[int, float] | None:
    """Train the network; return its validation scores by epoch, None after Ctrl-C.

    Raises
    ------
    ValueError
        If Lightning refuses an option, or training ends before the first step.
    """
    module = model.module
    splitter = model._data_splitter_cls(
        data.screen,
        data.table,
        model.nodes,
        pooled=data.pooled,
        batch_size=options.batch_size,
        unit=options.unit,
        controls=options.controls,
        matching=model.matching,
        pool_batches=module.ignores_batch(model.matching),
    )
    module.train()  # Lightning leaves the mode that an earlier prediction set
    module.trained.copy_(splitter.trained_nodes(len(model.nodes)))
    if options.fresh:
        module.start_from(splitter.training_effects())
    best = BestWeights(module)
    max_epochs, callbacks, trainer_kwargs = _around(splitter, best, options)
    progress = options.progress
    if progress is not None and progress.shown:
        callbacks.append(EpochProgress(progress))
        trainer_kwargs["enable_progress_bar"] = False
    plan = model._training_plan_cls(
        module,
        validation_delta=splitter.validation.observed_delta(),
        validation_nodes=splitter.validation_nodes(len(model.nodes)),
        **{"lr": options.lr, **options.plan_kwargs},
    )
    fit = None if options.checkpoints is None else options.checkpoints.next_fit()
    if fit is not None:
        callbacks.append(fit)
        trainer_kwargs |= fit.trainer_kwargs(trainer_kwargs.get("plugins"))
    try:
        runner = model._train_runner_cls(
            model,
            training_plan=plan,
            data_splitter=splitter,
            max_epochs=max_epochs,
            callbacks=callbacks,
            use_distributed_sampler=False,  # the splitter divides the rows
            **{"log_every_n_steps": 1, **trainer_kwargs},
        )
        refuse_subprocesses(runner.trainer)
        if fit is not None and fit.outcome:
            if progress is not None:
                progress.skip()
            return fit.restore(model, runner.device)
        # Other optimizers, and weight decay, may change embeddings without a gradient.
        whole = any(options.plan_kwargs.get(name) for name in _CHANGES_ALL)
        with nullcontext() if whole else module.narrowed():
            ended = run(runner)
    except MisconfigurationException as error:
        raise ValueError(f"Lightning refuses an option of the trainer: {error}") from error
    if not ended:
        return None
    if not runner.trainer.global_step:
        raise ValueError(
            "Training ended before the first step of the network, by max_steps or a callback. "
            "max_time and max_epochs, which count for each fit, end it later."
        )
    if fit is not None:
        fit.finish(model, best.scores)
    return best.scores


def _around(
    splitter: PerturbationSplitter, best: BestWeights, options: TrainingOptions
) -> tuple[int, list[Any], dict[str, Any]]:
    """Return the number of epochs, the callbacks and the other options of the trainer."""
    lengths = options.lengths(splitter.n_train)
    trainer_kwargs = {**options.trainer_kwargs, "check_val_every_n_epoch": lengths.apart}
    callbacks = list(trainer_kwargs.pop("callbacks", ()))
    interval = trainer_kwargs.get("val_check_interval")
    if isinstance(interval, int) and interval > (n := len(splitter.train_dataloader())):
        raise ValueError(
            f"val_check_interval={interval}, but an epoch has {n} minibatches: "
            "check_val_every_n_epoch=2 validates after every second epoch."
        )
    validated = splitter.n_val > 0
    if validated:
        callbacks.append(best)
    if validated and options.early_stopping:
        callbacks.append(early_stopping(lengths.patience, trainer_kwargs))
    else:
        for name in ("early_stopping_min_delta", "early_stopping_warmup_epochs"):
            trainer_kwargs.pop(name, None)
    return lengths.max_epochs, callbacks, trainer_kwargs
