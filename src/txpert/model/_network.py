"""Δ of conditions by the network alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from txpert._constants import PERTURBATION
from txpert._types import FloatArray, IntArray
from txpert.data._controls import ControlProfiles
from txpert.data._tokens import encode_targets

from ._module import TxPertModule
from ._torch_datasets import control_tensors


@dataclass(frozen=True)
class Network:
    """A module and the genes that are its nodes.

    Attributes
    ----------
    module
        The module.
    nodes
        Its nodes.
    batch_size
        Conditions decoded at once.
    """

    module: TxPertModule
    nodes: pd.Index
    batch_size: int = 1_024

    @torch.inference_mode()
    def delta(
        self, conditions: pd.DataFrame, profiles: ControlProfiles, context: IntArray
    ) -> FloatArray:
        """Return Δ of conditions, ``(n_conditions, n_genes)``.

        Parameters
        ----------
        conditions
            perturbation of each.
        profiles
            Control profiles.
        context
            Position of each condition's controls among them.
        """
        self.module.eval()
        return self.decode(self.module.embed(), conditions, profiles, context)

    @torch.inference_mode()
    def decode(
        self,
        embeddings: torch.Tensor,
        conditions: pd.DataFrame,
        profiles: ControlProfiles,
        context: IntArray,
    ) -> FloatArray:
        """Return what :meth:`delta` does, from the embeddings of the nodes."""
        module, profiles = self.module, profiles.filled()
        positions = torch.from_numpy(encode_targets(conditions[PERTURBATION], self.nodes))
        states = module.basal_state(**control_tensors(profiles, np.arange(len(profiles.mean))))
        delta = np.empty((len(conditions), len(profiles.genes)), dtype=np.float32)
        for start in range(0, len(conditions), self.batch_size):
            rows = slice(start, start + self.batch_size)
            targets, present = module.targets(embeddings, positions[rows].to(embeddings.device))
            state = states[torch.from_numpy(context[rows]).to(states.device)]
            delta[rows] = module.decode(state, targets, present).cpu().numpy()
            if module.decoder.reads_controls:
                delta[rows] -= profiles.mean[context[rows]]
        return delta
