"""Parameters of a simulated screen."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import get_args

from txpert._options import check_choice, check_number
from txpert.graph._go import TermWeights

_SHARES = frozenset(
    {
        "graph_share",
        "program_size",
        "stress_essentiality",
        "essentiality_graph_share",
        "confounded",
        "confounding",
        "line_programs",
        "line_activity",
        "line_baseline",
        "line_measured",
        "synergistic",
        "buffering",
    }
)
_POSITIVE = frozenset({"n_programs", "knockdown", "depth", "dispersion", "confounded_batches"})


@dataclass(frozen=True)
class SimulationParameters:
    """Statistics of a simulated screen; effects are in natural-log fold changes.

    The defaults make a small, clean screen of one cell line; :meth:`k562_like` has the statistics
    of a published one.

    Attributes
    ----------
    n_programs
        Number of gene programs that perturbations move.
    graph_share
        Fraction of the variance of a gene's program activity that it has in common with its
        neighbors in the graph; the rest is its own.
    program_size
        Fraction of the genes that belong to one program.
    effect_scale, effect_sd
        Root mean square of program effects on their genes, and log standard deviation of
        their size between perturbations.
    stress_scale, stress_essentiality
        Size of the stress effect that all perturbations share in different strength, and share
        of the variance of this strength (on the normal scale) that follows the target's
        essentiality.
    essentiality_graph_share
        Fraction of the variance of essentiality that a gene has in common with its neighbors.
    knockdown
        Remaining expression of the target.
    baseline_sd
        Log standard deviation of mean expression between genes.
    batch_scale
        Standard deviation of a gene's log shift between batches.
    depth, depth_sd
        Median library size over the genes measured, in counts, and its log standard deviation.
    dispersion
        Inverse overdispersion of the negative binomial: its variance is μ + μ² / dispersion.
    cells_sd
        Log standard deviation of the number of cells between perturbations; 0 gives all the same.
    confounded, confounded_batches, confounding
        Fraction of the perturbations that are found mostly in a few batches, how many batches that
        is, and the fraction of their cells that these batches hold on top of what is expected.
    line_programs, line_activity, line_baseline
        Several cell lines: what two of them have in common, as a fraction of the programs' members
        (and of the stress response), of the variance of perturbations' activities, and of the
        variance of baseline expression. The strength of stress is the same in all lines.
    line_measured
        Fraction of the perturbations measured in each line; each is measured in one at least.
    synergistic, buffering
        Fractions of the doubles of each kind; the rest are additive.
    synergy_factor, buffering_factor
        What a double of that kind multiplies the sum of its parts with, in one half of the
        programs and in stress; the other half adds up.
    term_weights
        Weights of terms in the graph of the Gene Ontology (:func:`txpert.graph.go`), over which
        effects spread unless another graph is given.

    Examples
    --------
    >>> import txpert as tx
    >>> parameters = tx.datasets.SimulationParameters(knockdown=0.5)
    >>> tx.datasets.simulate(5, 20, 10, parameters=parameters).n_vars
    20
    """

    n_programs: int = 12
    graph_share: float = 0.85
    program_size: float = 0.15
    effect_scale: float = 0.35
    effect_sd: float = 0.0
    stress_scale: float = 0.25
    stress_essentiality: float = 0.8
    essentiality_graph_share: float = 0.0
    knockdown: float = 0.2
    baseline_sd: float = 1.2
    batch_scale: float = 0.1
    depth: float = 4_000.0
    depth_sd: float = 0.3
    dispersion: float = 8.0
    cells_sd: float = 0.0
    confounded: float = 0.0
    confounded_batches: int = 2
    confounding: float = 0.9
    line_programs: float = 0.7
    line_activity: float = 0.7
    line_baseline: float = 0.8
    line_measured: float = 0.9
    synergistic: float = 0.2
    buffering: float = 0.3
    synergy_factor: float = 2.0
    buffering_factor: float = 0.4
    term_weights: TermWeights = "information"

    @classmethod
    def k562_like(cls, n_genes: int = 5_000) -> SimulationParameters:
        """Return the statistics of a genome-scale screen in K562; see :func:`simulate_k562_like`.

        Parameters
        ----------
        n_genes
            Number of genes measured, on which the depth depends: one count per gene.

        Examples
        --------
        >>> import txpert as tx
        >>> tx.datasets.SimulationParameters.k562_like(n_genes=2_000).depth
        2000.0
        """
        return cls(
            n_programs=30,
            program_size=0.1,
            effect_scale=0.15,
            effect_sd=0.5,
            stress_scale=0.3,
            essentiality_graph_share=0.5,
            knockdown=0.15,
            baseline_sd=1.7,
            batch_scale=0.15,
            depth=float(n_genes),
            depth_sd=0.4,
            dispersion=4.0,
            cells_sd=0.5,
            confounded=0.1,
            term_weights="uniform",
        )

    def __post_init__(self) -> None:
        check_choice("term_weights", self.term_weights, get_args(TermWeights))
        for field in fields(self):
            if field.name == "term_weights":
                continue
            value = getattr(self, field.name)
            check_number(field.name, value)
            wanted = (
                "between 0 and 1"
                if field.name in _SHARES
                else "above 0"
                if field.name in _POSITIVE
                else "at least 0"
            )
            fits = value > 0 if field.name in _POSITIVE else value >= 0
            if not fits or (field.name in _SHARES and value > 1):
                raise ValueError(f"{field.name} must be {wanted}, not {value}.")
        if self.synergistic + self.buffering > 1:
            raise ValueError(
                f"synergistic ({self.synergistic}) and buffering ({self.buffering}) are shares of "
                "the doubles and cannot exceed 1 together."
            )
