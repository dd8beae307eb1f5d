"""The functions that load public screens of one study each."""

from __future__ import annotations

from typing import Literal

from anndata import AnnData

from txpert._files import FilePath

from ._opening import load
from ._public import SCREENS, Screen


def norman_2019(
    *, path: FilePath | None = None, cache_dir: FilePath | None = None, backed: bool = False
) -> AnnData:
    """Load Norman et al. 2019: CRISPRa of single genes and pairs in K562.

    111,445 cells × 33,694 genes; 105 genes and 131 pairs of them. Downloads 0.7 GB once.

    Parameters
    ----------
    path
        Your copy of the file published, which is then not downloaded.
    cache_dir
        Folder for downloads and converted files. By default the environment variable
        ``TXPERT_CACHE``, else the user's cache folder.
    backed
        Leave the counts on disk, for data larger than memory.

    Returns
    -------
    Cells × genes with raw counts in ``X`` and, unless ``backed``, in ``layers["counts"]``. obs:
    ``perturbation`` (genes joined by ``"+"``, or ``"control"``), ``control``, ``batch``,
    ``cell_line``, ``modality``, ``published_label``, and the columns as published.
    ``uns["screen"]`` names publication, license and address.

    Raises
    ------
    FileNotFoundError
        If there is no file at ``path``.
    ConnectionError
        If the file can't be downloaded; the message names the address and where to put it.
    KeyError, ValueError
        If the file is damaged, is no h5ad, or is not in the layout published.

    References
    ----------
    Norman et al., Science 2019, `doi:10.1126/science.aax4438
    <https://doi.org/10.1126/science.aax4438>`__, as prepared by scPerturb (Peidli et al., Nature
    Methods 2024, `doi:10.1038/s41592-023-02144-y <https://doi.org/10.1038/s41592-023-02144-y>`__;
    Zenodo record 13350497). License: CC BY 4.0.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.norman_2019()  # doctest: +SKIP
    >>> tx.pp.normalize(adata)  # doctest: +SKIP
    """
    return load(SCREENS["norman_2019"], path, cache_dir, backed)


def replogle_2022(
    line: Literal["K562", "RPE1"] = "K562",
    scope: Literal["essential", "genome_wide"] = "essential",
    *,
    path: FilePath | None = None,
    cache_dir: FilePath | None = None,
    backed: bool = False,
) -> AnnData:
    """Load Replogle et al. 2022: CRISPRi of essential or of all expressed genes in K562 or RPE1.

    Downloads 1.2 GB (RPE1), 1.5 GB (K562) or 8.8 GB (K562, genome-wide; use ``backed=True``) once.

    Parameters
    ----------
    line
        Cell line.
    scope
        Genes perturbed. RPE1 was screened for essential genes only.
    path, cache_dir, backed
        As in :func:`norman_2019`.

    Returns
    -------
    As of :func:`norman_2019`.

    Raises
    ------
    FileNotFoundError, ConnectionError, KeyError, ValueError
        As :func:`norman_2019`, and if there is no such screen.

    References
    ----------
    Replogle et al., Cell 2022, `doi:10.1016/j.cell.2022.05.013
    <https://doi.org/10.1016/j.cell.2022.05.013>`__, as prepared by scPerturb
    (:func:`norman_2019`). License: CC BY 4.0.

    Examples
    --------
    >>> import txpert as tx
    >>> rpe1 = tx.datasets.replogle_2022("RPE1")  # doctest: +SKIP
    """
    return load(_chosen("replogle_2022", f"{line}_{scope}"), path, cache_dir, backed)


def nadig_2025(
    line: Literal["HepG2", "Jurkat"] = "HepG2",
    *,
    path: FilePath | None = None,
    cache_dir: FilePath | None = None,
    backed: bool = False,
) -> AnnData:
    """Load Nadig et al. 2025: CRISPRi of essential genes in HepG2 or Jurkat.

    Downloads 0.9 GB (HepG2) or 1.3 GB (Jurkat) once.

    Parameters
    ----------
    line
        Cell line.
    path, cache_dir, backed
        As in :func:`norman_2019`.

    Returns
    -------
    As of :func:`norman_2019`.

    Raises
    ------
    FileNotFoundError, ConnectionError, KeyError, ValueError
        As :func:`norman_2019`, and if there is no such line.

    References
    ----------
    Nadig et al., Nature Genetics 2025, `doi:10.1038/s41588-025-02169-3
    <https://doi.org/10.1038/s41588-025-02169-3>`__, as prepared by scPerturb
    (:func:`norman_2019`). License: CC BY 4.0.

    Examples
    --------
    >>> import txpert as tx
    >>> jurkat = tx.datasets.nadig_2025("Jurkat")  # doctest: +SKIP
    """
    return load(_chosen("nadig_2025", line), path, cache_dir, backed)


def adamson_2016(
    *, path: FilePath | None = None, cache_dir: FilePath | None = None, backed: bool = False
) -> AnnData:
    """Load Adamson et al. 2016: CRISPRi of genes of the unfolded protein response in K562.

    The screen of single genes (10X010), 65,337 cells × 32,738 genes. Downloads 0.5 GB once. Cells
    without a label, with the label ``"*"`` or with the guide Gal4-4 are left out.

    Parameters
    ----------
    path, cache_dir, backed
        As in :func:`norman_2019`.

    Returns
    -------
    As of :func:`norman_2019`.

    Raises
    ------
    FileNotFoundError, ConnectionError, KeyError, ValueError
        As :func:`norman_2019`.

    References
    ----------
    Adamson et al., Cell 2016, `doi:10.1016/j.cell.2016.11.048
    <https://doi.org/10.1016/j.cell.2016.11.048>`__, as prepared by scPerturb
    (:func:`norman_2019`). License: CC BY 4.0.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.adamson_2016()  # doctest: +SKIP
    """
    return load(SCREENS["adamson_2016"], path, cache_dir, backed)


def papalexi_2021(
    *, path: FilePath | None = None, cache_dir: FilePath | None = None, backed: bool = False
) -> AnnData:
    """Load Papalexi et al. 2021: knockouts of regulators of immune checkpoints in THP-1.

    20,729 cells × 18,649 genes; 25 genes, whose guides are pooled. Downloads 0.1 GB once.

    Parameters
    ----------
    path, cache_dir, backed
        As in :func:`norman_2019`.

    Returns
    -------
    As of :func:`norman_2019`; batches are replicates.

    Raises
    ------
    FileNotFoundError, ConnectionError, KeyError, ValueError
        As :func:`norman_2019`.

    References
    ----------
    Papalexi et al., Nature Genetics 2021, `doi:10.1038/s41588-021-00778-2
    <https://doi.org/10.1038/s41588-021-00778-2>`__, as prepared by scPerturb
    (:func:`norman_2019`). License: CC BY 4.0.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.papalexi_2021()  # doctest: +SKIP
    """
    return load(SCREENS["papalexi_2021"], path, cache_dir, backed)


def _chosen(study: str, which: str) -> Screen:
    """Return a screen of a study that has several."""
    name = f"{study}_{which}".lower()
    if name not in SCREENS:
        calls = [s.call for known, s in SCREENS.items() if known.startswith(study)]
        raise ValueError(f"{study} has no screen {which!r}; there are {', '.join(calls)}.")
    return SCREENS[name]
