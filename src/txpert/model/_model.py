from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from mudata import MuData
from scvi import settings
from scvi.train import TrainRunner

from txpert._constants import BATCH, CELL_LINE, CONTROL, N_CELLS, PERTURBATION
from txpert.data import (
    ConditionTable,
    ControlProfiles,
    Controls,
    PerturbationSplitter,
    Screen,
    Unit,
    draw_split,
    encode_targets,
    parse_targets,
)

from ._module import Decoding, TxPertModule
from ._nodes import Graphs, graph_tensors, node_vocabulary, warn_of_isolated
from ._plan import MONITOR, BestWeights, TxPertTrainingPlan, run
from ._setup import ScreenModelClass, read_screen, registered_genes


class TxPertModel(ScreenModelClass):
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
        Perturbation encoder: ``"gat"``, ``"gat_hybrid"``, ``"gat_mlg"``, ``"exphormer"``,
        ``"hybrid_bmp"``, ``"sgc"``, ``"none"``, or one of your own
        (:func:`txpert.nn.register_encoder`).
    encoder_options
        Keyword arguments of the encoder, such as ``{"n_layers": 2}``.
    decoding
        ``"direct"`` predicts the profile from basal state and perturbation; ``"delta"`` predicts
        the change and adds it to the control profile.
    n_latent, n_hidden, dropout
        Length of embeddings and basal states, width of the hidden layers, and their dropout.
    extra_nodes
        Genes that are nodes besides the graphs' own; by default the screen's targets.
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
    _data_splitter_cls = PerturbationSplitter
    _training_plan_cls = TxPertTrainingPlan
    _train_runner_cls = TrainRunner

    def __init__(
        self,
        adata: AnnData | MuData | None = None,
        graphs: Graphs = (),
        *,
        encoder: str = "gat",
        encoder_options: Mapping[str, Any] | None = None,
        decoding: Decoding = "direct",
        n_latent: int = 64,
        n_hidden: int = 512,
        dropout: float = 0.2,
        extra_nodes: Sequence[str] | None = None,
        registry: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(adata, registry)
        self.trained_on_: list[tuple[str, str]] = []
        self.genes = registered_genes(registry or self.registry_)
        self._data: tuple[Screen, ConditionTable] | None = None
        targets: list[str] = []
        if adata is not None:
            self._data = self.read(adata)
            self.controls_ = self.conditions.controls.to_dict()
            labels = self.conditions.obs[PERTURBATION].cat.categories
            targets = sorted({target for label in labels for target in parse_targets(label)})
        loading = extra_nodes is not None
        self.graphs, self.nodes, extra_nodes = node_vocabulary(graphs, targets, extra_nodes)
        tensors = graph_tensors(self.graphs, self.nodes)
        if not loading:
            warn_of_isolated(targets, tensors, self.nodes)
        graphs = [graph.to_dict() for graph in self.graphs]
        self.module = self._module_cls(
            len(self.genes),
            tensors,
            len(self.nodes),
            encoder=encoder,
            encoder_options=encoder_options,
            decoding=decoding,
            n_latent=n_latent,
            n_hidden=n_hidden,
            dropout=dropout,
            mean_control=None if adata is None else self._mean_control(),
        )
        self._model_summary_string = (
            f"TxPertModel with encoder {encoder!r} over {len(self.graphs)} graph(s), "
            f"{len(self.nodes):,} nodes, {len(self.genes):,} genes, decoding {decoding!r}"
        )
        self.init_params_ = self._get_init_params(locals())

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
        return screen, ConditionTable.from_screen(screen)

    def train(
        self,
        max_epochs: int | None = None,
        *,
        lr: float = 1e-3,
        batch_size: int = 128,
        unit: Unit = "pseudobulk",
        controls: Controls = "averaged",
        early_stopping: bool = True,
        early_stopping_patience: int | None = None,
        accelerator: str = "auto",
        devices: int | list[int] | str = "auto",
        plan_kwargs: Mapping[str, Any] | None = None,
        **trainer_kwargs: Any,
    ) -> None:
        """Train on the training perturbations and all controls.

        The weights of the epoch with the best validation Pearson Δ are kept, also when training
        is interrupted by Ctrl-C. ``model.history`` holds train_loss, validation_loss and
        pearson_delta_validation of every epoch.

        Parameters
        ----------
        max_epochs
            Passes over the training rows; by default as many as make 3,000 steps, but 20 to 500.
        lr
            Learning rate of AdamW.
        batch_size
            Rows of a minibatch.
        unit
            ``"pseudobulk"`` trains on condition means weighted by their numbers of cells, which
            has the gradient of training on the cells and far fewer rows; ``"cell"`` on cells.
        controls
            ``"averaged"``, or ``"sampled"`` for each cell (with ``unit="cell"`` only).
        early_stopping
            Stop when validation Pearson Δ no longer rises. Without validation perturbations all
            epochs are run and the last weights kept.
        early_stopping_patience
            Epochs to wait for a better score; by default as many as make 200 steps, but 10 at
            least.
        accelerator, devices
            As in Lightning.
        plan_kwargs
            Further arguments of :class:`~txpert.model.TxPertTrainingPlan`.
        **trainer_kwargs
            Further arguments of :class:`scvi.train.Trainer`.
        """
        splitter = self._data_splitter_cls(
            *self._attached(), self.nodes, batch_size=batch_size, unit=unit, controls=controls
        )
        self.module.train()  # Lightning leaves the mode that an earlier prediction set
        self.trained_on_ = splitter.trained_on
        self.module.trained.copy_(splitter.trained_nodes(len(self.nodes)))
        steps = max(1, splitter.n_train // batch_size)
        if max_epochs is None:
            max_epochs = int(np.clip(3_000 // steps, 20, 500))
        if early_stopping_patience is None:
            early_stopping_patience = max(200 // steps, 10)
        validated = splitter.n_val > 0
        callbacks = list(trainer_kwargs.pop("callbacks", ()))
        if validated:
            callbacks.append(BestWeights(self.module))
        plan = self._training_plan_cls(
            self.module,
            n_validation_groups=splitter.validation.n_groups,
            lr=lr,
            **(plan_kwargs or {}),
        )
        runner = self._train_runner_cls(
            self,
            training_plan=plan,
            data_splitter=splitter,
            max_epochs=max_epochs,
            accelerator=accelerator,
            devices=devices,
            early_stopping=early_stopping and validated,
            early_stopping_monitor=MONITOR,
            early_stopping_mode="max",
            early_stopping_patience=early_stopping_patience,
            callbacks=callbacks,
            **{"check_val_every_n_epoch": 1, "log_every_n_steps": 1, **trainer_kwargs},
        )
        run(runner)

    @property
    def control_profiles(self) -> ControlProfiles:
        """Mean control profile of each context the model can predict from."""
        if self._data is None:
            return ControlProfiles.from_dict(self.controls_)
        return self.conditions.controls

    @torch.inference_mode()
    def predict(
        self,
        perturbations: str | Sequence[str] | pd.DataFrame,
        *,
        cell_line: str | Sequence[str] | None = None,
        batch: str | Sequence[str] | None = None,
        controls: AnnData | ControlProfiles | None = None,
        batch_size: int = 1_024,
    ) -> AnnData:
        """Predict the expression of perturbed cells.

        Parameters
        ----------
        perturbations
            Labels such as ``"KLF1"`` or ``"KLF1+BAK1"``, of any order, each predicted in every
            context; or a frame with the columns perturbation, cell_line and batch, one condition
            per row.
        cell_line, batch
            Only contexts of these.
        controls
            Control cells of your own, log-normalised, to predict from instead of the data's;
            their contexts come from the obs columns that the model was set up with, or are one.
            Averaged profiles (such as ``model.control_profiles``) do as well.
        batch_size
            Conditions decoded at once.

        Returns
        -------
        Conditions × genes: predicted expression in ``X``, minus the matched control mean in
        ``layers["delta"]``, and perturbation, cell_line and batch in ``obs``.

        Raises
        ------
        KeyError
            If a target is no node of the model or a context has no controls.
        ValueError
            If a label is malformed or the control cells lack genes.
        """
        self._check_if_trained(warn=True)
        arguments = self.registry["setup_args"]
        keys = {name: arguments[f"{name}_key"] for name in (CONTROL, CELL_LINE, BATCH)}
        profiles = self.control_profiles.given(controls, keys, arguments["layer"])
        obs, context = profiles.conditions(perturbations, cell_line=cell_line, batch=batch)
        positions = torch.from_numpy(encode_targets(obs[PERTURBATION], self.nodes))
        self.module.eval()
        embeddings = self.module.embed()
        expression = np.empty((len(obs), len(self.genes)), dtype=np.float32)
        for start in range(0, len(obs), batch_size):
            rows = slice(start, start + batch_size)
            effect = self.module.combine(embeddings, positions[rows].to(embeddings.device))
            control = torch.from_numpy(profiles.mean[context[rows]])
            predicted = self.module.generative(control, effect)
            expression[rows] = predicted["expression"].cpu().numpy()
        return profiles.prediction(obs, context, expression)

    @torch.inference_mode()
    def get_perturbation_embedding(
        self, perturbations: str | Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return latent embeddings of perturbations: what the graph encoder learned.

        Parameters
        ----------
        perturbations
            Labels; by default every single gene that is a node.

        Returns
        -------
        One row per perturbation, one column per latent dimension.
        """
        if perturbations is None:
            perturbations = list(self.nodes)
        labels = [perturbations] if isinstance(perturbations, str) else list(perturbations)
        self.module.eval()
        embeddings = self.module.embed()
        positions = torch.from_numpy(encode_targets(labels, self.nodes)).to(embeddings.device)
        values = self.module.combine(embeddings, positions).cpu().numpy()
        return pd.DataFrame(values, index=pd.Index(labels, name=PERTURBATION))


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
