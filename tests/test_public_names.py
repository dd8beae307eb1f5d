"""The public names: few enough to read, each told apart from the others, each with a home."""

import importlib
import inspect
import pkgutil
import re
import types
from pathlib import Path

import txpert

ROOMS = ["txpert"] + [
    f"txpert.{room.name}"
    for room in pkgutil.iter_modules(txpert.__path__)
    if room.ispkg and not room.name.startswith("_")
]
MOST = 120
ANALYSES = ("txpert.tl.", "txpert.pl.", "txpert.get.")
"""One name per analysis or figure, which users look up by what they want to see."""


def public_names():
    """Qualified name and object of whatever is public, rooms and dunders apart."""
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            if not isinstance(value, types.ModuleType) and not name.startswith("__"):
                yield f"{room}.{name}", value


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


def test_what_users_call_has_an_example():
    page = (Path(__file__).parents[1] / "docs" / "api_users.md").read_text()
    listed = set(re.findall(r"^   (?:\w+\.)*(\w+)$", page, re.MULTILINE))
    shown = {name: value for name, value in public_names() if name.rpartition(".")[2] in listed}
    assert len(shown) > 100
    without = [name for name, value in shown.items() if "Examples\n" not in inspect.getdoc(value)]
    assert without == []


def test_every_figure_is_in_the_gallery():
    page = (Path(__file__).parents[1] / "docs" / "gallery.md").read_text()
    folder = Path(__file__).parents[1] / "docs" / "_static" / "gallery"
    for name in txpert.pl.__all__:
        assert f"txpert.pl.{name}" in page
        assert (folder / f"{name}.png").is_file()
