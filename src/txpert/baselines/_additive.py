"""A cell line's mean effect plus what is particular to a perturbation in other lines."""

from __future__ import annotations

from txpert._types import FloatArray
from txpert.data._controls import ControlProfiles
from txpert.effects._contexts import Context

from ._lines import LineBaseline
from ._registry import register_baseline


@register_baseline("additive")
class AdditiveBaseline(LineBaseline):
    r"""Mean effect of the cell line plus the perturbation's deviation shared by the other lines.

    .. math:: \hat\Delta_{P,\ell} = |P|\, m_\ell + \frac{1}{|L_P|} \sum_{k \in L_P}
              \big(\Delta_{P,k} - |P|\, m_k\big),

    where :math:`m_\ell` is the mean effect of single genes in line :math:`\ell` (over all lines,
    for a line without training perturbations), :math:`L_P` are the training lines that have P and
    :math:`|P|` is its number of targets. What was trained on in the line itself keeps its own Δ, a
    combination that no line has is the sum of its parts, and a gene that no line has deviates by
    nothing. Modalities stay apart: lines and means are those of the same modality
    (:class:`txpert.effects.LineEffects`).

    Parameters
    ----------
    data
        What to fit to at once, as by :meth:`fit`.

    Raises
    ------
    KeyError
        If the data name modalities and a prediction is asked for in one that they lack.

    Examples
    --------
    >>> import txpert as tx
    >>> adata = tx.datasets.toy()
    >>> adata.obs["cell_line"] = adata.obs["batch"].map({"batch_1": "K562", "batch_2": "RPE1"})
    >>> tx.baselines.AdditiveBaseline().fit(adata).predict("GENE3", cell_line="K562").shape
    (1, 60)
    """

    _modalities_apart = True

    def _in_context(
        self, labels: list[str], context: Context, profiles: ControlProfiles
    ) -> FloatArray:
        return self._effects.general(labels, context)
