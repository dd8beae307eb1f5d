"""``predict()``: Δ by the ensemble, plus the effect on the targets' own expression."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from copy import deepcopy
from threading import RLock
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from anndata import AnnData

from txpert._constants import BATCH, CELL_LINE, CONTROL, PERTURBATION, UNS_KEY
from txpert._options import check_choice, check_flag, check_names, check_whole
from txpert._types import BoolArray, FloatArray, IntArray
from txpert.data import ConditionTable
from txpert.data._controls import ControlProfiles, Matching
from txpert.data._layout import lay_out
from txpert.data._own_controls import chosen_controls
from txpert.data._screen import Screen
from txpert.data._tokens import encode_targets
from txpert.effects._confidence import Confidence
from txpert.effects._line_effects import check_modalities
from txpert.graph import KnowledgeGraph

from ._asked_names import by_nodes, gene_ids, lacks_node, modalities_of
from ._chunks import in_chunks
from ._component import NETWORK, Sources, not_fitted
from ._confidence import (
    EXPECTED,
    add_interval,
    add_posterior,
    calibrate,
    check_level,
    check_reached,
    expected_scores,
    groups,
    posterior_of,
    warn_of_few,
)
from ._control_labels import check_given
from ._distance import warn_of_unseen_lines
from ._embeddings import ControlEmbedding
from ._ensemble import Ensemble
from ._fields import NORMALIZED_TO
from ._module import TxPertModule
from ._record import record, settings_of


class PredictionMixin:
    """Predicts by the components of a trained model."""

    module: TxPertModule
    nodes: pd.Index
    matching: Matching
    components: tuple[str, ...]
    graphs: list[KnowledgeGraph]
    adata: Any
    init_params_: dict[str, Any]
    controls_: dict[str, Any]
    trained_on_: list[tuple[str, str]]
    training_: dict[str, Any]
    ensemble_: dict[str, Any] | None
    registry: dict[str, Any]
    _embedding: ControlEmbedding | None
    _data: tuple[Screen, ConditionTable] | None
    _lock: RLock
    _rebuilt: tuple[dict[str, Any], Ensemble] | None
    _calibrated: tuple[dict[str, Any], Confidence] | None
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
        by_batch: bool = False,
        clip: bool = True,
        return_confidence: bool = False,
        interval: float | None = None,
        unknown: Literal["mean", "raise"] = "mean",
    ) -> AnnData:
        """Predict the expression of perturbed cells.

        Parameters
        ----------
        perturbations
            Labels such as ``"KLF1"`` or ``"KLF1+BAK1"``, of any order, each predicted in every
            cell line; or a frame with the columns perturbation, cell_line (where there are
            several), batch (left out, or ``"all"``: the whole line) and modality if there is any,
            one condition per row. Labels may have other spellings, aliases, Ensembl ids or
            separators (``"A_B"``); a warning says how they were read.
        cell_line, batch
            Only contexts of these; of labels, not of a frame.
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
        by_batch
            Predict labels in every batch from its controls, instead of once per cell line from
            all of them.
        clip
            Set predicted expression below zero to zero, which log-normalized values never are;
            Δ stays as predicted, and so do effects (:func:`txpert.pp.from_effects`).
        return_confidence
            Whether to add ``obs["expected_pearson_delta"]``: the Pearson Δ to expect, learned from
            left-out training perturbations. It is that of the Gaussian process, least certain
            where ``obs["nothing_specific"]`` is true, and NaN for measured conditions.
        interval
            Coverage, such as 0.9, of intervals ``layers["lower"]`` to ``layers["upper"]`` for a
            measurement of Δ; conformal, calibrated on left-out training perturbations, of which
            a coverage of 0.9 takes at least 9, of 0.95 19.
        unknown
            Targets that are no node of the model: ``"mean"`` predicts the common effect of the
            training perturbations for them, with a warning and ``obs["unknown_target"]``;
            ``"raise"`` refuses them, as the network alone always does.

        Returns
        -------
        Conditions × genes: predicted expression in ``X``, minus the matched control mean (which is
        ``layers["control"]``) in ``layers["delta"]``, and perturbation, cell_line and batch in
        ``obs``; ``var`` is that of
        the data, if they are attached, and ``uns["txpert"]`` says how the model was made and
        trained (settings, versions, graphs, seed, hash of the split). The prediction of
        an ensemble has ``fraction_mean``, ``fraction_gaussian_process``, ``fraction_network`` and
        ``fraction_target`` in ``obs``: the norm of each term of the sum over the sum of these
        norms. ``obs["specific"]`` is the fraction of the variance of effects specific to a
        perturbation that the Gaussian process explains: 0 where nothing but the common effect of
        the training perturbations is known; below 0.01 ``obs["nothing_specific"]`` is true. Beyond
        2,000 training rows (perturbations × cell lines) both are there with ``return_std`` or
        ``interval`` only.

        Raises
        ------
        KeyError
            If a context has no controls, a modality is unknown, or a target is no node of the
            model and ``unknown`` is ``"raise"`` or there is the network alone.
        ValueError
            If a label is malformed, the control cells lack genes, ``batch_size`` is no whole
            number of at least 1, components were never fitted, ``interval`` is not between 0 and
            1 or too near 1 for the training perturbations, or a spread is asked of a model
            without the Gaussian process.

        Warns
        -----
        UserWarning
            If there are too few training perturbations for what is then NaN: 6 for expected
            scores, 2 for standard deviations.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
        >>> model.train(enable_progress_bar=False)
        >>> prediction = model.predict(["GENE3", "GENE3+GENE5"])
        >>> prediction.layers["delta"].shape
        (2, 60)
        """
        check_whole("batch_size", batch_size, least=1)
        for name, flag in {
            "return_std": return_std,
            "by_batch": by_batch,
            "clip": clip,
            "return_confidence": return_confidence,
        }.items():
            check_flag(name, flag)
        check_choice("unknown", unknown, ("mean", "raise"))
        check_level(interval)
        self._check_if_trained(warn=True)
        arguments = self.registry["setup_args"]
        keys = {name: arguments[f"{name}_key"] for name in (CONTROL, CELL_LINE, BATCH)}
        check_given(controls, arguments)
        embed = None if self._embedding is None else self._embedding.embed
        profiles = chosen_controls(
            self.control_profiles,
            controls,
            keys,
            arguments["layer"],
            embed,
            self.registry.get(NORMALIZED_TO),
        )
        clip = clip and not profiles.of_effects
        known = self.nodes.append(pd.Index(profiles.labels, dtype=object))
        perturbations, asked = by_nodes(perturbations, known, gene_ids(self._var(), self.nodes))
        profiles, obs, context = lay_out(
            profiles.pooled(self.matching),
            perturbations,
            cell_line=cell_line,
            batch=batch,
            by_batch=by_batch,
        )
        no_node = self._without_node(obs, unknown)
        if self.ensemble_ is not None:
            training = ControlProfiles.from_dict(self.controls_)
            table = [] if self._data is None else [self._data[1].obs]
            check_modalities(obs, modalities_of(self._ensemble().labels, profiles.obs, *table))
            warn_of_unseen_lines(self._ensemble(), obs, profiles, training)
        of = None if self.ensemble_ is None else self._ensemble()
        check_reached(of, self.components, interval)
        with self._lock:  # module and kernels remember what they computed last
            delta, sizes = self._delta(obs, profiles, context, batch_size)
            with_std = return_std or interval is not None
            posterior = posterior_of(of, self.components, obs, with_std)
            if return_confidence or interval is not None:
                confidence = self._confidence()
            if return_confidence:
                expected = expected_scores(self._ensemble(), confidence, obs)
        if asked is not None:
            obs[PERTURBATION] = asked
        predicted = profiles.prediction_from_delta(obs, context, delta, clip=clip)
        if no_node.any():
            predicted.obs["unknown_target"] = no_node
        self._annotate(predicted)
        add_posterior(predicted, posterior)
        if return_confidence:
            predicted.obs[EXPECTED] = expected
        if interval is not None:
            add_interval(predicted, confidence, interval)
        if with_std or return_confidence:
            warn_of_few(self._ensemble(), std=with_std, expected=return_confidence)
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
        code, first = groups(obs, columns)
        delta, sizes = in_chunks(ensemble, obs.iloc[first], profiles, context[first])
        if len(first) < len(obs):
            delta, sizes = delta[code], sizes.iloc[code].reset_index(drop=True)
        if self.ensemble_ is None:
            return delta, pd.DataFrame(index=obs.index)
        row, column, change = ensemble.target.entries(obs, profiles, context)
        delta[row, column] += change
        sizes["target"] = np.sqrt(np.bincount(row, change**2, minlength=len(obs)))
        return delta, sizes

    def _without_node(self, obs: pd.DataFrame, unknown: str) -> BoolArray:
        """Say which conditions have a target that is no node; warn, or raise if asked to."""
        labels = obs[PERTURBATION].astype(str)
        if unknown == "raise" or self.ensemble_ is None:
            encode_targets(labels.unique(), self.nodes)
            return np.zeros(len(obs), dtype=bool)
        return lacks_node(labels, self.nodes)

    def _var(self) -> pd.DataFrame | None:
        """Return the genes' annotation in memory, ``None`` without data."""
        if self.adata is None:
            return None
        modality = (self.registry["setup_args"].get("modalities") or {}).get("layer")
        var = (self.adata if modality is None else self.adata.mod[modality]).var
        return var if isinstance(var, pd.DataFrame) else var.to_memory()

    def _annotate(self, predicted: AnnData) -> None:
        """Add the genes' annotation, and how the model was made and trained."""
        var = self._var()
        if var is not None:
            predicted.var = var.copy()
        predicted.uns[UNS_KEY] = self.record()

    def record(self) -> dict[str, Any]:
        """Return how the model was made and trained, in plain values.

        Returns
        -------
        ``model``, ``versions``, ``settings``, ``training`` (options, epochs, ``seed``,
        ``split_sha256``, :func:`txpert.pp.split`), ``graphs`` and ``trained_on``.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=["mean"])
        >>> model.train(enable_progress_bar=False)
        >>> model.record()["graphs"].tolist()
        ['toy']
        """
        return record(
            type(self).__name__,
            settings_of(self.init_params_),
            deepcopy(self.training_),
            [graph.name for graph in self.graphs],
            self.trained_on_,
        )

    def _ensemble(self) -> Ensemble:
        """Return the components and weights, rebuilt once for each training."""
        if self.ensemble_ is None:
            if NETWORK not in self.components:
                raise not_fitted(self.components)
            return Ensemble.of_network(self._sources)
        if self._rebuilt is None or self._rebuilt[0] is not self.ensemble_:
            self._rebuilt = self.ensemble_, Ensemble.from_dict(self.ensemble_, self._sources)
        return self._rebuilt[1]

    def _confidence(self) -> Confidence:
        """Return the calibration of the Gaussian process, made once for each training."""
        if self._calibrated is None or self._calibrated[0] is not self.ensemble_:
            ensemble = None if self.ensemble_ is None else self._ensemble()
            self._calibrated = self.ensemble_ or {}, calibrate(ensemble, self.components)
        return self._calibrated[1]

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

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), encoder="free")
        >>> model.train(max_epochs=1, enable_progress_bar=False)
        >>> model.get_perturbation_embedding(["GENE3"]).shape
        (1, 64)
        """
        if NETWORK not in self.components:
            raise ValueError("The embeddings are the network's, which is no component here.")
        if perturbations is None:
            perturbations = list(self.nodes)
        given = [perturbations] if isinstance(perturbations, str) else perturbations
        labels = check_names("perturbations", given)
        with self._lock:
            self.module.eval()
            embeddings = self.module.embed()
        positions = torch.from_numpy(encode_targets(labels, self.nodes)).to(embeddings.device)
        targets, present = self.module.targets(embeddings, positions)
        start = embeddings.new_zeros(len(labels), embeddings.shape[1])
        values = self.module.combination(start, targets, present).cpu().numpy()
        return pd.DataFrame(values, index=pd.Index(labels, name=PERTURBATION))
