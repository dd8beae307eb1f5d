"""All registries follow one policy when a name is taken."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

import txpert as tx
from txpert._registry import add_entry, first_line, table
from txpert.baselines._registry import BASELINES
from txpert.evaluation._metrics import METRICS
from txpert.graph._sources import SOURCES
from txpert.model._component import COMPONENTS
from txpert.nn._decoder import DECODERS
from txpert.nn._registry import ENCODERS
from txpert.splits._task import TASKS


def _encoder():
    class Own(torch.nn.Module):
        """Own encoder."""

    return Own


def _decoder():
    class Own(torch.nn.Module):
        reads_controls = False

    return Own


def _baseline():
    class Own(tx.baselines.Baseline):
        """Own baseline."""

    return Own


def _component():
    class Own(tx.model.Component):
        """Own component."""

    return Own


def _task():
    @dataclass(frozen=True, kw_only=True)
    class Own(tx.splits.Task):
        """Own task."""

    return Own


def _metric():
    def own(rows):
        """Own metric."""

    return own


REGISTRIES = {
    "encoder": (ENCODERS, tx.nn.register_encoder, _encoder),
    "decoder": (DECODERS, tx.nn.register_decoder, _decoder),
    "baseline": (BASELINES, tx.baselines.register_baseline, _baseline),
    "component": (
        COMPONENTS,
        partial(tx.model.register_component, description="none"),
        _component,
    ),
    "task": (TASKS, partial(tx.splits.register_task, description="none"), _task),
    "metric": (METRICS, partial(tx.evaluation.register_metric, label="own"), _metric),
}


@pytest.fixture(params=REGISTRIES)
def case(request):
    """Kind, registry, decorator and what makes a class of the same name each time."""
    registry, register, define = REGISTRIES[request.param]
    known = dict(registry)
    yield request.param, registry, register, define
    registry.clear()
    registry.update(known)


def defined(entry):
    """Return the class or function of an entry."""
    return getattr(entry, "cls", getattr(entry, "function", entry))


def test_a_definition_that_is_run_again_replaces_the_first(case):
    _, registry, register, define = case
    first, again = define(), define()
    assert first is not again
    register("own")(first)
    names = [*registry]
    assert register("own")(again) is again
    assert [*registry] == names
    assert defined(registry["own"]) is again


def test_another_definition_cannot_take_a_name(case):
    kind, registry, register, define = case
    name, entry = next(iter(registry.items()))
    of = defined(entry).__qualname__
    message = f"^There is already the {kind} '{name}', {of}; take another name.$"
    with pytest.raises(ValueError, match=message):
        register(name)(define())
    assert registry[name] is entry


def test_another_function_cannot_take_the_name_of_a_source_of_graphs():
    def go(table):
        return table

    register = tx.graph.register_source(
        what="Own", license="CC0", download="packaged", reference=""
    )
    with pytest.raises(ValueError, match="already the source of graphs 'go', go; take another"):
        register(go)
    assert SOURCES["go"].builder is tx.graph.go


@pytest.mark.parametrize("name", ["scale", "calibration", "target"])
def test_names_that_mean_something_else_are_no_components(name):
    register = tx.model.register_component(name, description="none")
    with pytest.raises(ValueError, match=f"cannot be named '{name}', which .*take another name"):
        register(_component())
    assert name not in COMPONENTS


def test_saved_weights_name_nothing_but_components_and_what_is_reserved():
    from txpert.model._component import _RESERVED
    from txpert.model._stacking import Weights

    saved = Weights({"mean": 0.5}).to_dict()
    assert set(saved) - {"mean"} <= set(_RESERVED)


def test_objects_without_a_name_go_by_what_they_are_of():
    registry = {}
    add = partial(add_entry, registry, "x", kind="thing", definition=lambda known: known)
    add(partial(np.mean, axis=0))
    add(partial(np.mean, axis=1))
    assert registry["x"].keywords == {"axis": 1}
    with pytest.raises(ValueError, match="already the thing 'x', mean; take"):
        add(partial(np.median, axis=1))


def test_descriptions_are_first_lines_of_own_docstrings():
    class Without(tx.baselines.Baseline):
        pass

    assert first_line(_encoder()) == "Own encoder."
    assert first_line(_metric()) == "Own metric."
    assert first_line(Without) == ""


def test_tables_have_a_row_per_entry_in_order():
    found = table({"b": 1, "a": 2}, lambda name, entry: {"twice": 2 * entry, "of": name})
    expected = pd.DataFrame(
        {"twice": [2, 4], "of": ["b", "a"]}, index=pd.Index(["b", "a"], name="name")
    )
    pd.testing.assert_frame_equal(found, expected)
