"""Marking the genes that a cell line did not measure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import MEASURED
from txpert._options import check_names
from txpert.data import ObsKeys
from txpert.data._group_sums import group_sums
from txpert.data._keys import CELL_LINE_KEY, check_anndata, obs_columns
from txpert.data._labels import read_names
from txpert.data._matrix import expression_matrix
from txpert.data._measured import zero_genes


def mark_unmeasured(
    adata: AnnData,
    genes: Mapping[str, Iterable[str]] | None = None,
    *,
    cell_line_key: str = CELL_LINE_KEY,
    layer: str | None = None,
) -> pd.Series:
    """Mark genes that a cell line did not measure, so that their zeros are not read.

    An outer join of screens with other genes leaves zeros where a screen did not measure a gene.
    Marked ones are NaN in Δ and in the mean of controls: nothing is learned from them, and they
    are not scored. The expression stays as it is.

    Parameters
    ----------
    adata
        Cells × genes, log-normalized or counts; the mark, genes × cell lines, is written to
        ``varm["txpert_measured"]``. :func:`anndata.concat` drops it: mark what came out.
    genes
        Genes that each cell line did not measure; by default those that are zero in all its cells
        while another line expresses them. A gene that is silent in a line is taken for one of
        these.
    cell_line_key
        obs column of the cell line.
    layer
        Layer of the expression values; ``None`` takes ``X``.

    Returns
    -------
    Number of genes marked in each cell line.

    Raises
    ------
    KeyError
        If there is no such column, layer, cell line or gene.
    ValueError
        If values are negative, as effects are: write NaN there.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> adata.obs["cell_line"] = adata.obs["batch"].map({"batch_1": "K562", "batch_2": "RPE1"})
    >>> tx.pp.mark_unmeasured(adata, {"RPE1": ["GENE1", "GENE2"]}).to_dict()
    {'K562': 0, 'RPE1': 2}
    """
    check_anndata(adata)
    if not adata.var_names.is_unique:
        raise ValueError(
            f"The var name {adata.var_names[adata.var_names.duplicated()][0]!r} occurs more than "
            "once. Run adata.var_names_make_unique() first."
        )
    key = ObsKeys.of(adata, cell_line=cell_line_key).cell_line or cell_line_key
    if key not in adata.obs:
        raise KeyError(
            f"adata.obs has no column {key!r} (cell_line_key). It has: "
            f"{', '.join(map(str, adata.obs))}."
        )
    if not isinstance(genes, Mapping | None):
        raise TypeError(f"genes is a dictionary from cell line to genes, not {genes!r}.")
    lines = read_names(obs_columns(adata.obs, {"line": key})["line"])
    names = pd.Index(lines.categories).astype(str)
    measured = pd.DataFrame(True, index=adata.var_names, columns=names)
    if genes is None:
        sums = group_sums(expression_matrix(adata, layer), lines.codes, len(names))
        if (sums < 0).any():
            raise ValueError(
                "The values are negative, so zeros among them mean no change. Write NaN where a "
                "gene was not measured."
            )
        for line, chosen in zero_genes(sums, pd.Series(names)).items():
            measured.loc[chosen, line] = False
    else:
        for line, unmeasured in genes.items():
            listed = pd.Index(check_names(f"genes[{line!r}]", unmeasured))
            for what, held, asked in (
                ("cell line", names, pd.Index([str(line)])),
                ("gene", adata.var_names, listed),
            ):
                missing = asked.difference(held)
                if len(missing):
                    raise KeyError(f"The data have no {what} {missing[0]!r}.")
            measured.loc[listed, str(line)] = False
    adata.varm[MEASURED] = measured
    return (~measured).sum().rename_axis(key).astype(np.int64)
