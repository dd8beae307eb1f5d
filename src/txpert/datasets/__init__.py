"""Public screens, and simulated ones whose truth is known, with graphs and oracles."""

from ._loaders import (
    adamson_2016,
    nadig_2025,
    norman_2019,
    papalexi_2021,
    replogle_2022,
)
from ._noisy_graph import simulated_graph
from ._oracle import TruthOracle
from ._parameters import SimulationParameters
from ._presets import simulate_k562_like
from ._public import show
from ._scperturb import scperturb
from ._simulate import simulate
from ._toy import toy, toy_graph
from ._truth import truth
from ._txpert_2026 import txpert_2026, txpert_2026_files

__all__ = [
    "SimulationParameters",
    "TruthOracle",
    "adamson_2016",
    "nadig_2025",
    "norman_2019",
    "papalexi_2021",
    "replogle_2022",
    "scperturb",
    "show",
    "simulate",
    "simulate_k562_like",
    "simulated_graph",
    "toy",
    "toy_graph",
    "truth",
    "txpert_2026",
    "txpert_2026_files",
]
