"""``predict()``: Δ by the ensemble, plus the effect on the targets' own expression."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any

import numpy as np
import pandas as pd
import torch
from anndata import AnnData

from txpert._constants import BATCH, CELL_LINE, CONTROL, PERTURBATION
from txpert._options import check_flag, check_whole
from txpert._types import FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles, Matching
from txpert.data._screen import Screen
from txpert.data._tokens import encode_targets
from txpert.effects._gene_process import Posterior

from ._components import NETWORK, Sources
from ._embeddings import ControlEmbedding
from ._ensemble import Ensemble
from ._module import TxPertModule


class PredictionMixin:
    """Predicts by the components of a trained model."""

    module: TxPertModule
    nodes: pd.Index
    matching: Matching
    components: tuple[str, ...]
    controls_: dict[str, Any]
    ensemble_: dict[str, Any] | None
    registry: dict[str, Any]
    _embedding: ControlEmbedding | None
    _data: tuple[Screen, ConditionTable] | None
    _lock: RLock
    _rebuilt: tuple[dict[str, Any], Ensemble] | None
    _check_if_trained: Callable[..., None]

    @property
    @abstractmethod
    def _sources(self) -> Sources:
        """What the components are made from."""

    @property
    def control_profiles(self) -> ControlProfiles:
        """Mean control profile of each context the model can predict from."""
        if self._data is None:
            return ControlProfiles.from_dict(self.controls_)
        return self._data[1].controls

    def predict(
        self,
        perturbations: str | Sequence[str] | pd.DataFrame,
        *,
        cell_line: str | Sequence[str] | None = None,
        batch: str | Sequence[str] | None = None,
        controls: AnnData | ControlProfiles | None = None,
        batch_size: int = 1_024,
        return_std: bool = False,
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
            Control cells of your own, log-normalized, to predict from instead of the data's;
            their contexts come from the obs columns that the model was set up with, or are one.
            Averaged profiles (such as ``model.control_profiles``) do as well.
        batch_size
            Conditions decoded at once.
        return_std
            Whether to add ``layers["std"]``: the standard deviation of a measurement of Δ, with
            the median number of cells, around the prediction, by the posterior of the Gaussian
            process.

        Returns
        -------
        Conditions × genes: predicted expression in ``X``, minus the matched control mean in
        ``layers["delta"]``, and perturbation, cell_line and batch in ``obs``. The prediction of
        an ensemble has ``fraction_mean``, ``fraction_gaussian_process``, ``fraction_network`` and
        ``fraction_target`` in ``obs``: what each component contributes. ``obs["specific"]`` is the
        fraction of the variance of effects specific to a perturbation that the Gaussian process
        explains: 0 where nothing but the mean effect is known. From 2,000 training rows on it is
        there with ``return_std`` only.

        Raises
        ------
        KeyError
            If a target is no node of the model or a context has no controls.
        ValueError
            If a label is malformed, the control cells lack genes, ``batch_size`` is no whole
            number of at least 1, components were never fitted, or ``return_std`` is asked of a
            model without the Gaussian process.
        """
        check_whole("batch_size", batch_size, least=1)
        check_flag("return_std", return_std)
        self._check_if_trained(warn=True)
        arguments = self.registry["setup_args"]
        keys = {name: arguments[f"{name}_key"] for name in (CONTROL, CELL_LINE, BATCH)}
        embed = None if self._embedding is None else self._embedding.embed
        profiles = self.control_profiles.given(controls, keys, arguments["layer"], embed)
        profiles = profiles.pooled(self.matching)
        obs, context = profiles.conditions(perturbations, cell_line=cell_line, batch=batch)
        # Refuses unknown targets, whatever the components.
        encode_targets(obs[PERTURBATION].unique(), self.nodes)
        with self._lock:  # module and kernels remember what they computed last
            delta, sizes = self._delta(obs, profiles, context, batch_size)
            posterior = self._posterior(obs, return_std)
        predicted = profiles.prediction_from_delta(obs, context, delta)
        if posterior is not None:
            predicted.obs["specific"] = posterior.specific
        if posterior is not None and posterior.std is not None:
            predicted.layers["std"] = posterior.std
        fractions = sizes.div(sizes.sum(axis=1).replace(0, 1), axis=0)
        predicted.obs[[f"fraction_{name}" for name in fractions]] = fractions.to_numpy()
        return predicted

    def _delta(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray, batch_size: int
    ) -> tuple[FloatArray, pd.DataFrame]:
        """Return Δ of conditions, and the norm of each component in it if there are several."""
        ensemble = self._ensemble().in_batches(batch_size)
        # Conditions that no component tells apart are predicted once.
        columns = ensemble.reads
        code, first = _groups(obs, columns)
        delta, sizes = ensemble.delta(obs.iloc[first], profiles, context[first])
        delta, sizes = delta[code], sizes.iloc[code].reset_index(drop=True)
        if self.ensemble_ is None:
            return delta, pd.DataFrame(index=obs.index)
        row, column, change = ensemble.target.entries(obs, profiles, context)
        delta[row, column] += change
        sizes["target"] = np.sqrt(np.bincount(row, change**2, minlength=len(obs)))
        return delta, sizes

    def _posterior(self, obs: pd.DataFrame, return_std: bool) -> Posterior | None:
        """Return the spread of the conditions' Δ; ``None`` if it is not known or costs much."""
        process = None if self.ensemble_ is None else self._ensemble().process
        if process is None:
            if return_std:
                raise ValueError(
                    "return_std needs the component 'gaussian_process', and the model has "
                    f"{', '.join(self.components)}."
                )
            return None
        if not (return_std or process.process.knows_spread):
            return None
        code, first = _groups(obs, list(process.reads))
        found = process.posterior(obs.iloc[first], return_std=return_std, return_specific=True)
        mean, std, specific = (None if part is None else part[code] for part in found)
        assert mean is not None
        return Posterior(mean, std, specific)

    def _ensemble(self) -> Ensemble:
        """Return the components and weights, rebuilt once for each training."""
        if self.ensemble_ is None:
            if NETWORK not in self.components:
                raise ValueError(
                    f"The components {', '.join(self.components)} are not fitted yet: run "
                    "model.train() first."
                )
            return Ensemble.of_network(self._sources)
        if self._rebuilt is None or self._rebuilt[0] is not self.ensemble_:
            self._rebuilt = self.ensemble_, Ensemble.from_dict(self.ensemble_, self._sources)
        return self._rebuilt[1]

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

        Raises
        ------
        ValueError
            If the model has no network among its components.
        """
        if NETWORK not in self.components:
            raise ValueError("The embeddings are the network's, which is no component here.")
        if perturbations is None:
            perturbations = list(self.nodes)
        labels = [perturbations] if isinstance(perturbations, str) else list(perturbations)
        with self._lock:
            self.module.eval()
            embeddings = self.module.embed()
        positions = torch.from_numpy(encode_targets(labels, self.nodes)).to(embeddings.device)
        targets, present = self.module.targets(embeddings, positions)
        start = embeddings.new_zeros(len(labels), embeddings.shape[1])
        values = self.module.combination(start, targets, present).cpu().numpy()
        return pd.DataFrame(values, index=pd.Index(labels, name=PERTURBATION))


def _groups(obs: pd.DataFrame, columns: list[str]) -> tuple[IntArray, IntArray]:
    """Return the group of each condition by some columns, and the first condition of each."""
    known = [column for column in columns if column in obs]
    code = obs.groupby(known, sort=True, observed=True).ngroup().to_numpy(dtype=np.int64)
    return code, np.unique(code, return_index=True)[1]
