"""Every public function × bad or odd input: the same result, or one clear error of ours."""

import logging
import re
import warnings

import pytest
from bad_input.arrays import GIVEN
from bad_input.doors import cells
from bad_input.expectations import (
    Refused,
    assert_equal,
    assert_refused,
    changed,
    contents,
    outcome,
)
from bad_input.options import OPTIONS, message_of, option_cells
from bad_input.screens import World

SCREENS, CHOICES = cells(), option_cells()


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


@pytest.mark.parametrize(
    ("name", "option", "value"), CHOICES, ids=[f"{n}, {o}={v!r}" for n, o, v in CHOICES]
)
def test_an_option_that_is_wrong(name, option, value, world):
    _, error, _ = outcome(lambda: OPTIONS[name][0](world, {option: value}))
    assert_refused(error, message_of(name, option))


@pytest.mark.parametrize("given", GIVEN, ids=[given.name for given in GIVEN])
def test_arrays_and_tables_that_are_bad_or_odd(given, world):
    found, error, told = outcome(lambda: given.call(world))
    if isinstance(given.expected, Refused):
        assert_refused(error, given.expected.message)
        return
    assert error is None, repr(error)
    if given.expected.warns:
        assert any(re.search(given.expected.warns, text) for text in told), told
    if given.expected.same:
        assert_equal(found, given.clean(world))


def test_the_table_is_large_enough():
    sizes = len(SCREENS), len(CHOICES), len(GIVEN)
    print(
        f"\n{sum(sizes):,} cells of bad or odd input: {sizes[0]:,} screens, {sizes[1]:,} options, "
        f"{sizes[2]:,} arrays, tables and other objects"
    )
    assert sum(sizes) >= 400
