"""How names of genes are written: Ensembl ids, signs between them, texts of missing values."""

from __future__ import annotations

import re
from typing import Final

ENSEMBL_GENE: Final = r"ENS[A-Z]*G\d{11}"
"""Ensembl id of a gene of any species, without its version."""
ENSEMBL_ID: Final = re.compile(rf"{ENSEMBL_GENE}(?:\.\d+)?")
"""Ensembl id of a gene, with its version if it has one."""
ENSEMBL_ANY: Final = r"ENS[A-Z]*[GTP]\d"
"""How Ensembl ids of genes, transcripts and proteins begin."""
VERSIONED: Final = rf"^({ENSEMBL_GENE})\.\d+$"
"""Ensembl id of a gene and its version; the first group is the id."""

LABEL_SEPARATOR: Final = re.compile(r"\s+and\s+|[\s_|&,;:/#]+", re.IGNORECASE)
"""Signs other than ``"+"`` that screens write between the parts of a label: genes and guides."""
NODE_SEPARATOR: Final = r"\s*[+_|,;/]\s*"
"""Signs between the parts of a node of a database, ``"+"`` included.

Names in databases have spaces and colons of their own (``"AK 4"``, ``"HGNC:6192"``), which do not
separate genes there.
"""

MISSING_LABELS: Final = frozenset({"", "nan", "none", "na", "n/a", "<na>", "null"})
"""What missing values become where obs columns are made text, in lower case.

``"NA"`` is among them: as a perturbation it is a missing value.
"""
MISSING_GENES: Final = frozenset({"", "nan", "NaN", "None", "none", "<NA>", "null", "NULL"})
"""What missing values become where columns of genes are made text.

``"NA"`` and ``"NAN"`` are not among them: databases use both as names of genes.
"""


def without_version(name: str) -> str:
    """Return a name without the version of an Ensembl id, in any case.

    Examples
    --------
    >>> without_version("ENSG00000115415.12"), without_version("RP11-34P13.7")
    ('ENSG00000115415', 'RP11-34P13.7')
    """
    return re.sub(VERSIONED, r"\1", name, flags=re.IGNORECASE)
