"""The network as published, as a preset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from anndata import AnnData
from mudata import MuData

from txpert.graph._several import Graphs
from txpert.nn import EncoderConfig

from ._component import NETWORK
from ._torch_datasets import Controls

ARCHITECTURES = {
    "gat": EncoderConfig("gat", {"n_input": 128, "activate_output": True}),
    "gat_mlg": EncoderConfig("gat_mlg", {"n_input": 128, "activate_output": True}),
    "exphormer_mg": EncoderConfig("exphormer", {"activate_output": True}),
    "hybrid_bmp": EncoderConfig("hybrid_bmp", {"n_input": 128, "activate_output": True}),
}


class PaperMixin:
    """Makes the model of the publication."""

    @classmethod
    def paper(
        cls,
        adata: AnnData | MuData,
        graphs: Graphs,
        architecture: str = "gat",
        **options: Any,
    ) -> Self:
        """Make the network of the paper; ``model.train(**model.paper_training())`` trains it.

        The network alone, with direct decoding from the controls' basal state, a learned control
        node, node inputs of dimensionality 128, and activation and dropout also on skip paths and
        embeddings, as the published implementation is known to have them. What the paper leaves
        open, such as initial weights, is ours: it is a model of the same design, not the authors'.

        Parameters
        ----------
        adata
            Registered data, see :meth:`setup_anndata`.
        graphs
            Knowledge graphs.
        architecture
            ``"gat"``, ``"gat_mlg"``, ``"exphormer_mg"`` or ``"hybrid_bmp"``.
        **options
            Arguments of the constructor that replace those of the preset.

        Raises
        ------
        ValueError
            If there is no such architecture, or as by the constructor.

        References
        ----------
        Wenkel, Tu et al., Nature Biotechnology 2026, doi:10.1038/s41587-026-03113-4.

        Examples
        --------
        >>> import txpert as tx
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> model = tx.TxPertModel.paper(adata, tx.datasets.toy_graph(), "hybrid_bmp")
        >>> model.train(max_epochs=1, enable_progress_bar=False, **model.paper_training())
        """
        if architecture not in ARCHITECTURES:
            known = ", ".join(map(repr, ARCHITECTURES))
            raise ValueError(f"architecture must be one of {known}, not {architecture!r}.")
        preset: dict[str, Any] = {
            "encoder": ARCHITECTURES[architecture],
            "components": NETWORK,
            "decoding": "direct",
            "control_node": True,
        }
        make: Callable[..., Self] = cls
        return make(adata, graphs, **preset | options)

    @staticmethod
    def paper_training(controls: Controls = "sampled") -> dict[str, Any]:
        """Return arguments of :meth:`train`: cells in minibatches of 64, a learning rate of 0.001.

        Parameters
        ----------
        controls
            ``"sampled"`` gives each perturbed cell a control of its batch, ``"averaged"`` the mean
            of its batch's controls.

        Examples
        --------
        >>> import txpert as tx
        >>> options = tx.TxPertModel.paper_training("averaged")
        >>> options
        {'unit': 'cell', 'controls': 'averaged', 'batch_size': 64, 'lr': 0.001, 'refit': False}
        >>> adata = tx.datasets.toy()
        >>> tx.pp.split(adata)
        >>> tx.TxPertModel.setup_anndata(adata)
        >>> model = tx.TxPertModel.paper(adata, tx.datasets.toy_graph())
        >>> model.train(max_epochs=1, enable_progress_bar=False, **options | {"batch_size": 128})
        >>> model.record()["training"]["batch_size"]
        128
        """
        return {
            "unit": "cell",
            "controls": controls,
            "batch_size": 64,
            "lr": 1e-3,
            "refit": False,
        }
