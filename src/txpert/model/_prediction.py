from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from anndata import AnnData

from txpert._constants import BATCH, CELL_LINE, CONTROL, PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable, ControlProfiles, Matching, Screen, encode_targets
from txpert.effects import GeneKernels, TargetEffect

from ._blend import Blend
from ._embeddings import ControlEmbedding
from ._module import TxPertModule
from ._setup import ScreenModelClass
from ._torch_datasets import control_tensors


class PredictingModelClass(ScreenModelClass):
    """A model that predicts by a network, alone or blended with simpler predictors."""

    module: TxPertModule
    nodes: pd.Index
    genes: pd.Index
    matching: Matching
    controls_: dict[str, Any]
    blend_: dict[str, Any] | None
    _embedding: ControlEmbedding | None
    _data: tuple[Screen, ConditionTable] | None

    @property
    def control_profiles(self) -> ControlProfiles:
        """Mean control profile of each context the model can predict from."""
        if self._data is None:
            return ControlProfiles.from_dict(self.controls_)
        return self._data[1].controls

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
        ``layers["delta"]``, and perturbation, cell_line and batch in ``obs``. A blended
        prediction has share_general, share_kernel, share_network and share_target in ``obs``: what
        each path contributes.

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
        embed = None if self._embedding is None else self._embedding.embed
        profiles = self.control_profiles.given(controls, keys, arguments["layer"], embed)
        profiles = profiles.pooled(self.matching)
        obs, context = profiles.conditions(perturbations, cell_line=cell_line, batch=batch)
        if self.module.reads == "none":
            distinct, code = np.unique(obs[PERTURBATION].to_numpy(str), return_inverse=True)
            some = pd.DataFrame({PERTURBATION: distinct})
            delta, lengths = self._delta(some, profiles, np.zeros(len(some), int), batch_size)
            delta, lengths = delta[code], lengths.iloc[code].reset_index(drop=True)
        else:
            delta, lengths = self._delta(obs, profiles, context, batch_size)
        if self.blend_ is not None:
            effect = TargetEffect(self.blend_["target"])
            row, column, change = effect.entries(obs[PERTURBATION], profiles, context)
            delta[row, column] += change
            lengths["target"] = np.sqrt(np.bincount(row, change**2, minlength=len(obs)))
        predicted = profiles.prediction_from_delta(obs, context, delta)
        shares = lengths.div(lengths.sum(axis=1).replace(0, 1), axis=0)
        predicted.obs[[f"share_{name}" for name in shares]] = shares.to_numpy()
        return predicted

    @property
    @abstractmethod
    def _kernels(self) -> GeneKernels:
        """How alike genes are, for the kernel path."""

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray, batch_size: int
    ) -> tuple[FloatArray, pd.DataFrame]:
        """Return Δ of conditions, and the length of each path in it if there are several."""
        network = self._decode(obs, profiles, context, batch_size)
        if self.blend_ is None:
            return network, pd.DataFrame(index=obs.index)
        blend = Blend.from_dict(self.blend_, self._kernels)
        return blend.delta(obs[PERTURBATION].tolist(), network)

    def _decode(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray, batch_size: int
    ) -> FloatArray:
        """Return Δ of conditions by the network alone, ``(n_conditions, n_genes)``."""
        positions = torch.from_numpy(encode_targets(obs[PERTURBATION], self.nodes))
        self.module.eval()
        embeddings = self.module.embed()
        states = self.module.basal_state(
            **control_tensors(profiles, np.arange(len(profiles.mean)))
        )
        delta = np.empty((len(obs), len(self.genes)), dtype=np.float32)
        for start in range(0, len(obs), batch_size):
            rows = slice(start, start + batch_size)
            targets, present = self.module.targets(embeddings, positions[rows].to(self.device))
            predicted = self.module.generative(
                **control_tensors(profiles, context[rows]),
                targets=targets,
                present=present,
                state=states[torch.from_numpy(context[rows]).to(states.device)],
            )
            expression = predicted["expression"].cpu().numpy()
            delta[rows] = expression - profiles.mean[context[rows]]
        return delta

    @torch.inference_mode()
    def _network_delta(self, obs: pd.DataFrame, profiles: ControlProfiles) -> FloatArray:
        profiles = profiles.pooled(self.matching)
        conditions, context = profiles.conditions(obs[[PERTURBATION, CELL_LINE, BATCH]])
        return self._decode(conditions, profiles, context, batch_size=1_024)

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
        targets, present = self.module.targets(embeddings, positions)
        start = embeddings.new_zeros(len(labels), embeddings.shape[1])
        values = self.module.combination(start, targets, present).cpu().numpy()
        return pd.DataFrame(values, index=pd.Index(labels, name=PERTURBATION))
