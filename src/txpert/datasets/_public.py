"""The registry of public screens: where each is published, under which license, and its layout."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ._layout import Layout

RECORD = "https://zenodo.org/records/13350497/files"
"""scPerturb's RNA files, version 1.4."""
LICENSE = "CC BY 4.0"
COLLECTION = "10.1038/s41592-023-02144-y"
"""scPerturb, to be cited next to the screen."""


@dataclass(frozen=True)
class Screen:
    """A published screen.

    Parameters
    ----------
    file
        Its name in scPerturb's record.
    layout
        What its columns and labels mean.
    call
        How it is loaded, without ``tx.datasets.``.
    what
        The screen in a few words.
    n_cells, n_genes
        As published; ``None`` where it is not known here.
    size
        Size of the download.
    reference
        DOI of the publication.
    md5
        Digest that Zenodo lists; empty where it is not known here, and then the first download
        is taken as it comes.
    """

    file: str
    layout: Layout
    call: str
    what: str = "a screen of scPerturb's collection"
    n_cells: int | None = None
    n_genes: int | None = None
    size: str = ""
    reference: str = COLLECTION
    md5: str = ""

    @property
    def address(self) -> str:
        """Where it is published."""
        return f"{RECORD}/{self.file}?download=1"

    def about(self) -> dict[str, str]:
        """Return what ``uns["screen"]`` says of it."""
        return {
            "name": self.file.removesuffix(".h5ad"),
            "reference": self.reference,
            "collection": COLLECTION,
            "license": LICENSE,
            "address": self.address,
        }


_REPLOGLE = "10.1016/j.cell.2022.05.013"
_NADIG = "10.1038/s41588-025-02169-3"


def _crispri(line: str) -> Layout:
    return Layout(cell_line=line, modality="CRISPRi")


SCREENS: dict[str, Screen] = {
    "norman_2019": Screen(
        "NormanWeissman2019_filtered.h5ad",
        Layout(separator="_", cell_line="K562", modality="CRISPRa"),
        "norman_2019()",
        "CRISPRa of 105 genes and 131 pairs of them",
        111_445,
        33_694,
        "0.7 GB",
        "10.1126/science.aax4438",
        "c870e6967d91c017d9da827bab183cd6",
    ),
    "replogle_2022_k562_essential": Screen(
        "ReplogleWeissman2022_K562_essential.h5ad",
        _crispri("K562"),
        'replogle_2022("K562")',
        "CRISPRi of 2,057 common essential genes",
        310_385,
        8_563,
        "1.5 GB",
        _REPLOGLE,
        "d8cba17576d1a8afc0f7d71b79cad0f7",
    ),
    "replogle_2022_k562_genome_wide": Screen(
        "ReplogleWeissman2022_K562_gwps.h5ad",
        _crispri("K562"),
        'replogle_2022("K562", "genome_wide")',
        "CRISPRi of 9,866 expressed genes",
        1_989_578,
        8_248,
        "8.8 GB",
        _REPLOGLE,
        "13db594f8f1d2ccb88fec44a13e414dc",
    ),
    "replogle_2022_rpe1_essential": Screen(
        "ReplogleWeissman2022_rpe1.h5ad",
        _crispri("RPE1"),
        'replogle_2022("RPE1")',
        "CRISPRi of 2,393 common essential genes",
        247_914,
        8_749,
        "1.2 GB",
        _REPLOGLE,
        "cc7f1ec50aeb3a3e1b4a6cfa713d80fa",
    ),
    "nadig_2025_hepg2": Screen(
        "NadigOConner2024_hepg2.h5ad",
        _crispri("HepG2"),
        'nadig_2025("HepG2")',
        "CRISPRi of common essential genes",
        145_473,
        9_624,
        "0.9 GB",
        _NADIG,
        "af2be47f7477cf32fa6e4bec1c6a4868",
    ),
    "nadig_2025_jurkat": Screen(
        "NadigOConner2024_jurkat.h5ad",
        _crispri("Jurkat"),
        'nadig_2025("Jurkat")',
        "CRISPRi of common essential genes",
        262_956,
        8_882,
        "1.3 GB",
        _NADIG,
        "d8b05d00bfbd686d37ffdd4293bc6c8c",
    ),
    "adamson_2016": Screen(
        "AdamsonWeissman2016_GSM2406681_10X010.h5ad",
        Layout(
            controls=("control", "62(mod)_pBA581", "63(mod)_pBA580"),
            ending=r"_p[A-Z]+\d+(-\d+)?",
            left_out=("*", "Gal4-4(mod)_pBA582"),
            cell_line="K562",
            modality="CRISPRi",
        ),
        "adamson_2016()",
        "CRISPRi of genes of the unfolded protein response",
        65_337,
        32_738,
        "0.5 GB",
        "10.1016/j.cell.2016.11.048",
        "2fa44ea61a8dd35742af618638ec65fc",
    ),
    "papalexi_2021": Screen(
        "PapalexiSatija2021_eccite_RNA.h5ad",
        Layout(
            batches=("hto", "replicate", "batch"),
            ending=r"g\d+",
            cell_line="THP-1",
            modality="knockout",
        ),
        "papalexi_2021()",
        "knockouts of 25 regulators of immune checkpoints, with surface proteins",
        20_729,
        18_649,
        "0.1 GB",
        "10.1038/s41588-021-00778-2",
        "d9e8bfe20b0e7b0919be042e8fcf6d03",
    ),
}
"""Public screens by the name that :func:`show` lists them under."""


def show() -> pd.DataFrame:
    """List the public screens that have a function of their own; none is downloaded.

    Returns
    -------
    One row per screen: how it is loaded, what it is, cell line, kind of perturbation, numbers of
    cells and genes as published, size of the download, license, DOI of the publication, address,
    and the MD5 that a download must have. :func:`scperturb` loads others of scPerturb's
    collection.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.datasets.show().loc["nadig_2025_hepg2", "call"]
    'nadig_2025("HepG2")'
    """
    rows = [
        {
            "call": screen.call,
            "what": screen.what,
            "cell_line": screen.layout.cell_line,
            "modality": screen.layout.modality,
            "n_cells": screen.n_cells,
            "n_genes": screen.n_genes,
            "size": screen.size,
            "license": LICENSE,
            "reference": screen.reference,
            "address": screen.address,
            "md5": screen.md5,
        }
        for screen in SCREENS.values()
    ]
    return pd.DataFrame(rows, index=pd.Index(SCREENS, name="name"))
