"""Running tasks on whatever scheduler dask has been given: threads, processes or a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ._formats import UnusableValuesError

_TASKS_PER_THREAD = 4


def compute_in_turn(tasks: Sequence[Any], rows: Sequence[slice]) -> Iterator[Any]:
    """Yield the results of delayed tasks in order, some at a time so that memory is bounded.

    Parameters
    ----------
    tasks
        Delayed tasks.
    rows
        The cells that each is about, for messages.

    Raises
    ------
    OSError
        If cells cannot be read.
    RuntimeError
        If dask gives up because workers die again and again; a worker lost now and then costs
        nothing but the tasks it was at.
    """
    import dask

    size = _TASKS_PER_THREAD * _n_threads()
    for start in range(0, len(tasks), size):
        some = slice(start, start + size)
        try:
            results = dask.compute(*tasks[some])
        except (MemoryError, UnusableValuesError):
            raise
        except Exception as error:
            raise _explained(error, rows[some]) from error
        yield from results


def _n_threads() -> int:
    """Return the number of threads of the current scheduler."""
    import os

    from dask.base import get_scheduler

    client: Any = getattr(get_scheduler(), "__self__", None)
    if hasattr(client, "nthreads"):
        return max(1, sum(client.nthreads().values()))
    return os.cpu_count() or 1


def _explained(error: Exception, rows: Sequence[slice]) -> Exception:
    """Return an error that names the rows."""
    first, last = rows[0].start, rows[-1].stop - 1
    if type(error).__name__ == "KilledWorker":
        return RuntimeError(
            f"Dask gave up at rows {first:,} to {last:,}: the workers that read them died again "
            "and again, most often for lack of memory. Give workers more memory or open the data "
            f"in smaller chunks. ({error})"
        )
    return OSError(
        f"Rows {first:,} to {last:,} cannot be read ({error}). If the file is incomplete or "
        "damaged, write or copy it again; nothing was changed."
    )
