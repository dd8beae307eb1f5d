"""Shuffled minibatches, distributed over processes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import distributed
from torch.utils.data import Sampler


class ShuffledBatches(Sampler[list[int]]):
    """Rows of each minibatch in random order, shared out among the processes of a training.

    All processes go through the same minibatches and each takes its part of every one, so that
    ``k`` processes make the steps of one. The order is drawn from torch's generator, that of the
    first process if there are several.

    Parameters
    ----------
    n_rows
        Rows of an epoch.
    batch_size
        Rows of a minibatch, over all processes. A last one with fewer than two rows (too few for
        BatchNorm) for each process is dropped.

    Raises
    ------
    ValueError
        If a whole minibatch has fewer than two rows for each of several processes.
    """

    def __init__(self, n_rows: int, batch_size: int) -> None:
        self.rank, self.n_processes = 0, 1
        if distributed.is_available() and distributed.is_initialized():
            self.rank, self.n_processes = distributed.get_rank(), distributed.get_world_size()
        self.n_rows, self.batch_size = n_rows, batch_size
        least = 2 * self.n_processes
        if self.n_processes > 1 and min(n_rows, batch_size) < least:
            raise ValueError(
                f"Minibatches of {min(n_rows, batch_size)} rows ({n_rows} rows to train on, "
                f"batch_size={batch_size}) are too small for {self.n_processes} processes: each "
                "needs two rows of every minibatch. Take fewer devices or a larger batch_size."
            )
        n_batches, last = divmod(n_rows, batch_size)
        self.n_batches = n_batches + (last >= least or (last > 0 and n_rows == last))

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(self.n_rows, generator=self._generator()).tolist()
        for start in range(0, self.n_batches * self.batch_size, self.batch_size):
            yield order[start : start + self.batch_size][self.rank :: self.n_processes]

    def _generator(self) -> torch.Generator:
        seed = [int(torch.empty((), dtype=torch.int64).random_())]
        if self.n_processes > 1:
            distributed.broadcast_object_list(seed, src=0)
        return torch.Generator().manual_seed(seed[0])
