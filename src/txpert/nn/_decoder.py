"""Decoders, from the latent state of perturbed cells to genes."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol, TypeVar

import torch
from torch import Tensor, nn

from txpert._registry import add_entry, first_line

from ._entries import Entry
from ._mlp import hidden_layer


class Decoder(Protocol):
    r"""What a model needs of a decoder :math:`g`, also a :class:`torch.nn.Module`.

    Parameters
    ----------
    n_latent
        Dimensionality of the latent state.
    n_genes
        Number of genes.
    n_hidden
        Number of nodes per hidden layer.
    dropout
        Dropout rate.

    Attributes
    ----------
    reads_controls
        If true, the output is an expression profile, which the decoder reads from the basal state
        of the controls, so a basal encoder is needed. If false, the output is the change Δ, which
        the model adds to the control profile.

    Examples
    --------
    >>> import torch
    >>> class HiddenLayerDecoder(torch.nn.Module):
    ...     reads_controls = False  # the output is Δ
    ...
    ...     def __init__(self, n_latent, n_genes, *, n_hidden, dropout):
    ...         super().__init__()
    ...         self.hidden = torch.nn.Linear(n_latent, n_hidden)
    ...         self.dropout = torch.nn.Dropout(dropout)
    ...         self.output = torch.nn.Linear(n_hidden, n_genes)
    ...
    ...     def start_at(self, mean_control): ...
    ...
    ...     def start_from(self, effects):
    ...         with torch.no_grad():
    ...             self.output.weight.zero_()
    ...             self.output.bias.copy_(effects.mean(dim=0))
    ...
    ...     def forward(self, latent, order):
    ...         return order * self.output(self.dropout(self.hidden(latent).relu()))

    Training starts from the mean effect, once for each target:

    >>> decoder = HiddenLayerDecoder(2, 3, n_hidden=4, dropout=0.2)
    >>> decoder.start_from(torch.tensor([[0.0, 1.0, -2.0], [2.0, 1.0, 0.0]]))
    >>> decoder(torch.ones(2, 2), order=torch.tensor([[1.0], [2.0]])).tolist()
    [[1.0, 1.0, -1.0], [2.0, 2.0, -2.0]]
    """

    reads_controls: ClassVar[bool]

    def __init__(self, n_latent: int, n_genes: int, *, n_hidden: int, dropout: float) -> None: ...

    def start_at(self, mean_control: Tensor) -> None:
        """Take the mean control profile, ``(n_genes,)``, before training; may do nothing."""
        ...

    def start_from(self, effects: Tensor) -> None:
        """Take Δ of the training perturbations, ``(n, n_genes)``, before training starts.

        May do nothing.
        """
        ...

    def __call__(self, latent: Tensor, order: Tensor) -> Tensor:
        """Map latent states to genes, ``(n, n_genes)``.

        Parameters
        ----------
        latent
            Latent states, ``(n, n_latent)``.
        order
            Number of targets, ``(n, 1)``.
        """
        ...


DECODERS: dict[str, Entry[Decoder]] = {}
"""Decoders by the name that ``TxPertModel(decoding=...)`` takes."""

DecoderClass = TypeVar("DecoderClass", bound=type)


def register_decoder(
    name: str, *, description: str = "", reference: str = ""
) -> Callable[[DecoderClass], DecoderClass]:
    """Make a class available as ``TxPertModel(decoding=name)``.

    The class is a :class:`torch.nn.Module` with the attributes and methods of :class:`Decoder`.

    Parameters
    ----------
    name
        Name of the decoder.
    description
        What it is, in one line; by default the first line of the class's docstring.
    reference
        Publication, as a DOI or an arXiv number.

    Raises
    ------
    ValueError
        If another decoder has that name.

    Examples
    --------
    >>> import torch
    >>> import txpert as tx
    >>> @tx.nn.register_decoder("linear", description="Δ by one linear map")
    ... class LinearDecoder(torch.nn.Linear):
    ...     reads_controls = False
    ...
    ...     def __init__(self, n_latent, n_genes, *, n_hidden, dropout):
    ...         super().__init__(n_latent, n_genes)
    ...
    ...     def start_at(self, mean_control): ...
    ...
    ...     def start_from(self, effects): ...
    ...
    ...     def forward(self, latent, order):
    ...         return super().forward(latent)
    >>> tx.nn.show("decoders").loc["linear", "description"]
    'Δ by one linear map'
    >>> adata = tx.datasets.toy()
    >>> tx.TxPertModel.setup_anndata(adata)
    >>> model = tx.TxPertModel(adata, tx.datasets.toy_graph(), decoding="linear")
    >>> model.module.decoder
    LinearDecoder(in_features=64, out_features=60, bias=True)
    """

    def register(decoder: DecoderClass) -> DecoderClass:
        entry: Entry[Decoder] = Entry(decoder, description or first_line(decoder), reference)
        add_entry(DECODERS, name, entry, kind="decoder")
        return decoder

    return register


def find_decoder(name: str) -> type[Decoder]:
    """Return the decoder of that name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in DECODERS:
        known = ", ".join(map(repr, DECODERS))
        raise ValueError(f"decoding must be one of {known}, not {name!r}.")
    return DECODERS[name].cls


def make_decoder(
    name: str, n_latent: int, n_genes: int, *, n_hidden: int, dropout: float
) -> Decoder:
    """Build the decoder of that name; see :class:`Decoder` for the parameters.

    Raises
    ------
    ValueError
        If there is none.
    """
    return find_decoder(name)(n_latent, n_genes, n_hidden=n_hidden, dropout=dropout)


@register_decoder("low_rank")
class LowRankDecoder(nn.Module):
    r"""Decoder of a change as a combination of a few components.

    .. math:: \hat\Delta = |P|\, b + W z\, V

    Training starts from the mean effect :math:`b` and the leading principal components :math:`V`
    of the training perturbations' effects and updates both. A hundred perturbations suffice, on
    which the many weights of an MLP would overfit.

    Parameters
    ----------
    n_latent
        Dimensionality of the latent state.
    n_genes
        Number of genes.
    n_components
        Number of components.
    n_hidden, dropout
        Not used: there is no hidden layer.
    """

    reads_controls = False

    def __init__(
        self,
        n_latent: int,
        n_genes: int,
        *,
        n_components: int = 32,
        n_hidden: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.scores = nn.Linear(n_latent, n_components)
        self.components = nn.Parameter(torch.zeros(n_components, n_genes))
        self.mean = nn.Parameter(torch.zeros(n_genes))

    def start_at(self, mean_control: Tensor) -> None:
        """Do nothing: the output is a change."""

    def start_from(self, effects: Tensor) -> None:
        """Take mean and principal components from effects, ``(n_perturbations, n_genes)``."""
        centered = effects - effects.mean(dim=0)
        scores, size, directions = torch.linalg.svd(centered, full_matrices=False)
        # A decomposition has no signs of its own: the first strong score is made positive.
        strong = scores.abs() >= 0.5 * scores.abs().amax(dim=0)
        sign = scores.gather(0, strong.int().argmax(dim=0)[None])[0].sign()
        directions = sign[:, None] * directions
        scaled = size[:, None] * directions / len(effects) ** 0.5
        with torch.no_grad():
            self.mean.copy_(effects.mean(dim=0))
            self.components.zero_()
            n = min(len(scaled), len(self.components))
            self.components[:n] = scaled[:n]

    def forward(self, latent: Tensor, order: Tensor) -> Tensor:
        """Map latent states ``(n, n_latent)`` to changes ``(n, n_genes)``.

        Parameters
        ----------
        latent
            Latent states.
        order
            Number of targets, ``(n, 1)``; without any there is no change.
        """
        order = order.to(latent.dtype)
        scores = torch.cat([self.scores(latent) * (order > 0), order], dim=1)
        return scores @ torch.cat([self.components, self.mean[None]])


@register_decoder("delta")
class DeltaDecoder(nn.Module):
    """Decoder of a change by an MLP, ``n_latent → n_hidden → n_genes``, linear output.

    Parameters
    ----------
    n_latent
        Dimensionality of the latent state.
    n_genes
        Number of genes.
    n_hidden
        Number of nodes per hidden layer.
    dropout
        Dropout rate.
    """

    reads_controls = False

    def __init__(self, n_latent: int, n_genes: int, *, n_hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = hidden_layer(n_latent, n_hidden, dropout)
        self.output = nn.Linear(n_hidden, n_genes)

    def start_at(self, mean_control: Tensor) -> None:
        """Do nothing: the output is a change."""

    def start_from(self, effects: Tensor) -> None:
        """Do nothing: the weights start at random."""

    def forward(self, latent: Tensor, order: Tensor) -> Tensor:
        """Map latent states ``(n, n_latent)`` to genes ``(n, n_genes)``; order is not used."""
        return self.output(self.hidden(latent))


@register_decoder("direct", reference="doi:10.1038/s41587-026-03113-4")
class DirectDecoder(DeltaDecoder):
    """Decoder of an expression profile by an MLP on basal state and perturbation.

    As :class:`DeltaDecoder`, but the output is the profile, as in the paper.
    """

    reads_controls = True

    def start_at(self, mean_control: Tensor) -> None:
        """Make the mean control profile, ``(n_genes,)``, the center of untrained predictions."""
        with torch.no_grad():
            self.output.bias.copy_(mean_control)
