"""``explain()``: the contributions that a prediction is the sum of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import Any, get_args

import numpy as np
import pandas as pd

from txpert._constants import BATCH, CELL_LINE, MODALITY, N_CELLS, PERTURBATION
from txpert._types import IntArray
from txpert.data._controls import ControlProfiles, Matching
from txpert.data._layout import over_batches
from txpert.data._tokens import encode_targets, parse_targets
from txpert.effects._line_effects import check_modality
from txpert.graph import KnowledgeGraph
from txpert.nn import EncoderConfig
from txpert.nn._registry import make_encoder

from ._additive import Asked
from ._asked_names import modalities_of
from ._component import GAUSSIAN_PROCESS, NETWORK, not_fitted
from ._edge_removal import EdgeRemoval
from ._ensemble import Ensemble
from ._inputs import make_nodes
from ._module import TxPertModule
from ._network import Network
from ._parts import By, Parts
from ._terms import coefficients


class ExplanationMixin:
    """Takes predictions apart."""

    graphs: list[KnowledgeGraph]
    nodes: pd.Index
    components: tuple[str, ...]
    module: TxPertModule
    init_params_: dict[str, Any]
    _node_inputs: Sequence[str | Mapping[str, Any]]
    matching: Matching
    ensemble_: dict[str, Any] | None
    _lock: RLock
    _check_if_trained: Callable[..., None]

    @property
    @abstractmethod
    def control_profiles(self) -> ControlProfiles:
        """Mean control profile of each context the model can predict from."""

    @abstractmethod
    def _ensemble(self) -> Ensemble:
        """Return the components and weights."""

    def explain(
        self,
        perturbation: str,
        *,
        cell_line: str | None = None,
        modality: str | None = None,
        by: By = "perturbation",
    ) -> pd.DataFrame:
        r"""Take a predicted Δ apart into what it is the sum of.

        The Gaussian process is linear in the training effects: what each training perturbation,
        each kernel of a graph and each cell line adds is exact. Other components, such as the
        network, are one term each, and so is what the calibration on held-out perturbations adds.

        Parameters
        ----------
        perturbation
            A label.
        cell_line
            Where it is predicted; by default the line of the model, if there is one only.
        modality
            How it is perturbed; by default as most training perturbations of the line are.
        by
            One row per training ``"perturbation"`` (in each cell line), per ``"part"`` (kernel,
            own part, mean effect, other component), per ``"cell_line"`` of training, or per
            ``"edge"`` between a target and a neighbor, for the network.

        Returns
        -------
        A row per contribution, the largest first. ``component`` and ``part`` say what it comes
        from, and ``contribution`` is its projection on the direction of the predicted Δ: the
        column sums to the norm of Δ, in ``attrs["norm"]``. ``norm`` is its own norm.

        By perturbation there are, for training effects (``part`` "training effect"), also the
        ``weight`` of the perturbation's deviation from the mean effect; ``if_removed``, the norm
        of the change of Δ if it had not been measured (exact but for the calibration, at the same
        variances and weights of components); ``effect_norm``, the norm of its measured Δ; its
        heaviest edge with a target, ``edge_weight`` in ``graph``; and the ``kernel`` that most of
        its contribution goes through.

        By edge there are ``graph``, ``target``, ``neighbor``, ``edge_weight`` and, exactly but for
        the calibration, for the network with the same parameters and inputs of nodes on graphs
        without that edge:
        ``if_removed``, the norm of the change of Δ, by which rows are sorted, and
        ``contribution``, its projection. These do not sum to anything. The 100 heaviest edges of
        the targets in each graph are removed in turn; ``attrs["n_left_out"]`` counts the others.

        Raises
        ------
        KeyError
            If a target is no node of the model, the cell line has no controls, or the modality is
            not in training.
        ValueError
            If the label is malformed or names no target, ``by`` is unknown, several cell lines
            leave the choice open, or the Gaussian process is no component or was never fitted; by
            edge, if the network is none or has no part in this prediction.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> parts = ("mean", "gaussian_process")
        >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components=parts)
        >>> model.train()
        >>> why = model.explain("GENE20")
        >>> bool(abs(why["contribution"].sum() - why.attrs["norm"]) < 1e-3)
        True
        """
        if by not in get_args(By):
            raise ValueError(f"by must be one of {', '.join(get_args(By))}, not {by!r}.")
        self._check_if_trained(warn=True)
        needed = NETWORK if by == "edge" else GAUSSIAN_PROCESS
        if needed not in self.components:
            raise ValueError(
                f"Only a model with the component {needed!r} explains predictions by {by}."
            )
        if needed == GAUSSIAN_PROCESS and self.ensemble_ is None:
            raise not_fitted(self.components)
        if not parse_targets(perturbation):
            raise ValueError(f"{perturbation!r} names no target: nothing is predicted of it.")
        profiles, asked = self._one_context(perturbation, cell_line, modality)
        obs, context = profiles.conditions(asked)
        encode_targets(obs[PERTURBATION].unique(), self.nodes)
        if by == "edge":
            with self._lock:
                return self._by_edge(obs, profiles, context)
        with self._lock:
            taken = Parts(self._ensemble(), obs, profiles, context)
        frame = taken.by_row(self.graphs) if by == "perturbation" else taken.by_group(by)
        frame = frame.sort_values("contribution", ascending=False, key=abs, ignore_index=True)
        frame.attrs |= {
            PERTURBATION: obs[PERTURBATION].iloc[0],
            CELL_LINE: obs[CELL_LINE].iloc[0],
            "norm": float(np.linalg.norm(taken.delta)),
        }
        return frame

    def _by_edge(
        self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> pd.DataFrame:
        ensemble = self._ensemble()
        factor = coefficients(ensemble, str(ensemble.kinds(obs)[0])).get(NETWORK, 0.0)
        label, line = obs[PERTURBATION].iloc[0], obs[CELL_LINE].iloc[0]
        if not factor:
            raise ValueError(f"The network has no part in the prediction of {label!r}: weight 0.")
        delta = Asked(ensemble, profiles, obs).delta([label])[0]
        norm = float(np.linalg.norm(delta))
        config = EncoderConfig.of(self.init_params_["non_kwargs"]["encoder"])
        nodes, n_latent = make_nodes(self._node_inputs, self.nodes), self.module.n_latent
        removal = EdgeRemoval(
            Network(self.module, self.nodes),
            self.graphs,
            lambda graphs: make_encoder(config, graphs, nodes, n_latent),
        )
        frame = removal.table(obs, profiles, context, delta / (norm or 1.0), factor)
        frame.attrs |= {PERTURBATION: label, CELL_LINE: line, "norm": norm}
        return frame

    def _one_context(
        self, perturbation: str, cell_line: str | None, modality: str | None
    ) -> tuple[ControlProfiles, pd.DataFrame]:
        """Return the pooled controls of a line, and a perturbation that is predicted from them.

        Where batches of the line are of several modalities and none is named, it is the one of
        most control cells.

        Raises
        ------
        KeyError
            If the line has no controls, or the modality is not in training.
        ValueError
            If there are several lines and none was named.
        """
        if not isinstance(cell_line, str | None):
            raise ValueError(f"cell_line is the name of one cell line, not {cell_line!r}.")
        profiles = self.control_profiles.pooled(self.matching)
        lines = profiles.obs[CELL_LINE].astype(str)
        if cell_line is None and lines.nunique() > 1:
            raise ValueError(f"Name the cell_line, one of {', '.join(sorted(lines.unique()))}.")
        line = lines.iloc[0] if cell_line is None else cell_line
        if line not in set(lines):
            known = ", ".join(sorted(lines.unique()))
            raise KeyError(f"There are no controls of cell line {line!r}, only of {known}.")
        chosen = (lines == line).to_numpy()
        asked = {PERTURBATION: [perturbation], CELL_LINE: [line]}
        if modality is not None:
            check_modality(modality, modalities_of(self._ensemble().labels))
            asked[MODALITY] = [modality]
            own = chosen & (profiles.obs[MODALITY].astype(str) == modality).to_numpy()
            chosen = own if own.any() else chosen
        profiles = over_batches(profiles.subset(np.flatnonzero(chosen)))
        most = int(profiles.obs[N_CELLS].to_numpy().argmax())
        asked[BATCH] = [str(profiles.obs[BATCH].iloc[most])]
        return profiles, pd.DataFrame(asked)
