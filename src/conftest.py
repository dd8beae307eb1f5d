"""Examples in docstrings may register what they define: nothing of it stays."""

from collections.abc import Iterator

import pytest

from txpert.baselines._registry import BASELINES
from txpert.evaluation._metrics import METRICS
from txpert.graph._sources import SOURCES
from txpert.model._component import COMPONENTS
from txpert.nn._decoder import DECODERS
from txpert.nn._registry import ENCODERS
from txpert.splits._task import TASKS

REGISTRIES: tuple[dict, ...] = (
    BASELINES,
    COMPONENTS,
    DECODERS,
    ENCODERS,
    METRICS,
    SOURCES,
    TASKS,
)


@pytest.fixture(autouse=True)
def _registries_as_before() -> Iterator[None]:
    before = [dict(registry) for registry in REGISTRIES]
    yield
    for registry, known in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(known)
