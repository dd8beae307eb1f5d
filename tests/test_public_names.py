"""The public names: few enough to read, each told apart from the others, each with a home."""

import importlib
import inspect
import pkgutil
import re
import types
from pathlib import Path

import pytest

import txpert

ROOMS = ["txpert"] + [
    f"txpert.{room.name}"
    for room in pkgutil.iter_modules(txpert.__path__)
    if room.ispkg and not room.name.startswith("_")
]
MOST = 120
ANALYSES = ("txpert.tl.", "txpert.pl.", "txpert.get.")
"""One name per analysis or figure, which users look up by what they want to see."""
ONLY_RAISE = {
    "differential_abundance",
    "get_normalized_expression",
    "posterior_predictive_sample",
}
"""Methods of scvi-tools that have no meaning here: calling one is an error, so none is shown."""


def public_names():
    """Qualified name and object of whatever is public, rooms and dunders apart."""
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            if not isinstance(value, types.ModuleType) and not name.startswith("__"):
                yield f"{room}.{name}", value


def has_example(value):
    """Say whether an object's own docstring, not an inherited one, has an example."""
    return ">>> " in (value.__doc__ or "").partition("Examples\n")[2]


def test_there_are_at_most_120_public_names_besides_analyses_and_figures():
    names = [name for name, _ in public_names() if not name.startswith(ANALYSES)]
    names.remove("txpert.model.TxPertModel")
    assert len(names) <= MOST, f"{len(names)} public names: what do users never need?"


def test_no_two_public_names_differ_in_case_only():
    names = {name for name, _ in public_names()}
    assert len({name.casefold() for name in names}) == len(names)


def test_every_room_is_reached_from_the_package():
    rooms = {room.removeprefix("txpert.") for room in ROOMS[1:]}
    assert rooms == {name for name in rooms if hasattr(txpert, name)}
    assert rooms - set(txpert.__all__) == set()


@pytest.mark.parametrize(("page", "least"), [("api_users.md", 100), ("api_developers.md", 25)])
def test_what_a_page_lists_has_an_example(page, least):
    text = (Path(__file__).parents[1] / "docs" / page).read_text()
    listed = set(re.findall(r"^   (?:\w+\.)*(\w+)$", text, re.MULTILINE))
    shown = {name: value for name, value in public_names() if name.rpartition(".")[2] in listed}
    assert len(shown) > least
    without = [name for name, value in shown.items() if not has_example(value)]
    assert not without, f"no example: {', '.join(without)}"


def test_every_method_of_the_model_has_an_example():
    model = txpert.TxPertModel
    methods = {
        name: method
        for name, method in inspect.getmembers(model, inspect.isroutine)
        if not name.startswith("_") and method.__module__.startswith("txpert.")
    }
    assert set(methods) >= {*ONLY_RAISE, "train", "predict", "save", "load"}
    without = {name for name, method in methods.items() if not has_example(method)} - ONLY_RAISE
    assert not without, f"no example: {', '.join(sorted(without))}"


@pytest.mark.parametrize("of", [txpert.graph.KnowledgeGraph, txpert.BenchmarkResult])
def test_every_method_that_users_call_has_an_example(of):
    methods = inspect.getmembers(of, inspect.isroutine)
    own = {name: method for name, method in methods if not name.startswith("_")}
    assert {"save", "load", "summary"} <= set(own)
    without = sorted(name for name, method in own.items() if not has_example(method))
    assert not without, f"no example: {', '.join(without)}"


def test_every_figure_is_in_the_gallery():
    page = (Path(__file__).parents[1] / "docs" / "gallery.md").read_text()
    folder = Path(__file__).parents[1] / "docs" / "_static" / "gallery"
    for name in txpert.pl.__all__:
        assert f"txpert.pl.{name}" in page
        assert (folder / f"{name}.png").is_file()
