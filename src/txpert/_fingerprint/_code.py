"""Functions, classes and modules, in parts that are hashed one after the other."""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

from ._parts import Raw, Unordered, module_of

_PACKAGES = {"site-packages", "dist-packages"}
_WITHOUT_EFFECT = {
    "__abstractmethods__",
    "__annotations__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__module__",
    "__slotnames__",
    "__static_attributes__",
    "__weakref__",
    "_abc_impl",
}
"""Attributes of a class that decide nothing, are new in every session or come with its use."""
_CODE = (
    "co_code",
    "co_consts",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_flags",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_exceptiontable",
)


def parts_of_code(value: Any) -> Iterator[Any] | None:
    """Return what functions, classes and modules are made of; ``None`` of others."""
    if isinstance(value, FunctionType):
        return _of_function(value)
    if isinstance(value, CodeType):
        return (getattr(value, name) for name in _CODE)
    if isinstance(value, MethodType):
        return iter([value.__func__, value.__self__])
    if isinstance(value, BuiltinFunctionType):
        owner = None if isinstance(value.__self__, ModuleType) else value.__self__
        return iter([*_name(value), owner])
    if isinstance(value, type):
        return _of_class(value)
    if isinstance(value, ModuleType):
        return _of_module(value)
    if isinstance(value, staticmethod | classmethod):
        return iter([value.__func__])
    if isinstance(value, property):
        return iter([value.fget, value.fset, value.fdel])
    if isinstance(value, cached_property):
        return iter([value.func])
    if callable(getattr(value, "cache_info", None)) and hasattr(value, "__wrapped__"):
        return iter([value.__wrapped__])
    return None


def _of_function(function: FunctionType) -> Iterator[Any]:
    yield from (function.__code__, function.__defaults__, function.__kwdefaults__)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not yet filled
            yield Raw(b"empty")
    yield function.__dict__
    if is_installed(module_of(function)):
        yield from _name(function)
        return
    for name in sorted(_globals_read(function.__code__)):
        if name in function.__globals__:
            yield from (name, function.__globals__[name])


def _globals_read(code: CodeType) -> set[str]:
    names = {
        str(step.argval)
        for step in dis.get_instructions(code)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return names.union(*map(_globals_read, inner))


def _of_class(kind: type) -> Iterator[Any]:
    yield from _name(kind)
    if is_installed(module_of(kind)):
        return
    yield from kind.__bases__
    yield Unordered(
        (name, value)
        for name, value in vars(kind).items()
        if name not in _WITHOUT_EFFECT
        and not isinstance(value, MemberDescriptorType | GetSetDescriptorType)
    )


def _of_module(module: ModuleType) -> Iterator[Any]:
    yield from (module.__name__, release(module.__name__))
    file = getattr(module, "__file__", None)
    if file and not is_installed(module.__name__):
        yield Raw(Path(file).read_bytes())


def _name(value: Any) -> list[str]:
    module = module_of(value)
    return [module, value.__qualname__, release(module) if is_installed(module) else ""]


@cache
def is_installed(module: str | None) -> bool:
    """Whether a module is of Python, of this package or of an installed one.

    These are told by their version; the code of others is read.
    """
    top = (module or "builtins").partition(".")[0]
    if top == "__main__":
        return False
    if top == "txpert" or top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(top), "__file__", None)
    return file is not None and bool(_PACKAGES & set(Path(file).parts))


@cache
def release(module: str | None) -> str:
    """Return the version of the package that a module is of; empty where it has none."""
    top = (module or "builtins").partition(".")[0]
    if top in sys.stdlib_module_names:
        return ".".join(map(str, sys.version_info[:2]))
    said = vars(sys.modules[top]).get("__version__") if top in sys.modules else None
    if said is not None:
        return str(said)
    try:
        return version(top)
    except PackageNotFoundError:
        return ""
