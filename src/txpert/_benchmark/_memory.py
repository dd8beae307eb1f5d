"""How much memory a run took, and how much there is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil

_STATUS = Path("/proc/self/status")
_CGROUP = Path("/sys/fs/cgroup")


def peak_memory() -> float:
    """Return the largest resident memory that this process has had, in MB (10⁶ bytes).

    psutil has no peak on Linux.
    """
    # The kernel's rusage counts what the parent had when it started this process; VmHWM does not.
    peak = _status("VmHWM")
    if peak is not None:
        return peak
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def reset_peak() -> float:
    """Reset the peak and return the resident memory now, in MB; NaN where it cannot be."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return float("nan")
    return float(psutil.Process().memory_info().rss / 1e6)


def available_memory() -> float:
    """Return how much memory further processes may take, in MB; of a container, too."""
    known = [psutil.virtual_memory().available / 1e6]
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        if limit != "max":
            used = float((_CGROUP / "memory.current").read_text())
            known.append((float(limit) - used) / 1e6)
    except (OSError, ValueError):
        return known[0]  # no container
    return min(known)


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _status(field: str) -> float | None:
    try:
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return float(lines[field].split()[0]) * 1024 / 1e6
    except (OSError, KeyError, ValueError):
        return None
