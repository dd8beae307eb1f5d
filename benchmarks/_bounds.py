"""What the machine can do at best, and how long some work would take at that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

GIGA = 1e9


@dataclass(frozen=True)
class Phase:
    """Work of one kind; phases wait for each other.

    Attributes
    ----------
    flops
        Additions and multiplications.
    n_bytes
        Bytes read and written.
    place
        Where those bytes lie: arrays larger than the caches are in "memory".
    dtype
        Precision of the arithmetic.
    """

    flops: float = 0.0
    n_bytes: float = 0.0
    place: Literal["memory", "cache"] = "memory"
    dtype: Literal["float32", "float64"] = "float32"


def measured_rates(*, n: int = 1_024, repeats: int = 15) -> dict[str, float]:
    """Measure the fastest matrix products (n × n) in GFLOP/s and copies in GB/s.

    A copy counts what it reads and what it writes. Products are those of NumPy or of torch,
    whichever are faster.
    """
    rates = {}
    for dtype in ("float32", "float64"):
        a = np.random.default_rng(0).random((n, n)).astype(dtype)
        b = torch.from_numpy(a)
        products = (lambda a=a: a @ a), (lambda b=b: b @ b)
        best = min(fastest(product, repeats) for product in products)
        rates[dtype] = 2 * n**3 / best / GIGA
    for place, size, times in (("memory", n * 2**17, 1), ("cache", 2**18, 200)):
        source = np.ones(size // 4, dtype=np.float32)
        copy = np.zeros_like(source)

        def action(source: Any = source, copy: Any = copy, times: int = times) -> None:
            for _ in range(times):
                np.copyto(copy, source)

        rates[place] = times * 2 * source.nbytes / fastest(action, repeats) / GIGA
    return rates


def bound_seconds(phases: Iterable[Phase], rates: dict[str, float]) -> float:
    """Return the sum over phases of what arithmetic or transfer takes, whichever is more."""
    return sum(
        max(phase.flops / rates[phase.dtype], phase.n_bytes / rates[phase.place]) / GIGA
        for phase in phases
    )


def fastest(action: Callable[[], Any], repeats: int) -> float:
    """Return the least processor time of the repeats, in seconds."""
    return repeated(action, repeats)["cpu_seconds"]


def repeated(action: Callable[[], Any], repeats: int, budget: float = 15.0) -> dict[str, float]:
    """Repeat until there are enough or the budget of seconds is spent; return the least times."""
    seconds, cpu_seconds, begin = [], [], time.perf_counter()
    while not seconds or (len(seconds) < repeats and time.perf_counter() - begin < budget):
        start, cpu_start = time.perf_counter(), time.process_time()
        action()
        cpu_seconds.append(time.process_time() - cpu_start)
        seconds.append(time.perf_counter() - start)
    return {"seconds": min(seconds), "cpu_seconds": min(cpu_seconds), "repeats": len(seconds)}
