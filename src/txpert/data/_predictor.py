"""Whatever predicts Δ of conditions: the body of ``predict``, written once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from txpert._constants import BATCH, CELL_LINE, CONTROL, PERTURBATION, UNS_KEY
from txpert._types import FloatArray, IntArray

from ._controls import ControlProfiles
from ._layout import lay_out
from ._meant import in_known_names
from ._own_controls import chosen_controls
from ._tokens import parse_targets

TRAINED_ON = "trained_on"
_CALLER = 4
"""Stack level of who called :meth:`Predictor.predict`, from what ``_predict`` calls."""
Answer = FloatArray | tuple[FloatArray, pd.DataFrame]


class Predictor(ABC):
    """Predicts matched control + Δ; a subclass says what Δ is.

    A subclass has ``control_profiles``, the mean control profile of each context that it can
    predict from, and implements :meth:`_delta`. Everything else (reading labels, contexts and the
    user's own controls, Δ = 0 of controls, the AnnData that comes back) is here.

    Examples
    --------
    Effects that came from elsewhere, here the truth of a simulated screen, as a predictor:

    >>> import txpert as tx
    >>> class FromTable(tx.data.Predictor):
    ...     def __init__(self, effects, control_profiles):
    ...         self.effects, self.control_profiles = effects, control_profiles
    ...
    ...     def _delta(self, obs, profiles, context):
    ...         return self.effects.loc[obs["perturbation"], profiles.genes].to_numpy()
    >>> adata = tx.datasets.toy()
    >>> effects = tx.datasets.truth(adata).to_df("delta")
    >>> table = tx.data.ConditionTable.of(adata)
    >>> predictor = FromTable(effects, table.controls)
    >>> prediction = predictor.predict(["GENE11", "control"], batch="batch_1")
    >>> prediction.obs["perturbation"].to_list()
    ['GENE11', 'control']
    >>> prediction.layers["delta"].any(axis=1).tolist()
    [True, False]
    """

    control_profiles: ControlProfiles
    trained_on_: Sequence[tuple[str, str]] = ()
    """Perturbation and cell line of what it was trained on; a prediction carries it along.

    Where the data name modalities, that stands after the cell line: ``"K562|CRISPRi"``.
    """

    def predict(
        self,
        perturbations: str | Sequence[str] | pd.DataFrame,
        *,
        cell_line: str | Sequence[str] | None = None,
        batch: str | Sequence[str] | None = None,
        controls: AnnData | ControlProfiles | None = None,
        by_batch: bool = False,
        clip: bool = True,
    ) -> AnnData:
        """Predict the expression of perturbed cells.

        Parameters
        ----------
        perturbations
            Labels such as ``"KLF1"`` or ``"KLF1+BAK1"``, each predicted in every cell line; or a
            frame with the columns perturbation, cell_line and batch (left out, or ``"all"``: the
            whole line), one condition per row. Of baselines, labels may have other spellings,
            aliases, Ensembl ids or separators (``"A_B"``) of the genes perturbed in the data,
            measured or in graphs; a warning says how they were read.
        cell_line, batch
            Only contexts of these.
        controls
            Control cells of your own, log-normalized, or averaged profiles, to predict from
            instead of the data's.
        by_batch
            Predict labels in every batch from its controls, instead of once per cell line from
            all of them.
        clip
            Set predicted expression below zero to zero, which log-normalized values never are;
            Δ stays as predicted, and so do effects (:func:`txpert.pp.from_effects`).

        Returns
        -------
        Conditions × genes: predicted expression in ``X``, predicted Δ in ``layers["delta"]``, the
        matched controls' mean in ``layers["control"]``; obs has perturbation, cell_line and batch.
        Controls have Δ = 0.

        Raises
        ------
        KeyError
            If a context has no controls, or a perturbation cannot be predicted.
        ValueError
            If a label is malformed or the control cells lack genes.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> baseline = tx.baselines.GeneralBaseline(adata)
        >>> prediction = baseline.predict(["GENE3", "GENE3+GENE5"], batch="batch_1")
        >>> prediction.obs["perturbation"].to_list()
        ['GENE3', 'GENE3+GENE5']
        >>> prediction.layers["delta"].shape
        (2, 60)
        """
        return self._predict(
            perturbations,
            cell_line=cell_line,
            batch=batch,
            controls=controls,
            by_batch=by_batch,
            clip=clip,
        )

    def _predict(
        self,
        perturbations: str | Sequence[str] | pd.DataFrame,
        *,
        cell_line: str | Sequence[str] | None = None,
        batch: str | Sequence[str] | None = None,
        controls: AnnData | ControlProfiles | None = None,
        by_batch: bool = False,
        clip: bool = True,
        **options: Any,
    ) -> AnnData:
        """Predict as :meth:`predict`; ``options`` are handed on to :meth:`_delta`."""
        profiles = self._profiles(controls)
        clip = clip and not profiles.of_effects
        asked, known = None, self._known_genes()
        if known is not None:
            known = known.append(pd.Index(profiles.labels, dtype=object))
            perturbations, asked = in_known_names(perturbations, known, stacklevel=_CALLER)
        profiles, obs, context = lay_out(
            profiles, perturbations, cell_line=cell_line, batch=batch, by_batch=by_batch
        )
        perturbed = np.array([bool(parse_targets(label)) for label in obs[PERTURBATION]])
        delta = np.zeros((len(obs), len(profiles.genes)), dtype=np.float32)
        columns = pd.DataFrame(index=obs.index)
        if perturbed.any():
            rows = obs[perturbed].reset_index(drop=True)
            answer = self._delta(rows, profiles, context[perturbed], **options)
            if isinstance(answer, tuple):
                answer, more = answer
                columns = more.set_axis(obs.index[perturbed], axis=0).reindex(
                    obs.index, fill_value=0
                )
            delta[perturbed] = answer
        if asked is not None:
            obs[PERTURBATION] = asked
        predicted = profiles.prediction_from_delta(obs, context, delta, clip=clip)
        for name in columns:
            predicted.obs[name] = columns[name].to_numpy()
        if len(self.trained_on_):
            seen = pd.DataFrame(self.trained_on_, columns=[PERTURBATION, CELL_LINE])
            predicted.uns[UNS_KEY] = {TRAINED_ON: seen.set_axis(seen.index.astype(str))}
        return predicted

    def _known_genes(self) -> pd.Index | None:
        """Return the genes that names asked for are read as; ``None`` leaves names as they are."""
        return None

    def _profiles(self, controls: AnnData | ControlProfiles | None) -> ControlProfiles:
        """Return the control profiles to predict from: those given, or the predictor's own."""
        keys = {name: name for name in (CONTROL, CELL_LINE, BATCH)}
        return chosen_controls(self.control_profiles, controls, keys, layer=None)

    @abstractmethod
    def _delta(self, obs: pd.DataFrame, profiles: ControlProfiles, context: IntArray) -> Answer:
        """Return Δ of perturbed conditions.

        Parameters
        ----------
        obs
            perturbation, cell_line and batch of each condition; no controls are among them.
        profiles
            Mean control profile of each context.
        context
            Position of each condition's context in ``profiles``, ``(n_conditions,)``.

        Returns
        -------
        Δ, shape ``(n_conditions, n_genes)``, and optionally a frame of further columns of ``obs``
        of the prediction, one row per condition; they are 0 for controls.
        """
