"""The data of the TxPert paper, from its record on Zenodo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from anndata import AnnData

from txpert._download import cache_folder
from txpert._files import FilePath, file_name

from . import _record as record
from ._layout import Layout
from ._opening import own_copy, read_converted

REFERENCE = "10.1038/s41587-026-03113-4"


def txpert_2026_files() -> pd.DataFrame:
    """List the files of the TxPert paper's record on Zenodo, as Zenodo says now.

    Returns
    -------
    One row per file: size in bytes, MD5 and license.

    Raises
    ------
    ConnectionError
        If the record can't be read; the message names the address.
    ValueError
        If the answer is not in the layout of a record.

    References
    ----------
    Zenodo record 15420279, `doi:10.5281/zenodo.15420279
    <https://doi.org/10.5281/zenodo.15420279>`__. The license is the one in the table.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.datasets.txpert_2026_files()  # doctest: +SKIP
    """
    files, license_ = record.listed()
    rows = [
        {"size": file.size, "md5": file.digest.removeprefix("md5:"), "license": license_}
        for file in files
    ]
    return pd.DataFrame(
        rows,
        index=pd.Index([file.name for file in files], name="file"),
        columns=["size", "md5", "license"],
    )


def txpert_2026(
    file: str,
    *,
    perturbation_key: str,
    control_label: str | Sequence[str],
    batch_key: str | None = None,
    cell_line_key: str | None = None,
    separator: str = "+",
    counts: bool = True,
    member: str | None = None,
    path: FilePath | None = None,
    cache_dir: FilePath | None = None,
    backed: bool = False,
) -> AnnData:
    """Load a screen of the TxPert paper's record on Zenodo, with the columns that you name.

    The download is compared with the MD5 that Zenodo lists at that time; an h5ad file, or the one
    in a zip file, is converted once. What the columns of the record's files are called is not
    known to this package: if a name is wrong, the error lists those that there are.

    Parameters
    ----------
    file
        One of :func:`txpert_2026_files`.
    perturbation_key
        obs column of what was done to each cell.
    control_label
        Label or labels of unperturbed cells.
    batch_key, cell_line_key
        obs columns of batch and cell line, if there are such.
    separator
        What joins the genes of a combination.
    counts
        Whether ``X`` holds raw counts; ``False`` if it is log-normalized.
    member
        Which h5ad file of a zip file that has several.
    path
        Your copy of ``file``, zip or h5ad, which is then not downloaded.
    cache_dir, backed
        As in :func:`norman_2019`.

    Returns
    -------
    As of :func:`norman_2019`; ``layers["counts"]`` only with ``counts=True``.

    Raises
    ------
    FileNotFoundError
        If there is no file at ``path``.
    ConnectionError
        If the record can't be read or the file not be downloaded; the message names the address.
    KeyError, ValueError
        If the record has no such file, it is damaged or no h5ad, or columns, labels or values are
        not as the arguments say.

    References
    ----------
    Wenkel, Tu et al., Nature Biotechnology 2026, `doi:10.1038/s41587-026-03113-4
    <https://doi.org/10.1038/s41587-026-03113-4>`__; Zenodo record 15420279. License: the one that
    :func:`txpert_2026_files` shows. Cite the screen's own publication too.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.txpert_2026(  # doctest: +SKIP
    ...     "screen.zip", perturbation_key="condition", control_label="ctrl"
    ... )
    """
    labels = (control_label,) if isinstance(control_label, str) else tuple(control_label)
    layout = Layout(
        perturbation=perturbation_key,
        controls=labels,
        batches=(batch_key,) if batch_key else (),
        separator=separator,
        cell_lines=(cell_line_key,) if cell_line_key else (),
        needed=tuple(key for key in (batch_key, cell_line_key) if key),
        counts=counts,
    )
    about = {
        "name": file if member is None else f"{file}: {member}",
        "reference": REFERENCE,
        "collection": f"10.5281/zenodo.{record.RECORD}",
        "license": f"as {record.page()} says",
        "address": record.page(),
    }
    own = own_copy(path)
    folder = cache_folder(cache_dir)

    @contextmanager
    def published() -> Iterator[Path]:
        source = own or record.downloaded(file, folder)
        with record.unpacked(source, member, folder) as h5ad:
            yield h5ad

    stem = f"{record.RECORD}-{file_name(Path(file).stem)}"
    return read_converted(folder, stem, layout, about, own, published, backed)
