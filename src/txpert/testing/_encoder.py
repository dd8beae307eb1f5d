"""The rules that every perturbation encoder keeps."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from txpert.nn import EncoderConfig, GraphTensors, Nodes
from txpert.nn._registry import ENCODERS

_N_NODES, _N_LINKED, _N_LATENT = 43, 37, 5
"""No other size in an encoder should be the number of nodes; those from 37 on are isolated."""


def check_encoder(
    encoder: str | EncoderConfig | type[nn.Module],
    *,
    options: Mapping[str, Any] | None = None,
    multi_graph: bool | None = None,
) -> None:
    """Check that a perturbation encoder keeps the rules that the model relies on.

    Builds the encoder on small random graphs and checks, in this order: shape and type of the
    output, with an isolated node among the genes; finite output on graphs without edges;
    the same output for the same seed; learnable parameters that the output depends on; the
    output after saving and loading; that renaming the nodes renames the output (not checked for
    encoders with an option ``seed``, which draw structure at random); the embeddings of some
    nodes (``forward(wanted)``) and ``paths()``, where the encoder has them; and that each graph,
    or none, can change the output.

    Parameters
    ----------
    encoder
        Name, configuration or class of the encoder.
    options
        Keyword arguments of the encoder, such as small sizes, which make the checks fast.
    multi_graph
        Whether the encoder must tell its graphs apart; by default what it was registered with.

    Raises
    ------
    AssertionError
        If a rule is broken; the message names it.
    ValueError
        If there is no encoder of that name or it has no such option.

    Examples
    --------
    >>> import txpert as tx
    >>> tx.testing.check_encoder("gat", options={"n_layers": 2, "n_channels": 4})
    """
    case = _Case.of(encoder, dict(options or {}), multi_graph)
    for rule in _RULES:
        rule(case)


@dataclass(frozen=True)
class _Case:
    """An encoder to check."""

    name: str
    cls: type[nn.Module]
    options: dict[str, Any]
    multi_graph: bool

    @classmethod
    def of(
        cls,
        encoder: str | EncoderConfig | type[nn.Module],
        options: dict[str, Any],
        multi_graph: bool | None,
    ) -> _Case:
        if isinstance(encoder, type):
            known = [e for e in ENCODERS.values() if e.cls is encoder and not e.options]
            registered = bool(known) and known[0].multi_graph
            chosen = registered if multi_graph is None else multi_graph
            return cls(encoder.__name__, encoder, options, chosen)
        config = EncoderConfig.of(encoder)
        config = EncoderConfig(config.name, {**config.options, **options})
        entry = ENCODERS[config.name]
        chosen = entry.multi_graph if multi_graph is None else multi_graph
        return cls(repr(config.name), entry.cls, {**entry.options, **config.options}, chosen)

    def build(self, graphs: Sequence[GraphTensors], *, nodes: Nodes, seed: int = 0) -> nn.Module:
        """Return the encoder in evaluation mode, its parameters drawn with a seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.cls(list(graphs), nodes, _N_LATENT, **self.options).eval()

    def output(self, graphs: Sequence[GraphTensors]) -> Tensor:
        with torch.no_grad():
            return self.build(graphs, nodes=_nodes())()

    def takes(self, option: str) -> bool:
        return option in inspect.signature(self.cls).parameters

    def require(self, kept: bool, rule: str, found: str) -> None:
        if not kept:
            raise AssertionError(f"Encoder {self.name} breaks the rule {rule!r}: {found}.")


def _random_graph(seed: int, n_edges: int = 120) -> GraphTensors:
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randint(0, _N_LINKED, (2, n_edges), generator=generator).unique(dim=1)
    edges = edges[:, edges[0] != edges[1]]
    return GraphTensors(edges, torch.rand(edges.shape[1], generator=generator) + 0.1)


def _two_graphs() -> list[GraphTensors]:
    return [_random_graph(0), _random_graph(1)]


def _nodes() -> Nodes:
    """Return nodes with a learned embedding and features, so that either is there to read."""
    generator = torch.Generator().manual_seed(9)
    return Nodes(_N_NODES, features=(torch.randn(_N_NODES, 3, generator=generator),))


def _differ(one: Tensor, other: Tensor) -> bool:
    return one.shape != other.shape or not torch.allclose(one, other, atol=1e-5, rtol=1e-4)


def _shape(case: _Case) -> None:
    for n_graphs in (1, 2, 3):
        output = case.output([_random_graph(seed) for seed in range(n_graphs)])
        expected = (_N_NODES, _N_LATENT)
        case.require(
            isinstance(output, Tensor) and tuple(output.shape) == expected,
            "shape",
            f"of {n_graphs} graph(s), forward() returns {_describe(output)}, not a tensor "
            f"(n_nodes, n_latent) = {expected}",
        )
        case.require(output.is_floating_point(), "shape", f"the output is {output.dtype}")
        bad = ~output.isfinite().all(dim=1)
        isolated = ", the isolated ones among them" if bool(bad[_N_LINKED:].any()) else ""
        case.require(
            not bool(bad.any()),
            "finite",
            f"{int(bad.sum())} nodes have NaN or infinite embeddings{isolated}",
        )


def _describe(output: object) -> str:
    return str(tuple(output.shape)) if isinstance(output, Tensor) else str(type(output))


def _no_edges(case: _Case) -> None:
    empty = GraphTensors(torch.empty(2, 0, dtype=torch.long), torch.empty(0))
    output = case.output([empty, empty])
    case.require(
        bool(output.isfinite().all()),
        "graphs without edges",
        "the output has NaN or infinite values where graphs have no edge",
    )
    try:
        output = case.output([])
    except ValueError:
        return  # an encoder may refuse to be built without graphs, in words of its own
    except Exception as error:
        raise AssertionError(
            f"Encoder {case.name} breaks the rule 'no graphs': without graphs it ends in "
            f"{type(error).__name__} ({error}); raise a ValueError that says what is needed."
        ) from error
    case.require(
        bool(output.isfinite().all()), "no graphs", "without graphs the output is not finite"
    )


def _deterministic(case: _Case) -> None:
    graphs = _two_graphs()
    model = case.build(graphs, nodes=_nodes())
    with torch.no_grad():
        first, again = model(), model()
    case.require(torch.equal(first, again), "deterministic", "two calls in evaluation mode differ")
    case.require(
        torch.equal(first, case.output(graphs)),
        "deterministic",
        "two encoders built with the same seed differ; draw parameters with PyTorch's generator "
        "and anything else with a seed of your own",
    )


def _gradient(case: _Case) -> None:
    model = case.build(_two_graphs(), nodes=_nodes())
    output = model()
    weight = torch.randn(output.shape, generator=torch.Generator().manual_seed(1))
    case.require(output.requires_grad, "gradient", "no gradient flows to any parameter")
    (weight * output).sum().backward()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        gradient = parameter.grad
        case.require(gradient is not None, "gradient", f"parameter {name!r} is never used")
        assert gradient is not None
        case.require(
            bool(gradient.isfinite().all()), "gradient", f"that of {name!r} is not finite"
        )
    flows = any(p.grad is not None and bool(p.grad.any()) for p in model.parameters())
    case.require(flows, "gradient", "the gradients of all parameters are zero")


def _round_trip(case: _Case) -> None:
    graphs = _two_graphs()
    saved, loaded = (case.build(graphs, nodes=_nodes(), seed=seed) for seed in (0, 1))
    loaded.load_state_dict(saved.state_dict())
    with torch.no_grad():
        differ = _differ(saved(), loaded())
    case.require(
        not differ,
        "state_dict",
        "after load_state_dict the output differs; all that the output depends on must be a "
        "parameter, a buffer, or follow from the arguments",
    )


def _permutation(case: _Case) -> None:
    if case.takes("seed"):
        return
    graphs, nodes = _two_graphs(), _nodes()
    order = torch.randperm(_N_NODES, generator=torch.Generator().manual_seed(2))
    back = torch.argsort(order)
    original = case.build(graphs, nodes=nodes)
    renamed = case.build(
        [GraphTensors(order[graph.edges], graph.weight) for graph in graphs],
        nodes=replace(nodes, features=tuple(table[back] for table in nodes.features)),
    )
    state = original.state_dict()
    renamed.load_state_dict(
        {k: v[back] if v.ndim and len(v) == _N_NODES else v for k, v in state.items()}
    )
    with torch.no_grad():
        differ = _differ(renamed()[order], original())
    case.require(
        not differ, "permutation", "renaming the nodes changes more than the order of the output"
    )


def _some(case: _Case) -> None:
    graphs = [_random_graph(seed, n_edges=60) for seed in (0, 1)]
    model = case.build(graphs, nodes=_nodes())
    if "wanted" not in inspect.signature(model.forward).parameters:
        return
    with torch.no_grad():
        whole = model()
        for wanted in ([0], [3, 17, _N_NODES - 1], list(range(_N_NODES))):
            some = model(torch.tensor(wanted))
            case.require(
                not _differ(some, whole[wanted]),
                "wanted",
                f"forward(wanted) of {len(wanted)} nodes differs from those rows of forward()",
            )


def _paths(case: _Case) -> None:
    model = case.build(_two_graphs(), nodes=_nodes())
    paths: Callable[[], Tensor] | None = getattr(model, "paths", None)
    if paths is None:
        return
    edges = paths()
    case.require(
        edges.ndim == 2 and len(edges) == 2 and edges.dtype == torch.long,
        "paths",
        f"paths() returns {tuple(edges.shape)} of {edges.dtype}, not (2, n_edges) of torch.int64",
    )
    inside = not edges.numel() or (int(edges.min()) >= 0 and int(edges.max()) < _N_NODES)
    case.require(inside, "paths", "paths() leads to nodes that do not exist")


def _changed(one: Tensor, other: Tensor) -> bool:
    """Say whether outputs differ by more than the order of summation."""
    return float((one - other).abs().max()) > 1e-6


def _graphs(case: _Case) -> None:
    graphs = _two_graphs()
    whole = case.output(graphs)
    changes = []
    for i, graph in enumerate(graphs):
        fewer = [*graphs]
        fewer[i] = GraphTensors(graph.edges[:, 1:], graph.weight[1:])
        changes.append(_changed(case.output(fewer), whole))
    unused = [i for i, change in enumerate(changes, start=1) if not change]
    case.require(
        not unused or not (any(changes) or case.multi_graph),
        "every graph",
        f"graph {', '.join(map(str, unused))} of {len(graphs)} cannot change the output",
    )
    if case.multi_graph:
        one, other = graphs
        moved = [
            GraphTensors(one.edges[:, 1:], one.weight[1:]),
            GraphTensors(
                torch.cat([other.edges, one.edges[:, :1]], dim=1),
                torch.cat([other.weight, one.weight[:1]]),
            ),
        ]
        case.require(
            _changed(case.output(moved), whole),
            "multi_graph",
            "an edge counts the same in whichever graph it is, so graphs are not distinguished",
        )


_RULES: tuple[Callable[[_Case], None], ...] = (
    _shape,
    _no_edges,
    _deterministic,
    _gradient,
    _round_trip,
    _permutation,
    _some,
    _paths,
    _graphs,
)
