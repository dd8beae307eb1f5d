r"""TxPertModel: registration, training and prediction.

What :meth:`TxPertModel.train` does (``_training``):

1. Checks the options and reads the split as it is now (``_fit``, ``_setup``).
2. Pools the batches of the pseudobulk, once for all steps (``_held_out``).
3. Picks what is held out to choose: the validation perturbations, or folds (``_held_out``).
4. Without the held-out perturbations: fits the network (``_fit``, by ``_plan`` on the minibatches
   of ``_data_splitter``) and the closed-form components (``_components``).
5. Takes the epoch of the best validation Pearson Δ (``_callbacks``).
6. Fits the weights of the components, by kind of perturbation (``_stacking``), also with each
   cell line held out in turn.
7. Fits all components again on training and validation perturbations, the network for the number
   of epochs chosen (``refit``).
8. Writes what came out to ``ensemble_``, ``trained_on_`` and the module; ``_checkpoints`` keeps
   the state of each fit on the way.

What a prediction is made of (``_prediction``):

1. Δ of a condition is :math:`T + s\,(D^{(0)} + \sum_c w_c (D^{(c)} - D^{(0)}))` (``_ensemble``).
2. :math:`D^{(c)}` are the components of ``show()`` (``_components``): the mean effect, a Gaussian
   process over genes, and the network.
3. The network (``_network``, ``_module``) encodes the targets on the graphs (``_inputs``), adds
   them up, and decodes Δ.
4. w and s depend on the kind of the perturbation: measured, composed of measured ones, or new.
5. T is the effect of a perturbation on its target's own expression.
6. Expression is Δ plus the mean profile of the context's controls.

A component is added by one class with ``@register_component`` in a file of its own, imported here.
"""

from ._component import Component, register_component, show
from ._model import TxPertModel

__all__ = [
    "Component",
    "TxPertModel",
    "register_component",
    "show",
]
