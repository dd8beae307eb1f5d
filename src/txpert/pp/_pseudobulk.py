from __future__ import annotations

from anndata import AnnData

from txpert._constants import BATCH, CELL_LINE, CONTROL, PERTURBATION, SPLIT
from txpert.data import ConditionTable, Screen, check_log_normalised


def pseudobulk(
    adata: AnnData,
    *,
    perturbation_key: str = PERTURBATION,
    control_key: str = CONTROL,
    batch_key: str | None = BATCH,
    cell_line_key: str | None = CELL_LINE,
    split_key: str | None = SPLIT,
    layer: str | None = None,
) -> AnnData:
    """Average the cells of each condition (cell line × batch × perturbation).

    One pass over the cells, in memory or backed; labels are written one way (``"B+A"`` counts as
    ``"A+B"``).

    Parameters
    ----------
    adata
        Cells × genes, log-normalised; not changed.
    perturbation_key, control_key, batch_key, cell_line_key, split_key
        obs columns, as in :meth:`txpert.TxPertModel.setup_anndata`.
    layer
        Layer of the expression values; ``None`` takes ``X``.

    Returns
    -------
    Conditions × genes: the mean profile in ``X``, that of the matched controls in
    ``layers["control"]``, their difference in ``layers["delta"]``; ``obs`` has perturbation,
    control, cell_line, batch, n_cells and, if there is one, split.

    Raises
    ------
    KeyError
        If a column or the layer does not exist.
    ValueError
        If annotation or values are unusable; the message says how to mend them.
    """
    keys = {
        PERTURBATION: perturbation_key,
        CONTROL: control_key,
        BATCH: batch_key,
        CELL_LINE: cell_line_key,
        SPLIT: split_key,
    }
    screen = Screen.from_anndata(adata, keys, layer)
    check_log_normalised(screen.X, "adata.X" if layer is None else f"adata.layers[{layer!r}]")
    return ConditionTable.from_screen(screen).to_anndata()
