"""Preparing a screen: files, normalization, filters, genes, splits, pseudobulk and effects."""

from ._check_split import check_split
from ._filter_perturbations import filter_perturbations
from ._from_effects import from_effects
from ._harmonize_labels import harmonize_labels
from ._highly_variable import highly_variable_genes
from ._mark_unmeasured import mark_unmeasured
from ._normalize import normalize
from ._open_screen import open_screen
from ._pseudobulk import pseudobulk
from ._split import split, split_fold

__all__ = [
    "check_split",
    "filter_perturbations",
    "from_effects",
    "harmonize_labels",
    "highly_variable_genes",
    "mark_unmeasured",
    "normalize",
    "open_screen",
    "pseudobulk",
    "split",
    "split_fold",
]
