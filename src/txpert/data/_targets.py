"""The genes that a screen perturbs."""

from __future__ import annotations

from anndata import AnnData

from ._keys import ObsKeys
from ._labels import read_perturbations
from ._tokens import parse_targets


def perturbed_genes(adata: AnnData, keys: ObsKeys | None = None) -> list[str]:
    """Return the targets of all perturbations, those held out too, sorted.

    Parameters
    ----------
    adata
        Cells × genes.
    keys
        obs columns of the perturbation and the control flag; by default those registered.
    """
    columns = (ObsKeys.of(adata) if keys is None else keys).columns(adata.obs)
    labels = read_perturbations(columns)[0].categories
    return sorted({target for label in labels for target in parse_targets(label)})
