"""The package imports one way and brings nothing heavy with it."""

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import txpert

ROOT = Path(txpert.__file__).parent
ORDER = [
    {
        "_constants",
        "_compat",
        "_types",
        "_files",
        "_gene_names",
        "_layers",
        "_options",
        "_registry",
        "_repr",
        "_transfer",
    },
    {"_accelerator"},
    {"_csv", "_fingerprint", "_stored", "_download", "_heat_polynomial"},
    {"_computed"},
    {"_refined"},
    {"graph", "nn", "metrics", "_ranking"},
    {"data"},
    {"effects", "splits", "evaluation"},
    {"baselines", "model"},
    {"pp", "get", "_cite", "_screen_files"},
    {"datasets", "_analysis"},
    {"tl"},
    {"_benchmark"},
    {"pl", "testing"},
    {"_report"},
    {"demo", "_reproduce"},
    {"_cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
CELLS = {"scvi", "anndata", "scanpy", "mudata"}
NETWORKS = {"torch", "lightning", "torch_geometric", "scvi"}
FORBIDDEN = {
    "pl": {"torch", "lightning", "torch_geometric"},
    "nn": CELLS,
    "metrics": CELLS | NETWORKS,
    "graph": CELLS - {"anndata"} | {"torch", "lightning"},
    "data": NETWORKS,
    "effects": NETWORKS,
    "splits": NETWORKS,
    "evaluation": NETWORKS,
    "get": NETWORKS,
    "_analysis": CELLS | NETWORKS,
}
CONVERTERS = {"graph/_interop.py"}
"""Files that turn our objects into those of a library, which they import when called."""


def imported(path: Path) -> set[str]:
    """Absolute module names that a file imports, at any depth."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module)
            if node.module == "txpert":
                names |= {f"txpert.{alias.name}" for alias in node.names}
    return names


FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path):
    package = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in imported(path):
        top, _, rest = name.partition(".")
        if str(path.relative_to(ROOT)) not in CONVERTERS:
            assert top not in FORBIDDEN.get(package, ()), f"{package} must not import {top}"
        if top == "txpert" and rest:
            other = rest.split(".")[0]
            assert LEVEL[other] < LEVEL[package], f"{package} must not import {other}"


def neighbors(path: Path) -> set[str]:
    """Modules of its own room that a file imports, type-only imports included."""
    return {
        name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for name in ([node.module] if node.module else [alias.name for alias in node.names])
    }


@pytest.mark.parametrize("room", sorted({path.parent for path in FILES} - {ROOT}), ids=str)
def test_modules_of_a_room_import_in_no_circle(room):
    files = {path.stem: neighbors(path) for path in room.glob("*.py")}
    assert list(TopologicalSorter(files).static_order())


def arrows() -> dict[str, set[str]]:
    """Rooms and single files of the package, each with those that it imports."""
    found: dict[str, set[str]] = {}
    for path in FILES:
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        others = {name.split(".")[1] for name in imported(path) if name.startswith("txpert.")}
        found.setdefault(room, set()).update(others - {room})
    return found


def test_rooms_arrows_and_circles():
    found = arrows()
    n_rooms, n_arrows = len(found), sum(map(len, found.values()))
    possible = n_rooms * (n_rooms - 1) // 2
    # A circle raises CycleError.
    order = list(TopologicalSorter(found).static_order())
    print(f"{n_rooms} rooms, {n_arrows} arrows ({n_arrows / possible:.0%}), no circle")
    print("\n".join(f"{room}: {', '.join(sorted(found[room]))}" for room in order))
    assert set(order) == set(LEVEL), "every room has a floor, and there is no floor without a room"
    assert n_arrows < 0.4 * possible, "a house in which every room needs every other"


def test_the_model_knows_no_baseline():
    found = arrows()
    assert "baselines" not in found["model"]
    assert "model" not in found["baselines"]


@pytest.mark.parametrize("path", [ROOT / "__init__.py", *FILES], ids=str)
def test_every_module_says_in_one_line_what_it_is(path):
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert docstring.split("\n\n")[0].strip().endswith("."), "no docstring, or no full stop"
    assert "\n" not in docstring.split("\n\n")[0], "the first sentence takes more than a line"


@pytest.mark.parametrize("path", [p for p in FILES if p.name != "_compat.py"], ids=str)
def test_private_scvi_modules_are_imported_in_compat_only(path):
    private = [
        name
        for name in imported(path)
        if name.startswith("scvi.") and any(part.startswith("_") for part in name.split("."))
    ]
    assert not private


OUTSIDE = [path for path in FILES if path.relative_to(ROOT).parts[0] != "model"]


@pytest.mark.parametrize("path", OUTSIDE, ids=str)
def test_no_other_room_reads_private_attributes_of_a_model(path):
    read = [
        f"line {node.lineno}: model.{node.attr}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "model"
        and node.attr.startswith("_")
    ]
    assert not read


@pytest.mark.parametrize("path", sorted(ROOT.rglob("__init__.py")), ids=str)
def test_init_files_only_hand_names_on(path):
    for node in ast.parse(path.read_text()).body:
        assert isinstance(node, ast.ImportFrom | ast.Assign | ast.Expr)
    assert "__all__" in path.read_text()


def test_import_brings_nothing_heavy():
    code = (
        "import sys, json, scvi; before = set(sys.modules); import txpert;"
        "print(json.dumps(sorted({m.split('.')[0] for m in set(sys.modules) - before})))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = set(json.loads(out.stdout.splitlines()[-1]))
    heavy = {"scanpy", "networkx", "pooch", "dask", "seaborn", "goatools", "ray", "statsmodels"}
    assert "txpert" in new
    assert not heavy & new
