"""Every public function × bad or odd input: the same result, or one clear error of ours."""

import logging
import re
import warnings

import pytest
from bad_input.doors import cells
from bad_input.expectations import (
    Refused,
    assert_equal,
    assert_refused,
    changed,
    contents,
    outcome,
)
from bad_input.screens import World

SCREENS = cells()


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    return World(tmp_path_factory.mktemp("bad_input"))


@pytest.fixture(scope="session")
def clean_results(world):
    """Return what each door gives for the clean screen, without a warning of ours."""
    found = {}

    def of(door):
        if door.name not in found:
            data = door.prepare(world.clean.copy(), world)
            found[door.name], error, _ = outcome(lambda: door.run(data, world))
            assert error is None, error
        return found[door.name]

    return of


@pytest.mark.parametrize(
    ("door", "corruption"), SCREENS, ids=[f"{door.name}, {way.name}" for door, way in SCREENS]
)
def test_a_screen_that_is_bad_or_odd(door, corruption, world, clean_results):
    expected = door.expects(corruption)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = corruption(door.prepare(world.clean.copy(), world))
    before = contents(data)
    found, error, told = outcome(lambda: door.run(data, world))
    touched = changed(before, contents(data))
    if isinstance(expected, Refused):
        assert_refused(error, expected.message)
        allowed = door.writes if door.name == "TxPertModel" else ()
    else:
        assert error is None, repr(error)
        allowed = door.writes
        if expected.warns:
            assert any(re.search(expected.warns, text) for text in told), told
        if expected.same:
            assert_equal(found, clean_results(door))
    assert not [name for name in touched if not name.startswith(allowed or ("-",))], touched
