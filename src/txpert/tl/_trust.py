"""``tl.trust``: for which perturbations predictions are good, and where they are off."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._analysis._effects import effect_size
from txpert._analysis._trust import levels, over_targets, spearman_table, target_errors
from txpert._constants import CELL_LINE, CONTROL, MODALITY, PERTURBATION, UNS_KEY
from txpert._options import check_name, check_whole
from txpert.data import ConditionTable
from txpert.data._tokens import canonical_label, measured_targets, parse_targets
from txpert.evaluation._metrics import metric_of
from txpert.graph._names import publication_counts
from txpert.graph._several import Graphs, as_graphs

from ._screen_report import REPORT_KEY

TRUST_KEY = "txpert_trust"
_OBSERVATION = (PERTURBATION, CELL_LINE, MODALITY)


def trust(
    adata: AnnData,
    metric: str = "pearson_delta",
    *,
    model: str | None = None,
    graphs: Graphs = (),
    knowledge: Mapping[str, float] | pd.Series | None = None,
    prediction: AnnData | None = None,
    n_levels: int = 4,
    key: str = UNS_KEY,
    report_key: str = REPORT_KEY,
    key_added: str = TRUST_KEY,
) -> pd.DataFrame:
    """Ask which perturbations are predicted well, and where predictions are off.

    Parameters
    ----------
    adata
        Cells, or a pseudobulk, that :func:`evaluate` was run on, with the usual obs columns.
        After :func:`screen_report` the number of changed genes is a covariate, too, unless there
        are several modalities, which a report pools.
        ``uns[key_added]`` is written, see Returns.
    metric
        Score to explain.
    model
        Name in the evaluation; by default its first.
    graphs
        Graphs whose numbers of incoming edges of the target are a covariate.
    knowledge
        How much is known of each gene, such as Pharos' level of development; by default the
        number of publications packaged with the gene table (NCBI Gene).
    prediction
        Prediction of the scored perturbations with ``layers["std"]``
        (``model.predict(..., return_std=True)``): its mean is a covariate.
    n_levels
        Number of levels that knowledge is divided into, of equal numbers of perturbations; values
        of ``knowledge`` that are no more than these are taken as they are.
    key, report_key, key_added
        Keys in ``uns``: of the evaluation, of the report, and of what is written.

    Returns
    -------
    Spearman's correlation of the score with each covariate, its P value, false discovery rate and
    number of perturbations. ``uns[key_added]`` has it as ``correlations``; ``perturbations`` (one
    row per perturbation, cell line and, if there is one, modality) with the score, covariates,
    level, and signed errors of Δ (predicted minus observed) at the targets and at other genes; and
    ``params``.

    Raises
    ------
    KeyError
        If there is no evaluation, or no such model or metric in it.
    TypeError
        If ``prediction`` is no AnnData.
    ValueError
        If ``prediction`` has no standard deviations, or a value of ``knowledge`` is no number.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, graphs=tx.datasets.toy_graph(), components="network")
    >>> model.train(max_epochs=1, enable_progress_bar=False, refit=False)
    >>> summary = tx.tl.evaluate(adata, model)
    >>> table = tx.tl.trust(adata)
    >>> table["covariate"].tolist()
    ['effect_size', 'control_expression']
    """
    check_name("key_added", key_added)
    check_whole("n_levels", n_levels, least=1)
    results = adata.uns.get(key, {})
    if "metrics" not in results:
        raise KeyError(f"adata.uns[{key!r}] has no evaluation; run tx.tl.evaluate(adata, model).")
    metric_of(metric)
    if not isinstance(prediction, AnnData | None):
        raise TypeError(f"prediction is what model.predict returned, not {prediction!r}.")
    if prediction is not None and "std" not in prediction.layers:
        raise ValueError('prediction has no layers["std"]: predict with return_std=True.')
    scores = results["metrics"]
    names = list(dict.fromkeys(scores["model"]))
    name = names[0] if model is None else model
    if name not in names:
        raise KeyError(f"There is no model {name!r} in the evaluation; it has {', '.join(names)}.")
    obs = _named(results["delta_obs"]).reset_index(drop=True)
    own = scores[scores["model"] == name]
    table = _looked_up(obs, own, metric, "score")
    genes = pd.Index(results["delta_genes"])
    observed, predicted = results["delta"]["observed"], results["delta"][name]
    table["effect_size"] = effect_size(observed)
    covariates = _covariates(adata, obs, graphs, prediction, report_key)
    known = _knowledge(obs, knowledge)
    table = pd.concat([table, covariates, known.rename("knowledge")], axis=1)
    few = knowledge is not None and known.nunique() <= n_levels
    table["level"] = known if few else levels(known, n_levels)
    is_target = np.zeros(observed.shape, dtype=bool)
    is_target[measured_targets(obs[PERTURBATION].tolist(), genes)] = True
    table = pd.concat([table, target_errors(predicted, observed, is_target)], axis=1)
    explained = ["effect_size", *covariates.columns, "knowledge"]
    correlations = spearman_table(table["score"], table[explained])
    adata.uns[key_added] = {
        "correlations": correlations,
        "perturbations": table,
        "params": {
            "model": name,
            "metric": metric,
            "of_effects": results["params"].get("of_effects", False),
        },
    }
    return correlations


def _knowledge(obs: pd.DataFrame, knowledge: Mapping[str, float] | pd.Series | None) -> pd.Series:
    """Return what is known of the targets of each row: of the least known of several."""
    targets = [parse_targets(label) for label in obs[PERTURBATION]]
    if knowledge is None:
        values = publication_counts(sorted({gene for genes in targets for gene in genes}))
    else:
        given = pd.Series(dict(knowledge), dtype=object)
        values = pd.to_numeric(given, errors="coerce")
        if values.isna().ne(given.isna()).any():
            gene = values.index[values.isna().ne(given.isna())][0]
            raise ValueError(f"knowledge has {given[gene]!r} for {gene!r}, which is no number.")
    return pd.Series(over_targets(targets, values, pd.Series.min))


def _covariates(
    adata: AnnData,
    obs: pd.DataFrame,
    graphs: Graphs,
    prediction: AnnData | None,
    report_key: str,
) -> pd.DataFrame:
    targets = [parse_targets(label) for label in obs[PERTURBATION]]
    screen = ConditionTable.of(adata)
    controls = screen.controls.over_batches()
    lines = pd.Index(controls.obs[CELL_LINE].astype(str)).get_indexer(pd.Index(obs[CELL_LINE]))
    expression = [
        over_targets([parts], pd.Series(controls.mean[line], index=controls.genes))[0]
        for parts, line in zip(targets, lines, strict=True)
    ]
    table = pd.DataFrame({"control_expression": expression})
    given = as_graphs(graphs)
    if given:
        degree: dict[str, float] = {}
        for graph in given:
            n = np.bincount(graph.target, minlength=graph.n_nodes)
            for node, edges in zip(graph.nodes, n, strict=True):
                degree[node] = degree.get(node, 0) + float(edges)
        table["graph_degree"] = over_targets(targets, pd.Series(degree, dtype=float))
    report = adata.uns.get(report_key)
    if report is not None and not _has_several_modalities(screen.obs):
        table["n_de"] = _looked_up(obs, report["perturbations"], "n_de")["n_de"]
    if prediction is not None:
        table["predicted_std"] = _mean_std(prediction, obs)
    return table


def _has_several_modalities(obs: pd.DataFrame) -> bool:
    return MODALITY in obs and obs.loc[~obs[CONTROL].to_numpy(bool), MODALITY].nunique() > 1


def _mean_std(prediction: AnnData, obs: pd.DataFrame) -> pd.Series:
    """Return the mean predicted standard deviation of each row, over genes and batches."""
    names = [name for name in obs if name in prediction.obs]
    rows = prediction.obs[names].astype(str).reset_index(drop=True)
    rows[PERTURBATION] = rows[PERTURBATION].map(canonical_label)
    rows["std"] = np.asarray(prediction.layers["std"]).mean(axis=1)
    return _looked_up(obs, rows.groupby(names, as_index=False)["std"].mean(), "std")["std"]


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Return what names an observation: perturbation, cell line and, if there is one, modality."""
    return table[[name for name in _OBSERVATION if name in table]].astype(str)


def _looked_up(
    obs: pd.DataFrame, table: pd.DataFrame, column: str, name: str | None = None
) -> pd.DataFrame:
    """Return the observations with a column of a table, by the names that both have."""
    keys = _named(table)
    keys = keys[[key for key in keys if key in obs]]
    values = keys.assign(**{name or column: table[column]})
    return obs.merge(values, on=list(keys), how="left", validate="many_to_one")
