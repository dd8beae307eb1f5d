"""TxPertModel: knowledge graphs, a network over them and the other components of a prediction."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from threading import RLock
from typing import Any

import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from mudata import MuData
from scvi import settings
from scvi.model.base import BaseModelClass

from txpert._constants import N_CELLS, PERTURBATION
from txpert._options import check_flag, check_number, check_whole
from txpert._repr import as_html, as_text, listed
from txpert.data import ConditionTable
from txpert.data._controls import Matching
from txpert.data._meant import warn_of_meant
from txpert.data._own_controls import Embed
from txpert.data._screen import Screen, read_split
from txpert.data._tokens import parse_targets
from txpert.effects._confidence import Confidence
from txpert.effects._gene_kernels import GeneKernels
from txpert.graph._several import Graphs, as_graphs, named_for
from txpert.nn import EncoderConfig
from txpert.nn._combination import CombinationName
from txpert.splits._assignment import draw_split

from ._component import GAUSSIAN_PROCESS, MEAN, NETWORK, Sources, check_components
from ._embeddings import ControlEmbedding, LatentModel, obsm_embedding
from ._ensemble import Ensemble
from ._explanation import ExplanationMixin
from ._fields import CodeLoader
from ._hub import HubMixin
from ._inputs import (
    NodeInputs,
    check_overlap,
    feature_genes,
    given_features,
    graph_tensors,
    make_nodes,
    node_vocabulary,
    read_extra_nodes,
    read_node_inputs,
    warn_of_isolated,
)
from ._module import Basal, Decoding, TxPertModule
from ._network import Network
from ._paper import PaperMixin
from ._prediction import PredictionMixin
from ._progress import without_advertising
from ._registered import (
    check_data,
    check_genes,
    read_screen,
    registered_genes,
    split_column,
    unregistered_on_failure,
)
from ._saving import SavingMixin
from ._scvi import ScviMixin
from ._setup import SetupMixin
from ._training import TrainingMixin
from ._update import UpdateMixin


class TxPertModel(
    SetupMixin,
    PaperMixin,
    TrainingMixin,
    PredictionMixin,
    ExplanationMixin,
    UpdateMixin,
    SavingMixin,
    HubMixin,
    ScviMixin,
    BaseModelClass,
):
    """Predict transcriptional responses to unseen genetic perturbations.

    An independent implementation of TxPert (Wenkel, Tu et al., Nature Biotechnology 2026,
    doi:10.1038/s41587-026-03113-4).

    Parameters
    ----------
    adata
        AnnData or MuData registered by :meth:`setup_anndata` or :meth:`setup_mudata`.
    graphs
        Knowledge graphs over genes. Their nodes, and the targets of the screen, are the genes
        whose perturbation can be predicted.
    encoder
        Perturbation encoder: a name that :func:`txpert.nn.show` lists, such as ``"gat"``,
        ``"exphormer"`` or ``"free"``, or a name with options, such as
        ``tx.nn.EncoderConfig("gat", {"n_layers": 2})``.
    node_inputs
        What the encoder knows of each gene besides the graphs: ``"learned"`` gives each a
        learnable embedding, ``"spectral"`` coordinates on the graphs
        (:func:`txpert.graph.spectral_embedding`), a data frame (genes × features) features of
        yours; or a list of several of these, by default of the first two where graphs have
        edges. Genes of a frame become nodes.
    basal
        What the basal state is made of: ``"mlp"`` reads the control profile, ``"embedding"`` the
        embedding of the controls registered by ``embedding_key``, a trained scvi-tools model
        that of its latent space; ``"none"`` leaves it out, which is the default unless decoding
        is direct.
    matching
        Controls that a prediction starts from: of the same ``"batch"`` (and cell line), or of the
        whole ``"cell_line"``. Observed Δ is always against the same batch.
    combination
        Targets of a combination act as a ``"sum"``, with an ``"interaction"`` term for pairs, or
        one after the other (``"sequential"``, averaged over both orders of a pair).
    decoding
        ``"low_rank"`` predicts the change by a few directions learned from the training
        perturbations and adds it to the control profile; ``"delta"`` predicts the change by an
        MLP; ``"direct"`` predicts the profile from basal state and perturbation by an MLP.
    components
        What a prediction is made of: some of ``"mean"``, ``"gaussian_process"`` and
        ``"network"`` (:func:`txpert.model.show`), weighted on held-out perturbations.
        ``"network"`` uses the network alone; :meth:`paper` makes the paper's model.
    n_latent
        Dimensionality of the latent space.
    n_hidden
        Number of nodes per hidden layer.
    dropout
        Dropout rate.
    control_node
        Add a learned embedding to the latent state of every cell, as the published network does.
    extra_nodes
        Genes that are nodes besides the graphs' own; by default the screen's targets and those
        with features. With them graphs keep their names: symbols of another year are not found.
    registry
        Stands in for ``adata`` when a model is loaded without data.

    Raises
    ------
    ValueError
        If a graph shares no gene with the targets of the screen, expression is NaN or infinite,
        or the options make no sense.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> tx.pp.split(adata)
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, graphs=[tx.datasets.toy_graph()])
    >>> model.train(max_epochs=2, enable_progress_bar=False)
    >>> prediction = model.predict(["GENE3", "GENE3+GENE5"])
    >>> prediction.layers["delta"].shape == prediction.shape
    True
    """

    _module_cls = TxPertModule
    _data_loader_cls = CodeLoader

    def __init__(
        self,
        adata: AnnData | MuData | None = None,
        graphs: Graphs = (),
        *,
        encoder: str | EncoderConfig | Mapping[str, Any] = "bmp",
        node_inputs: NodeInputs | None = None,
        basal: Basal | LatentModel | Mapping[str, Any] | None = None,
        matching: Matching = "batch",
        combination: CombinationName = "sum",
        decoding: Decoding = "low_rank",
        components: str | Iterable[str] = (MEAN, GAUSSIAN_PROCESS, NETWORK),
        n_latent: int = 64,
        n_hidden: int = 512,
        dropout: float = 0.2,
        control_node: bool = False,
        extra_nodes: Sequence[str] | None = None,
        registry: dict[str, Any] | None = None,
    ) -> None:
        check_whole("n_latent", n_latent, least=1)
        check_whole("n_hidden", n_hidden, least=1)
        check_number("dropout", dropout, least=0, most=1)
        check_flag("control_node", control_node)
        extra_nodes = read_extra_nodes(extra_nodes)
        check_data(adata)
        super().__init__(adata, registry)
        # scvi-tools saves every attribute whose name ends in "_", here plain arrays, numbers and
        # text, and sets them again on load.
        self.trained_on_: list[tuple[str, str]] = []
        self.training_: dict[str, Any] = {}
        self.ensemble_: dict[str, Any] | None = None
        self._rebuilt: tuple[dict[str, Any], Ensemble] | None = None
        self._calibrated: tuple[dict[str, Any], Confidence] | None = None
        self.components = check_components(components)
        self.genes = registered_genes(registry or self.registry_)
        self.matching = matching
        self._lock = RLock()
        config = EncoderConfig.of(encoder).seeded(settings.seed or 0)
        self._embedding = ControlEmbedding.of(basal, self._obsm_embedding())
        reads: Any = "embedding" if self._embedding is not None else basal
        self._data: tuple[Screen, ConditionTable] | None = None
        targets: list[str] = []
        if adata is not None:
            self._data = self.read(adata)
            self.conditions.controls.pools(matching)  # refuses what is no matching
            self.controls_ = self.conditions.controls.to_dict()
            labels = self.conditions.obs[PERTURBATION].cat.categories
            targets = sorted({target for label in labels for target in parse_targets(label)})
            if self._embedding is not None:
                basal = ControlEmbedding.to_dict(self.conditions.controls)
        self._anchors = targets
        self.graphs = as_graphs(graphs)
        loading = extra_nodes is not None
        if not loading:
            self.graphs, otherwise = named_for(self.graphs, targets)
            warn_of_meant(otherwise, settings.warnings_stacklevel)
        asked = [*targets, *(extra_nodes or ())]
        self._node_inputs = node_inputs = read_node_inputs(node_inputs, self.graphs, asked)
        described = feature_genes(node_inputs)
        self.nodes, extra_nodes = node_vocabulary(self.graphs, [*targets, *described], extra_nodes)
        tensors = graph_tensors(self.graphs, self.nodes)
        if not loading:
            check_overlap(self.graphs, described, targets)
            warn_of_isolated(targets, tensors, self.nodes, described)
        # scvi-tools saves the arguments as they stand when this function ends (_get_init_params):
        # graphs, encoder, node_inputs, basal, components and extra_nodes are rebound to plain
        # forms, which the constructor takes, too.
        graphs, encoder = [graph.to_dict() for graph in self.graphs], config.to_dict()
        components = list(self.components)
        self.module = self._module_cls(
            len(self.genes),
            tensors,
            make_nodes(node_inputs, self.nodes),
            encoder=config,
            basal=reads,
            n_embedding=basal["embedding"].shape[1] if isinstance(basal, Mapping) else 0,
            decoding=decoding,
            combination=combination,
            n_latent=n_latent,
            n_hidden=n_hidden,
            dropout=dropout,
            control_node=control_node,
            mean_control=None if adata is None else self._mean_control(),
            gene_rank=torch.from_numpy(np.argsort(np.argsort(self.genes.to_numpy(dtype=str)))),
        )
        self._model_summary_string = (
            f"TxPertModel with encoder {config.name!r} over {len(self.graphs)} graph(s), "
            f"{len(self.nodes):,} nodes, {len(self.genes):,} genes, decoding {decoding!r}"
        )
        self.init_params_ = self._get_init_params(locals())

    @property
    def summary_string(self) -> str:
        """What the model is and, once trained, what its predictions are made of."""
        if self.ensemble_ is None:
            return super().summary_string
        return f"{super().summary_string}\n{self._ensemble()}"

    def __repr__(self) -> str:
        return as_text(*self._about())

    def _repr_html_(self) -> str:
        return as_html(*self._about())

    def _about(self) -> tuple[str, dict[str, str]]:
        """Return what a representation shows: the title and its rows."""
        encoder = self.init_params_["non_kwargs"]["encoder"]["name"]
        rows = {
            "data": f"{len(self.genes):,} genes, {len(self.nodes):,} genes that can be perturbed",
            "graphs": listed(graph.name for graph in self.graphs) or "none",
            "components": listed(self.components),
        }
        if not self.is_trained_:
            return f"TxPertModel with encoder {encoder!r}, not trained", rows
        rows["trained on"] = f"{len(self.trained_on_):,} perturbations × cell lines"
        epochs, seed = self.training_.get("epochs"), self.training_.get("seed")
        rows["epochs"] = "none chosen" if epochs is None else str(epochs)
        rows["seed"] = "unknown" if seed is None else str(seed)
        return f"TxPertModel with encoder {encoder!r}, trained", rows

    def _obsm_embedding(self) -> Embed | None:
        arguments = self.registry["setup_args"]
        modality = (arguments.get("modalities") or {}).get("embedding_key")
        return obsm_embedding(arguments.get("embedding_key"), modality)

    def _mean_control(self) -> torch.Tensor:
        controls = self.conditions.controls.filled()
        weights = controls.obs[N_CELLS].to_numpy()
        return torch.from_numpy(np.average(controls.mean, axis=0, weights=weights)).float()

    @property
    def conditions(self) -> ConditionTable:
        """Pseudobulk of the data attached to the model, with their split as it is now.

        Raises
        ------
        ValueError
            If the model was loaded without data.
        """
        return self._current_split()[1]

    def read(self, adata: AnnData | MuData) -> tuple[Screen, ConditionTable]:
        """Return the cells and the pseudobulk of data annotated like the model's own.

        Raises
        ------
        TypeError, ValueError
            If the genes are not the model's, or kind, annotation or values are unusable.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
        >>> later = adata[adata.obs["batch"] == "batch_2"].copy()
        >>> screen, table = model.read(later)
        >>> int(screen.control.sum())
        30
        >>> table.delta.shape  # of 12 perturbations and the controls
        (13, 60)
        """
        if adata is self.adata and self._data is not None:
            return self._current_split()
        check_genes(adata, self.registry, self.genes)
        with unregistered_on_failure(adata), without_advertising():
            self._validate_anndata(adata)
            return self._read(adata)

    def _read(self, adata: AnnData | MuData) -> tuple[Screen, ConditionTable]:
        screen = read_screen(self.get_anndata_manager(adata, required=True))
        if screen.split is None:
            screen = draw_split(screen, seed=settings.seed or 0)
        if self._embedding is None:
            return screen, ConditionTable.from_screen(screen)
        screen = self._embedding.of_cells(screen, adata)
        return screen, self._embedding.of_contexts(ConditionTable.from_screen(screen))

    def _current_split(self) -> tuple[Screen, ConditionTable]:
        """Return cells and pseudobulk of the attached data, with the split in obs as it is now."""
        if self._data is None:
            raise ValueError(
                "The model was loaded without AnnData. Load it with the data: "
                "TxPertModel.load(path, adata)."
            )
        screen, table = self._data
        now = read_split(split_column(self.adata_manager))
        if now is not None and (screen.split is None or not now.equals(screen.split)):
            screen = replace(screen, split=now)
            self._data = screen, table.with_split(screen)
            warnings.warn(
                f"The split in obs (split_key={self.registry['setup_args']['split_key']!r}) was "
                "written or changed after the model was made: it is used as it is now.",
                UserWarning,
                stacklevel=settings.warnings_stacklevel,
            )
        return self._data

    @property
    def _sources(self) -> Sources:
        return Sources(self._kernels, Network(self.module, self.nodes))

    def _kernels_among(self, anchors: pd.Index) -> GeneKernels:
        """Return kernels on the model's graphs with other anchors, not only training targets."""
        return GeneKernels(self.graphs, given_features(self._node_inputs), anchors)

    @cached_property
    def _kernels(self) -> GeneKernels:
        """Kernels between genes; the targets of the screen are anchors."""
        anchors = set(self._anchors)
        if self.ensemble_ is not None:
            anchors.update(self.ensemble_["targets"])
        return self._kernels_among(pd.Index(sorted(anchors), dtype=object))
