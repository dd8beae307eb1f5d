"""``update()`` and ``with_graphs()``: new effects and new genes without a new training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from threading import RLock
from typing import Any, TypeVar

import pandas as pd
from anndata import AnnData
from mudata import MuData
from scvi import settings
from scvi.data import AnnDataManager

from txpert._constants import CONTROL, PERTURBATION, SPLIT, TRAIN
from txpert.data import ConditionTable
from txpert.data._conditions import pairs
from txpert.data._meant import warn_of_meant
from txpert.data._tokens import canonical_label, parse_targets
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._line_effects import contexts_of
from txpert.graph import KnowledgeGraph
from txpert.graph._several import Graphs, as_graphs, named_for

from ._component import GAUSSIAN_PROCESS, MEAN, NETWORK, Sources, Training
from ._ensemble import Ensemble
from ._progress import without_advertising
from ._registered import check_genes, found_again, read_screen, unregistered_on_failure
from ._updated import updated, with_controls, without_network

Model = TypeVar("Model", bound="UpdateMixin")


class UpdateMixin:
    """Adds what was measured or learned since training."""

    adata: AnnData | MuData | None
    genes: pd.Index
    nodes: pd.Index
    graphs: list[KnowledgeGraph]
    components: tuple[str, ...]
    registry: dict[str, Any]
    init_params_: dict[str, Any]
    trained_on_: list[tuple[str, str]]
    ensemble_: dict[str, Any] | None
    controls_: dict[str, Any]
    is_trained_: bool
    _lock: RLock
    _anchors: list[str]
    _check_if_trained: Callable[..., None]
    _validate_anndata: Callable[..., Any]
    get_anndata_manager: Callable[..., AnnDataManager]

    @abstractmethod
    def _ensemble(self) -> Ensemble:
        """Return the components and weights."""

    @property
    @abstractmethod
    def _sources(self) -> Sources:
        """What the components are made from."""

    @abstractmethod
    def _kernels_among(self, anchors: pd.Index) -> GeneKernels:
        """Return kernels on the model's graphs with other anchors."""

    def update(self, adata: AnnData | MuData) -> None:
        """Add measured perturbations, or a cell line, without starting from the beginning.

        The mean effects and the Gaussian process learn from all perturbations, earlier and new
        ones; variances, weights of the components, the effect on targets and the network stay as
        they were trained, and so do registered components that cannot learn, with a warning. What
        is saved afterwards is the updated model. A later :meth:`train` forgets what was added,
        with a warning: to keep it, train a model on the joined data.

        Parameters
        ----------
        adata
            Perturbed cells and their controls, annotated like the data of training. If they have
            the split column, only training perturbations are learned from. To predict in a new
            cell line afterwards, give :meth:`predict` its ``controls``.

        Raises
        ------
        ValueError
            If the model was not trained or is the network alone, genes or values do not fit, no
            perturbation is there to learn from, or one was already learned in that cell line.
        KeyError
            If a target is no node of the model: :meth:`with_graphs` adds nodes.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> new = adata.obs["perturbation"] == adata.obs["perturbation"].cat.categories[1]
        >>> first = adata[~new].copy()
        >>> tx.TxPertModel.setup_anndata(first)
        >>> model = tx.TxPertModel(
        ...     first, tx.datasets.toy_graph(), components=["mean", "gaussian_process"])
        >>> model.train(enable_progress_bar=False)
        >>> model.update(adata[new | adata.obs["control"]].copy())
        """
        if self.ensemble_ is None:
            raise ValueError(
                f"update() needs a trained model with the component {MEAN!r} or "
                f"{GAUSSIAN_PROCESS!r}; the network alone is trained further by train()."
            )
        rows = self._perturbed(adata)
        labels = rows.obs[PERTURBATION].astype(str).map(canonical_label).to_numpy()
        with self._lock:
            ensemble = self._ensemble()
            contexts = contexts_of(rows.obs)
            for label, context in zip(labels, contexts, strict=True):
                if label in ensemble.labels.get(context, ()):
                    raise ValueError(
                        f"{label} in {context.cell_line} was learned already: leave out what "
                        "training or an earlier update had."
                    )
            targets = sorted({target for label in labels for target in parse_targets(label)})
            unknown = [target for target in targets if target not in self.nodes]
            if unknown:
                raise KeyError(
                    f"{unknown[0]!r} is no node of the model: add it by model.with_graphs()."
                )
            training = Training(ensemble.target.removed_from(rows))
            self._anchors = sorted({*self._anchors, *ensemble.targets, *targets})
            kernels = self._kernels_among(pd.Index(self._anchors, dtype=object))
            sources = replace(self._sources, kernels=kernels, earlier=ensemble.components)
            components = updated(ensemble, training, sources)
            known = {context: set(of) for context, of in ensemble.labels.items()}
            for label, context in zip(labels, contexts, strict=True):
                known.setdefault(context, set()).add(label)
            sets = {context: frozenset(of) for context, of in known.items()}
            self._take(replace(ensemble, labels=sets, components=components))
            self.trained_on_ = list(dict.fromkeys([*self.trained_on_, *pairs(rows.obs)]))
            self.controls_ = with_controls(self.controls_, rows.controls)

    def with_graphs(self: Model, graphs: Graphs) -> Model:
        """Return the model on other graphs, such as with genes that they did not have.

        The Gaussian process is solved on them with the variances of training; the network, which
        would have to be trained, is left out, and the process takes its weight. How much is known
        of a new gene, :meth:`predict` says in ``obs["specific"]``.

        Parameters
        ----------
        graphs
            With the names of the model's graphs, one for each.

        Raises
        ------
        ValueError
            If the model was not trained, has no Gaussian process, or the graphs have other names.

        Examples
        --------
        >>> import pandas as pd
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> graph = tx.datasets.toy_graph()
        >>> model = tx.TxPertModel(adata, graph, components=["mean", "gaussian_process"])
        >>> model.train(enable_progress_bar=False)
        >>> wider = graph.edges.iloc[:1].assign(target="NEW")
        >>> wider = tx.graph.KnowledgeGraph.from_edges(pd.concat([graph.edges, wider]), name="toy")
        >>> "NEW" in model.with_graphs([wider]).nodes
        True
        """
        if self.ensemble_ is None or self._ensemble().process is None:
            raise ValueError(
                f"with_graphs() needs a trained model with the component {GAUSSIAN_PROCESS!r}."
            )
        given = as_graphs(graphs)
        now, before = sorted(g.name for g in given), sorted(g.name for g in self.graphs)
        if now != before:
            raise ValueError(f"The graphs must be named {before}, as in training, not {now}.")
        ensemble = self._ensemble()
        targets = sorted({*self._anchors, *ensemble.targets})
        given, otherwise = named_for(given, targets)
        warn_of_meant(otherwise, settings.warnings_stacklevel)
        kept = [name for name in self.components if name != NETWORK]
        options = {**self.init_params_["non_kwargs"], "graphs": given, "components": kept}
        in_graphs = {gene for graph in given for gene in graph.nodes}
        options["extra_nodes"] = sorted(set(self.nodes) - in_graphs)
        registry = None if self.adata is not None else self.registry
        make: Callable[..., Model] = type(self)
        with found_again(self):
            model = make(self.adata, registry=registry, **options)
        model._anchors = targets
        kernels = model._kernels_among(pd.Index(targets, dtype=object))
        sources = replace(model._sources, kernels=kernels, earlier=ensemble.components)
        components = {n: c.on_graphs(sources) for n, c in ensemble.components.items() if n in kept}
        weights = {kind: without_network(w) for kind, w in ensemble.weights.items()}
        model._take(replace(ensemble, components=components, weights=weights))
        model.trained_on_ = list(self.trained_on_)
        model.controls_ = dict(self.controls_)
        model.is_trained_ = True
        return model

    def _perturbed(self, adata: AnnData | MuData) -> ConditionTable:
        """Return the perturbed conditions to learn from, batches of a cell line pooled."""
        check_genes(adata, self.registry, self.genes)
        with unregistered_on_failure(adata), without_advertising():
            self._validate_anndata(adata)
            screen = read_screen(self.get_anndata_manager(adata, required=True), needs_split=False)
        table = ConditionTable.from_screen(screen).over_batches()
        chosen = ~table.obs[CONTROL].to_numpy(dtype=bool)
        if SPLIT in table.obs:
            chosen &= (table.obs[SPLIT] == TRAIN).to_numpy()
        if not chosen.any():
            raise ValueError("The data have no perturbation in training to learn from.")
        return table.subset(chosen)

    def _take(self, ensemble: Ensemble) -> None:
        """Keep an ensemble as that of the model, in the form that is saved."""
        self.ensemble_ = ensemble.to_dict()
        vars(self).pop("_kernels", None)  # its anchors are others
