"""``tx.report``: everything about a model on a screen in one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from anndata import AnnData

from txpert._constants import UNS_KEY
from txpert._files import replacing
from txpert.model import TxPertModel
from txpert.tl import evaluate

from ._facts import (
    data_facts,
    leak_check,
    methods,
    score_table,
    settings_facts,
    split_facts,
    version_facts,
)
from ._pictures import pictures

_LIMITS = (
    "Scores hold for perturbations drawn like the held-out ones; of other genes, other cell lines "
    "or other assays they say nothing.",
    "A high Pearson Δ may come from the mean effect alone: compare with the baselines, and look "
    "at retrieval, which the mean effect does not raise.",
    "Where obs['specific'] of a prediction is near 0, it is the common effect of the training "
    "perturbations, whatever the gene.",
    "Ceilings assume that cells of a condition are independent; batches make them lower.",
    "Predicted standard deviations are the model's own and no test of data.",
)


def report(
    adata: AnnData,
    model: TxPertModel,
    path: str | Path,
    *,
    title: str = "Perturbation screen and model",
) -> Path:
    """Write a report on a screen and a model as one HTML file that opens offline.

    It has facts about the data, the split with its hash, what the leak check found, scores next to
    baselines and ceilings, figures, the components of the prediction, settings, versions, a
    paragraph for a methods section, and limits. Figures are inline, and nothing is loaded from
    elsewhere. What :func:`txpert.tl.ceiling`, :func:`txpert.tl.screen_report`,
    :func:`txpert.tl.trust` and :func:`txpert.tl.interactions` wrote before is included.

    Parameters
    ----------
    adata
        The data of the model. Without an evaluation of :func:`txpert.tl.evaluate` it is run, which
        writes ``uns["txpert"]``.
    model
        A trained model with its data.
    path
        File to write; an older one is replaced once the new one is complete.
    title
        Title of the report.

    Returns
    -------
    The path.

    Raises
    ------
    ValueError
        If nothing is held out to be scored.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile, txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, graphs=tx.datasets.toy_graph())
    >>> model.train(max_epochs=1, enable_progress_bar=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tx.report(adata, model, f"{folder}/report.html").stat().st_size > 10_000
    True
    """
    if "metrics" not in adata.uns.get(UNS_KEY, {}):
        evaluate(adata, model)
    results = adata.uns[UNS_KEY]
    table = model.read(adata)[1]
    leaks = leak_check(adata, model.graphs)
    text = _template().render(
        title=title,
        data=data_facts(table),
        split=split_facts(adata, table),
        leaks=leaks if isinstance(leaks, str) else None,
        problems=None if isinstance(leaks, str) else _rows(leaks),
        scores=_rows(score_table(results).rename_axis("model").reset_index()),
        n_scored=len(results["delta_obs"]),
        pictures=list(pictures(adata, model)),
        components=model.summary_string.splitlines(),
        settings=settings_facts(model),
        versions=version_facts(),
        methods=methods(model, table, results),
        limits=_LIMITS,
    )
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return Path(path)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("txpert._report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _rows(table: pd.DataFrame) -> dict[str, Any]:
    return {"head": list(table.columns), "body": table.astype(str).to_numpy().tolist()}
