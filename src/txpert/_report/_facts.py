"""What a report says in words and tables: data, split, scores, settings, versions."""

from __future__ import annotations

import contextlib
import io
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import BATCH, CELL_LINE, CONTROL, N_CELLS, PERTURBATION, SPLIT
from txpert.data import ConditionTable, ObsKeys
from txpert.data._tokens import parse_targets
from txpert.evaluation._metrics import score_label, score_names
from txpert.graph._knowledge_graph import KnowledgeGraph
from txpert.pp import check_split
from txpert.splits._hash import current_hash
from txpert.splits._perturbations import record_key

Facts = list[tuple[str, str]]
_PACKAGES = ("txpert", "anndata", "numpy", "pandas", "scipy", "scvi-tools", "torch")
_SETTINGS = ("encoder", "matching", "combination", "decoding", "components", "n_latent")
_MORE_SETTINGS = ("n_hidden", "dropout", "node_inputs", "basal")


def data_facts(table: ConditionTable) -> Facts:
    """Return what the screen is."""
    obs = table.obs
    control = obs[CONTROL].to_numpy(dtype=bool)
    labels = obs.loc[~control, PERTURBATION].astype(str).unique()
    orders = pd.Series([len(parse_targets(label)) for label in labels]).value_counts()
    of_order = ", ".join(f"{n:,} of {order} gene(s)" for order, n in orders.sort_index().items())
    return [
        (
            "Cells",
            f"{int(obs[N_CELLS].sum()):,}, {int(obs.loc[control, N_CELLS].sum()):,} controls",
        ),
        ("Genes", f"{len(table.genes):,}"),
        ("Perturbations", f"{len(labels):,}: {of_order}"),
        ("Cell lines", ", ".join(map(str, obs[CELL_LINE].astype(str).unique()))),
        ("Batches", f"{obs[BATCH].astype(str).nunique():,}"),
        ("Conditions", f"{int((~control).sum()):,} (perturbation × cell line × batch)"),
    ]


def split_facts(adata: AnnData, table: ConditionTable) -> Facts:
    """Return how perturbations are divided, and the hash that tells two splits apart."""
    keys = ObsKeys.of(adata, batch=BATCH, cell_line=CELL_LINE, split=SPLIT)
    facts = []
    record = adata.uns.get(record_key(str(keys.split or SPLIT)), {})
    if record:
        facts.append(("Task", f"{record.get('task')}, seed {record.get('seed')}"))
    if SPLIT in table.obs:
        perturbed = table.obs[~table.obs[CONTROL].to_numpy(dtype=bool)]
        n = perturbed.astype({PERTURBATION: str}).groupby(SPLIT, observed=True)[PERTURBATION]
        facts.append(("Perturbations", ", ".join(f"{k}: {v:,}" for k, v in n.nunique().items())))
    found = current_hash(adata, keys)
    facts.append(("SHA-256 now", found or "no split column in the data"))
    if record:
        same = record.get("sha256") == found
        facts.append(("As recorded", "yes" if same else "no: the split has changed since"))
    return facts


def leak_check(adata: AnnData, graphs: list[KnowledgeGraph]) -> pd.DataFrame | str:
    """Return the problems that :func:`txpert.pp.check_split` finds, or what it says."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            problems = check_split(adata, graphs=graphs)
    except (KeyError, ValueError) as error:
        return f"Not checked: {error.args[0]}"
    return said.getvalue().strip() if problems.empty else problems


def score_table(results: Mapping[str, Any]) -> pd.DataFrame:
    """Return the main scores of models, baselines and ceilings, one row each."""
    names = [name for name in score_names(main=True) if name in results["summary"]]
    parts = [results["summary"][names]]
    if "ceiling" in results:
        ceiling = results["ceiling"]["summary"]
        parts.append(ceiling.reindex(columns=names).rename(lambda kind: f"ceiling: {kind}"))
    table = pd.concat(parts).rename(columns=score_label)
    return table.map(lambda value: "–" if pd.isna(value) else f"{value:.3f}")


def settings_facts(model: Any) -> Facts:
    """Return the model's settings that are words or numbers."""
    arguments = model.init_params_["non_kwargs"] | model.init_params_["kwargs"]
    facts = [("Graphs", "; ".join(map(repr, model.graphs)) or "none")]
    for name in (*_SETTINGS, *_MORE_SETTINGS):
        if name in arguments:
            facts.append((name, _plain(arguments[name])))
    facts.append(("Trained on", f"{len(model.trained_on_):,} perturbation × cell line"))
    return facts


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        known = {key: one for key, one in value.items() if np.ndim(one) == 0 or key == "options"}
        return ", ".join(f"{key}: {_plain(one)}" for key, one in known.items()) or "given"
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "none"
    return str(value) if np.ndim(value) == 0 else f"array of shape {np.shape(value)}"


def version_facts() -> Facts:
    """Return the versions of Python and of the packages that matter."""
    facts = [("Python", platform.python_version())]
    for name in _PACKAGES:
        try:
            facts.append((name, version(name)))
        except PackageNotFoundError:
            facts.append((name, "not installed"))
    return facts


def methods(model: Any, table: ConditionTable, results: Mapping[str, Any]) -> str:
    """Return a paragraph for a methods section."""
    splits = " and ".join(map(str, results["params"]["split"]))
    n = len(results["delta_obs"])
    baselines = list(results["summary"].index[1:])
    compared = f", compared with {', '.join(baselines)}" if baselines else ""
    return (
        f"Transcriptional responses were predicted with txpert {version('txpert')}, an "
        "independent implementation of TxPert (Wenkel, Tu et al., Nature Biotechnology 2026, "
        "doi:10.1038/s41587-026-03113-4). Log-normalized expression of "
        f"{len(table.genes):,} genes was averaged over the cells of each perturbation, cell line "
        "and batch; effects (Δ) are differences to the mean of the control cells of the same cell "
        f"line and batch. The model has the components {', '.join(model.components)} over "
        f"{len(model.graphs)} knowledge graph(s) with {len(model.nodes):,} genes. It was scored "
        f"on {n:,} held-out perturbation × cell line (split {splits}){compared}; Δ was averaged "
        "over batches by numbers of cells, and scores are unweighted means over perturbations."
    )
