"""Ways in which a screen is bad or odd, and what each must come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from .expectations import RUNS, SAME, Expected, Refused, Works

MISSING, LABELS, FLAG, BATCH, LINE, NAMES = "missing", "labels", "flag", "batch", "line", "names"
VALUES, PERTURBED, FORMAT, GENES, SPLIT = "values", "perturbed", "format", "genes", "split"


@dataclass(frozen=True)
class Corruption:
    """One way, what it touches, and what comes of it where that is read.

    ``everywhere`` means at every door; others are tried at a few doors of their kind.
    """

    name: str
    touches: str
    change: Callable[[AnnData], AnnData | None]
    expected: Expected
    everywhere: bool = False

    def __call__(self, adata: AnnData) -> AnnData:
        changed = self.change(adata)
        return adata if changed is None else changed


def _column(name, value):
    """Put a value into the rows of two controls and of a perturbation."""

    def change(adata):
        column = adata.obs[name].astype(object).to_numpy(copy=True)
        rows = (adata.obs["perturbation"] == "KLF1").to_numpy(copy=True)
        rows[2:4] = True
        column[rows] = value
        adata.obs[name] = column

    return change


def _labels(old, new):
    def change(adata):
        labels = adata.obs["perturbation"].astype(object)
        adata.obs["perturbation"] = labels.where(labels != old, new)

    return change


def _some(old, new):
    """Give half of the cells of a label another spelling."""

    def change(adata):
        labels = adata.obs["perturbation"].astype(object).to_numpy(copy=True)
        labels[np.flatnonzero(labels == old)[::2]] = new
        adata.obs["perturbation"] = labels

    return change


def _as(name, convert):
    def change(adata):
        adata.obs[name] = convert(adata.obs[name])

    return change


def _x(change_values):
    def change(adata):
        values = np.array(adata.X, dtype=np.float32)
        adata.X = change_values(values)

    return change


def _cell(value, cell=3):
    def change(values):
        values[cell, 3] = value
        return values

    return _x(change)


def _format(convert):
    def change(adata):
        if "counts" in adata.layers:
            adata.layers["counts"] = convert(adata.layers["counts"].toarray())
        adata.X = convert(np.array(adata.X, dtype=np.float32))

    return change


def _indices(kind):
    def convert(values):
        csr = sparse.csr_matrix(values)
        csr.indices, csr.indptr = csr.indices.astype(kind), csr.indptr.astype(kind)
        return csr

    return convert


def repeated(values):
    """Write every value as two entries of half of it."""
    csr = sparse.csr_matrix(values)
    parts = np.repeat(csr.data / 2, 2), np.repeat(csr.indices, 2), csr.indptr * 2
    return sparse.csr_matrix(parts, shape=csr.shape)


def unsorted(values):
    csr = sparse.csr_matrix(values)
    for start, end in zip(csr.indptr, csr.indptr[1:], strict=False):
        csr.indices[start:end] = csr.indices[start:end][::-1].copy()
        csr.data[start:end] = csr.data[start:end][::-1].copy()
    csr.has_sorted_indices = False
    return csr


def read_only(values):
    values = values.copy()
    values.setflags(write=False)
    return values


def read_only_csr(values):
    csr = sparse.csr_matrix(values)
    for part in (csr.data, csr.indices, csr.indptr):
        part.setflags(write=False)
    return csr


def explicit_zeros(values):
    csr = sparse.csr_matrix(np.where(values == 0, 1, values))
    csr.data[(values == 0).ravel()] = 0
    return csr


def masked(values):
    mask = np.zeros(values.shape, dtype=bool)
    mask[3, 3] = True
    return np.ma.masked_array(values, mask)


def _twice(name):
    def change(adata):
        adata.obs = pd.concat([adata.obs, adata.obs[[name]]], axis=1)

    return change


def _index_name(name):
    def change(adata):
        adata.obs.index.name = name

    return change


def _number_named(adata):
    adata.obs[5] = 1.0


def _without(name, *, number=False):
    def change(adata):
        if number:
            _number_named(adata)
        del adata.obs[name]

    return change


def _names(axis, *, repeated_name=False, prefix=""):
    def change(adata):
        held = list(getattr(adata, axis))
        if repeated_name:
            held[1] = held[0]
        setattr(adata, axis, [prefix + name for name in held])

    return change


def _genes(order):
    return lambda adata: adata[:, order(adata.var_names)].copy()


def _more_genes(adata):
    n = adata.n_vars
    wide = AnnData(
        np.hstack([np.asarray(adata.X), np.asarray(adata.X)[:, :2]]),
        obs=adata.obs.copy(),
        var=pd.DataFrame(index=[*adata.var_names, "EXTRA1", "EXTRA2"]),
        layers={"counts": sparse.hstack([adata.layers["counts"]] * 2, format="csr")[:, : n + 2]},
    )
    return wide


def _half_counts(values):
    values[::2] = np.round(np.expm1(values[::2]))
    return values


def _batch_without_controls(adata):
    batch = adata.obs["batch"].astype(object)
    batch[(adata.obs["perturbation"] == "KLF1").to_numpy()] = "3"
    adata.obs["batch"] = batch


_MISSING = r"NaN or empty|missing value"
_MEANS_CONTROL = "which means control"
_BY_NUMBER = Works(warns="are numbers")
_SEPARATOR = Works(same=False, warns="joined by another sign than")
_GUIDE = Works(same=False, warns="look like guides")
_CASE = Works(same=False, warns="differ from others by case, spaces or punctuation")
_NO_NUMBERS = "no real numbers|not real numbers|objects that are no numbers"


def _missing_labels():
    for text in (np.nan, None, pd.NA, "", "  ", "nan", "NaN", "None", "<NA>", "NA", "n/a", "null"):
        yield Corruption(
            f"label {text!r}",
            MISSING,
            _labels("KLF1", text),
            Refused(f"'perturbation'.*({_MISSING})"),
            everywhere=text is np.nan or text is None,
        )


def _label_ways():
    for text in ("ctrl", "Control", "NT", "non-targeting", "Non-Targeting_1", "safe-targeting"):
        change = _labels("KLF1", text)
        name = f"unflagged {text!r}"
        expected = Refused(f"{text!r}, which means control")
        yield Corruption(name, LABELS, change, expected, everywhere=text == "NT")
    for text in ("unassigned", "multiplet"):
        change = _labels("KLF1", text)
        yield Corruption(f"label {text!r}", LABELS, change, Refused(f"{text!r}, which names no"))
    for text in ("KLF1+", "+KLF1", "KLF1++TP53"):
        yield Corruption(
            f"label {text!r}", MISSING, _labels("KLF1", text), Refused("has an empty part")
        )
    yield Corruption(
        "part 'nan'", MISSING, _labels("KLF1", "KLF1+nan"), Refused("'nan', a missing value")
    )
    for sign in ("_", "|", "||", "&", ",", ";", "/", " and "):
        change = _labels("JAK2+STAT1", f"JAK2{sign}STAT1")
        name = f"separator {sign!r}"
        yield Corruption(name, LABELS, change, _SEPARATOR, everywhere=sign == "_")
    for guide in ("KLF1_1", "sgKLF1-2", "KLF1_P1P2", "KLF1.1"):
        yield Corruption(
            f"guide {guide!r}",
            LABELS,
            _some("KLF1", guide),
            _GUIDE,
            everywhere=guide == "KLF1_1",
        )
    yield Corruption("other case", LABELS, _some("KLF1", "klf1"), _CASE, everywhere=True)
    alias = Works(same=False, warns="other names of genes|another name there")
    yield Corruption("alias", LABELS, _some("KMT2A", "MLL"), alias)
    yield Corruption("alias of a var name", LABELS, _labels("RARS1", "RARS"), alias)
    for text in (" KLF1", "KLF1 ", "KLF1+KLF1", "KLF1+control", "ctrl+KLF1"):
        yield Corruption(f"label {text!r}", LABELS, _labels("KLF1", text), SAME)
    yield Corruption("B+A", LABELS, _labels("JAK2+STAT1", "STAT1+JAK2"), SAME, everywhere=True)
    yield Corruption("codes", LABELS, _labels("KLF1", "17"), Works(False, "are numbers"))
    yield Corruption("own control label", LABELS, _labels("control", "AAVS1"), SAME)
    yield Corruption("categories", LABELS, _as("perturbation", pd.Categorical), SAME)
    yield Corruption("strings", LABELS, _as("perturbation", lambda c: c.astype("string")), SAME)
    yield Corruption(
        "unused categories",
        LABELS,
        _as("perturbation", lambda c: c.astype("category").cat.add_categories(["A+", "nan"])),
        SAME,
    )
    yield Corruption(
        "ordered categories",
        LABELS,
        _as("perturbation", lambda c: pd.Categorical(c, sorted(set(c))[::-1], ordered=True)),
        SAME,
        everywhere=True,
    )


def _flags():
    def each(name, convert, expected, everywhere=False):
        return Corruption(f"flag {name}", FLAG, _as("control", convert), expected, everywhere)

    yield each("text", lambda c: c.astype(str), SAME, everywhere=True)
    yield each("lower text", lambda c: c.astype(str).str.lower(), SAME)
    yield each("integers", lambda c: c.astype(int), SAME)
    yield each("floats", lambda c: c.astype(float), SAME)
    yield each("'1'", lambda c: c.astype(int).astype(str), SAME)
    yield each("categories", lambda c: c.astype("category"), SAME)
    yield each("objects", lambda c: c.astype(object), SAME)
    yield each("nullable", lambda c: c.astype("boolean"), SAME)
    flag = "'control', must be True or False"
    yield each("yes", lambda c: c.map({True: "yes", False: "no"}), Refused(flag), everywhere=True)
    yield each("2", lambda c: c.astype(int) * 2, Refused(flag))
    yield each("NaN", _half_missing, Refused(flag), everywhere=True)
    yield each("dates", lambda c: pd.Timestamp("2020-01-01"), Refused(flag))
    yield each("no control", lambda c: c & False, Refused("No cell is a control"), everywhere=True)
    yield each("all controls", lambda c: c | True, Refused("is True everywhere"), everywhere=True)
    some = Refused("flagged as controls in some rows")
    yield Corruption(
        "flag mixed", FLAG, _as("control", lambda c: c & (np.arange(len(c)) > 4)), some
    )
    yield Corruption(
        "flag missing", FLAG, _without("control"), Refused("no column 'control'"), everywhere=True
    )


def _half_missing(flags):
    return flags.astype(object).where(np.arange(len(flags)) % 2 > 0, np.nan)


def _contexts():
    for name, touches in (("batch", BATCH), ("cell_line", LINE)):
        for text in (np.nan, "", "nan", "None", "<NA>"):
            yield Corruption(
                f"{name} {text!r}",
                touches,
                _column(name, text),
                Refused(f"'{name}'.*({_MISSING})"),
                everywhere=text is np.nan,
            )
    for kind in (int, float, "category", "string", object):
        change = _as(
            "batch", lambda c, kind=kind: c.astype(int if kind is float else str).astype(kind)
        )
        label = kind if isinstance(kind, str) else kind.__name__
        expected = SAME if kind is not float else RUNS
        yield Corruption(f"batch as {label}", BATCH, change, expected, everywhere=kind is int)
    yield Corruption("line as int", LINE, _as("cell_line", lambda c: 5), RUNS)
    yield Corruption("no batch", BATCH, _without("batch"), RUNS, everywhere=True)
    yield Corruption("no line", LINE, _without("cell_line"), RUNS)
    yield Corruption(
        "batch without controls",
        BATCH,
        _batch_without_controls,
        Refused("no control cells: K562 / 3"),
    )
    for name, values in (("batch", ("1", "1 ")), ("cell_line", ("K562", "k562"))):
        yield Corruption(
            f"{name} spelled twice",
            BATCH if name == "batch" else LINE,
            _as(name, lambda c, v=values: np.where(np.arange(len(c)) % 4 < 2, *v)),
            Works(same=False, warns=f"'{name}' has names that differ by case"),
            everywhere=name == "batch",
        )


def _name_ways():
    yield Corruption(
        "obs names twice", NAMES, _names("obs_names", repeated_name=True), SAME, everywhere=True
    )
    yield Corruption(
        "var names twice",
        NAMES,
        _names("var_names", repeated_name=True),
        Refused("'JAK2' .*occurs more than once"),
        everywhere=True,
    )
    for name in ("perturbation", "batch", "control", "cell_line", "index", "split"):
        yield Corruption(
            f"index {name}", NAMES, _index_name(name), SAME, everywhere=name == "perturbation"
        )
    columns = {"perturbation": MISSING, "control": FLAG, "batch": BATCH, "cell_line": LINE}
    for name, touches in columns.items():
        yield Corruption(
            f"{name} twice",
            touches,
            _twice(name),
            Refused(f"'{name}' occurs 2 times"),
            everywhere=True,
        )
    yield Corruption("a number as column", NAMES, _number_named, SAME, everywhere=True)
    yield Corruption(
        "no labels, a number as column",
        MISSING,
        _without("perturbation", number=True),
        Refused("no column 'perturbation'"),
        everywhere=True,
    )


def _value_ways():
    refused = {np.nan: "NaN or infinite", np.inf: "infinite", -1: "negative", 1e9: "too large"}
    for value, message in refused.items():
        often = value is np.nan
        name = f"{value} in a control"
        yield Corruption(name, VALUES, _cell(value), Refused(message), often)
        name = f"{value} in a perturbed cell"
        yield Corruption(name, PERTURBED, _cell(value, 25), Refused(message), often)
    counts = Refused("raw counts|too large|without a logarithm")
    for name, change in {
        "counts": lambda x: np.round(np.expm1(x)),
        "half counts": _half_counts,
        "no logarithm": np.expm1,
    }.items():
        yield Corruption(name, VALUES, _x(change), counts, name != "no logarithm")
    yield Corruption("scaled", VALUES, _x(lambda x: x - x.mean(axis=0)), Refused("negative"))
    empty = Works(same=False, warns="zero in all genes")
    without = _x(lambda x: x * ~np.isin(np.arange(len(x)), (3, 25))[:, None])
    yield Corruption("empty cells", VALUES, without, empty, everywhere=True)
    zero = Refused("is zero|No gene is measured")
    yield Corruption("all zero", VALUES, _x(lambda x: x * 0), zero, everywhere=True)


def _formats():
    ways = {
        "csr": sparse.csr_matrix,
        "csc": sparse.csc_matrix,
        "csr_array": sparse.csr_array,
        "csc_array": sparse.csc_array,
        "repeated": repeated,
        "unsorted": unsorted,
        "explicit zeros": explicit_zeros,
        "float16": lambda x: x.astype(np.float16),
        "float64": lambda x: x.astype(np.float64),
        "longdouble": lambda x: x.astype(np.longdouble),
        "big-endian": lambda x: x.astype(">f4"),
        "int64 indices": _indices(np.int64),
        "read-only": read_only,
        "read-only csr": read_only_csr,
        "Fortran": np.asfortranarray,
        "masked": np.ma.masked_array,
        "objects": lambda x: x.astype(object),
        "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    }
    often = ("csc", "repeated", "float16", "big-endian", "int64 indices", "read-only")
    for name, convert in ways.items():
        yield Corruption(name, FORMAT, _format(convert), SAME, everywhere=name in often)
    yield Corruption("masked values", FORMAT, _format(masked), Refused("masked"), everywhere=True)
    yield Corruption("complex", FORMAT, _format(lambda x: x.astype(complex)), Refused(_NO_NUMBERS))


def _gene_ways():
    yield Corruption("genes reordered", GENES, _genes(lambda names: names[::-1]), SAME, True)
    yield Corruption("genes fewer", GENES, _genes(lambda names: names[:-2]), RUNS, True)
    yield Corruption("genes more", GENES, _more_genes, RUNS, True)
    yield Corruption("genes of other names", GENES, _names("var_names", prefix="X"), RUNS, True)


def _splits():
    yield Corruption(
        "split unknown",
        SPLIT,
        _column("split", "validation"),
        Refused("'split'.*'validation'"),
        True,
    )
    yield Corruption(
        "split categories",
        SPLIT,
        _as("split", lambda c: c.astype("category").cat.add_categories(["other"])),
        SAME,
        True,
    )
    yield Corruption(
        "split text nan", SPLIT, _as("split", lambda c: c.fillna("nan")), Refused("'split'.*'nan'")
    )
    yield Corruption(
        "split mixed",
        SPLIT,
        _as("split", lambda c: np.where(np.arange(len(c)) % 4 < 2, "train", "test")),
        Refused("in more than one split|several splits"),
    )


CORRUPTIONS = [
    *_missing_labels(),
    *_label_ways(),
    *_flags(),
    *_contexts(),
    *_name_ways(),
    *_value_ways(),
    *_formats(),
    *_gene_ways(),
    *_splits(),
]
