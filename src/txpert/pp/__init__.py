"""Preparing a screen: normalization, filters, genes, splits and pseudobulk."""

from ._check_split import check_split
from ._filter_perturbations import filter_perturbations
from ._harmonize_labels import harmonize_labels
from ._highly_variable import highly_variable_genes
from ._normalize import normalize
from ._pseudobulk import pseudobulk
from ._split import split, split_fold

__all__ = [
    "check_split",
    "filter_perturbations",
    "harmonize_labels",
    "highly_variable_genes",
    "normalize",
    "pseudobulk",
    "split",
    "split_fold",
]
