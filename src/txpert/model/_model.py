from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from mudata import MuData
from scvi import settings

from txpert._constants import N_CELLS, PERTURBATION
from txpert.data import ConditionTable, Embed, Matching, Screen, parse_targets
from txpert.effects import GeneKernels, GeneProcess
from txpert.nn import CombinationName, EncoderConfig
from txpert.splits import draw_split

from ._embeddings import ControlEmbedding, LatentModel, obsm_embedding
from ._module import Basal, Decoding, TxPertModule
from ._node_inputs import NodeInputs, feature_genes, given_features, make_nodes, read_node_inputs
from ._nodes import (
    Graphs,
    check_overlap,
    graph_tensors,
    node_vocabulary,
    read_graphs,
    warn_of_isolated,
)
from ._setup import read_screen, registered_genes
from ._training import TrainableModelClass

Prediction = Literal["blended", "network"]


class TxPertModel(TrainableModelClass):
    """Predict the transcriptomic response to genetic perturbations never measured.

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
        Perturbation encoder: one of :data:`txpert.nn.ENCODERS` by name, such as ``"gat"``,
        ``"exphormer"`` or ``"free"``, or with options, such as
        ``tx.nn.EncoderConfig("gat", {"n_layers": 2})``.
    node_inputs
        What the encoder knows of each gene besides the graphs: ``"learned"`` gives it a row to
        learn, ``"spectral"`` coordinates on the graphs
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
        one after the other (``"sequential"``); see :class:`txpert.nn.SequentialCombination`.
    decoding
        ``"low_rank"`` predicts the change by a few directions learned from the training
        perturbations and adds it to the control profile; ``"delta"`` predicts the change by an
        MLP; ``"direct"`` predicts the profile from basal state and perturbation by an MLP.
    prediction
        ``"blended"`` blends the network with a Gaussian process over genes and the mean effect, as
        far as held-out perturbations say that each can be trusted (:class:`txpert.model.Blend`);
        ``"network"`` predicts by the network alone.
    n_latent, n_hidden, dropout
        Length of embeddings and basal states, width of the hidden layers, and their dropout.
    extra_nodes
        Genes that are nodes besides the graphs' own; by default the screen's targets and those
        with features.
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
        prediction: Prediction = "blended",
        n_latent: int = 64,
        n_hidden: int = 512,
        dropout: float = 0.2,
        extra_nodes: Sequence[str] | None = None,
        registry: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(adata, registry)
        self.trained_on_: list[tuple[str, str]] = []
        self.blend_: dict[str, Any] | None = None
        self.prediction = prediction
        self.genes = registered_genes(registry or self.registry_)
        self.matching = matching
        if prediction not in get_args(Prediction):
            raise ValueError(f"prediction must be 'blended' or 'network', not {prediction!r}.")
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
        self.graphs = read_graphs(graphs)
        self._node_inputs = node_inputs = read_node_inputs(node_inputs, self.graphs)
        described = feature_genes(node_inputs)
        loading = extra_nodes is not None
        self.nodes, extra_nodes = node_vocabulary(self.graphs, [*targets, *described], extra_nodes)
        tensors = graph_tensors(self.graphs, self.nodes)
        if not loading:
            check_overlap(self.graphs, described, targets)
            warn_of_isolated(targets, tensors, self.nodes, described)
        graphs, encoder = [graph.to_dict() for graph in self.graphs], config.to_dict()
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
            mean_control=None if adata is None else self._mean_control(),
        )
        self._model_summary_string = (
            f"TxPertModel with encoder {config.name!r} over {len(self.graphs)} graph(s), "
            f"{len(self.nodes):,} nodes, {len(self.genes):,} genes, decoding {decoding!r}"
        )
        self.init_params_ = self._get_init_params(locals())

    @property
    def summary_string(self) -> str:
        """What the model is and, once trained, what its predictions are made of."""
        if self.blend_ is None:
            return super().summary_string
        blends = [
            f"{kind}: {w['scale']:.2f} × (general + {w['kernel']:.1f} (kernel - general) + "
            f"{w['network']:.1f} (network - general))"
            for kind, w in self.blend_["weights"].items()
        ]
        explained = GeneProcess.from_dict(self.blend_["process"]).explained
        kernels = f"Kernels explain {explained:.0%} of the variance of effects in training."
        head = "Prediction of perturbations that are"
        return "\n".join([super().summary_string, kernels, head, *blends])

    def _obsm_embedding(self) -> Embed | None:
        arguments = self.registry["setup_args"]
        modality = (arguments.get("modalities") or {}).get("embedding_key")
        return obsm_embedding(arguments.get("embedding_key"), modality)

    def _mean_control(self) -> torch.Tensor:
        controls = self.conditions.controls
        weights = controls.obs[N_CELLS].to_numpy()
        return torch.from_numpy(np.average(controls.mean, axis=0, weights=weights)).float()

    @property
    def conditions(self) -> ConditionTable:
        """Pseudobulk of the data attached to the model.

        Raises
        ------
        ValueError
            If the model was loaded without data.
        """
        return self._attached()[1]

    def _attached(self) -> tuple[Screen, ConditionTable]:
        if self._data is None:
            raise ValueError(
                "The model was loaded without AnnData. Load it with the data: "
                "TxPertModel.load(path, adata)."
            )
        return self._data

    def read(self, adata: AnnData | MuData) -> tuple[Screen, ConditionTable]:
        """Return the cells and the pseudobulk of data annotated like the model's own.

        Raises
        ------
        ValueError
            If the genes are not the model's, or annotation or values are unusable.
        """
        if adata is self.adata and self._data is not None:
            return self._data
        self._validate_anndata(adata)
        screen = read_screen(self.get_anndata_manager(adata, required=True))
        if not screen.genes.equals(self.genes):
            raise ValueError(_differing_genes(screen.genes, self.genes))
        if screen.split is None:
            screen = draw_split(screen, seed=settings.seed or 0)
        if self._embedding is None:
            return screen, ConditionTable.from_screen(screen)
        screen = self._embedding.of_cells(screen, adata)
        return screen, self._embedding.of_contexts(ConditionTable.from_screen(screen))

    @cached_property
    def _kernels(self) -> GeneKernels:
        """How alike genes are, for the kernel path; the targets of the screen are anchors."""
        anchors = set(self._anchors)
        if self.blend_ is not None:
            anchors.update(self.blend_["process"]["targets"])
        features = given_features(self._node_inputs)
        return GeneKernels(self.graphs, features, pd.Index(sorted(anchors), dtype=object))


def _differing_genes(found: pd.Index, expected: pd.Index) -> str:
    missing = expected.difference(found)
    if len(missing):
        return (
            f"The data lack {len(missing):,} of the {len(expected):,} genes of the model, "
            f"{missing[0]!r} among them."
        )
    return (
        "The genes of the data are not those of the model in the model's order. Align them: "
        "adata = adata[:, model.genes].copy()"
    )
