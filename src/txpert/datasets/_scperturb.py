"""Loading any screen of scPerturb's collection by the name of its file."""

from __future__ import annotations

from anndata import AnnData

from txpert._files import FilePath

from ._layout import Layout
from ._opening import load
from ._public import SCREENS, Screen


def scperturb(
    name: str,
    *,
    path: FilePath | None = None,
    cache_dir: FilePath | None = None,
    backed: bool = False,
) -> AnnData:
    """Load a screen of scPerturb's collection by the name of its file.

    Columns and labels follow the collection's conventions: obs ``perturbation`` with
    ``"control"`` and, where ``nperts`` says so, combinations ``"A_B"``; ``batch`` or a GEM group;
    ``cell_line`` or ``celltype``; ``perturbation_type``. Not every file follows them:
    compare ``perturbation`` with ``published_label``. Labels that name guides are rewritten by
    :func:`txpert.pp.harmonize_labels`. The digest of files that :func:`show` does not list is not
    known here: the first download is taken as it comes.

    Parameters
    ----------
    name
        Such as ``"TianKampmann2021_CRISPRi"``; https://scperturb.org lists them.
    path, cache_dir, backed
        As in :func:`norman_2019`.

    Returns
    -------
    As of :func:`norman_2019`; batch, cell line and modality where the file has them.

    Raises
    ------
    FileNotFoundError, ConnectionError, KeyError, ValueError
        As :func:`norman_2019`, and if ``name`` is no name of a file.

    References
    ----------
    Peidli et al., Nature Methods 2024, `doi:10.1038/s41592-023-02144-y
    <https://doi.org/10.1038/s41592-023-02144-y>`__; Zenodo record 13350497, CC BY 4.0. Cite the
    screen's own publication too.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.scperturb("TianKampmann2021_CRISPRi")  # doctest: +SKIP
    """
    return load(_find(name), path, cache_dir, backed)


def _find(name: str) -> Screen:
    """Return a screen of scPerturb's collection by the name of its file.

    Raises
    ------
    ValueError
        If it is no name of a file.
    """
    file = f"{name.removesuffix('.h5ad')}.h5ad"
    if not name or not file.replace("_", "").replace("-", "").replace(".", "").isalnum():
        raise ValueError(
            f"{name!r} is no name of a file, such as 'TianKampmann2021_CRISPRi'; "
            "https://scperturb.org lists them."
        )
    known = [screen for screen in SCREENS.values() if screen.file == file]
    return known[0] if known else Screen(file, Layout(separator="_"), f'scperturb("{name}")')
