"""``cite``: what a methods section and a reference list need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version

from txpert.graph import KnowledgeGraph
from txpert.graph._sources import SOURCES
from txpert.model import TxPertModel
from txpert.nn._registry import ENCODERS

_LIBRARIES = {
    "scvi-tools": "gayoso2022scvi",
    "anndata": "virshup2024anndata",
    "torch": "ansel2024pytorch",
    "torch-geometric": "fey2019pyg",
}
_ENTRIES = {
    "wenkel2026txpert": (
        "article",
        "Wenkel, F. and Tu, W. and others",
        "{TxPert}: using multiple knowledge graphs for prediction of transcriptomic perturbation "
        "effects",
        "Nature Biotechnology",
        "2026",
        "10.1038/s41587-026-03113-4",
    ),
    "gayoso2022scvi": (
        "article",
        "Gayoso, Adam and Lopez, Romain and Xing, Galen and others",
        "A Python library for probabilistic analysis of single-cell omics data",
        "Nature Biotechnology",
        "2022",
        "10.1038/s41587-021-01206-w",
    ),
    "virshup2024anndata": (
        "article",
        "Virshup, Isaac and Rybakov, Sergei and Theis, Fabian J. and Angerer, Philipp and "
        "Wolf, F. Alexander",
        "anndata: Access and store annotated data matrices",
        "Journal of Open Source Software",
        "2024",
        "10.21105/joss.04371",
    ),
    "ansel2024pytorch": (
        "inproceedings",
        "Ansel, Jason and Yang, Edward and He, Horace and others",
        "PyTorch 2: Faster Machine Learning Through Dynamic Python Bytecode Transformation and "
        "Graph Compilation",
        "ASPLOS",
        "2024",
        "10.1145/3620665.3640366",
    ),
    "fey2019pyg": (
        "article",
        "Fey, Matthias and Lenssen, Jan Eric",
        "Fast Graph Representation Learning with PyTorch Geometric",
        "arXiv",
        "2019",
        "10.48550/arXiv.1903.02428",
    ),
}
_DATABASES = {
    "go": ("Ashburner, Michael and others", "Gene Ontology", "Nature Genetics", "2000"),
    "string": ("Szklarczyk, Damian and others", "STRING", "Nucleic Acids Research", "2023"),
    "reactome": ("Milacic, Marija and others", "Reactome", "Nucleic Acids Research", "2024"),
    "biogrid": ("Oughtred, Rose and others", "BioGRID", "Protein Science", "2021"),
    "intact": ("Del Toro, Noemi and others", "IntAct", "Nucleic Acids Research", "2022"),
    "depmap": ("Tsherniak, Aviad and others", "Cancer Dependency Map", "Cell", "2017"),
}


@dataclass(frozen=True)
class Citation:
    """A methods paragraph and a reference list; shown, it is both.

    Attributes
    ----------
    methods
        The paragraph.
    bibtex
        The references, as BibTeX.
    """

    methods: str
    bibtex: str

    def __str__(self) -> str:
        return f"{self.methods}\n\n{self.bibtex}"

    __repr__ = __str__


def cite(model: TxPertModel | None = None) -> Citation:
    """Say how a model was made, for a methods section, and what to cite.

    Parameters
    ----------
    model
        A trained model; without one, only the method, the package and the libraries.

    Returns
    -------
    A methods paragraph with versions, settings, graphs and data (``methods``) and BibTeX of the
    paper, this package, the graphs and the libraries used (``bibtex``). Printed, it is both.

    Examples
    --------
    >>> import txpert as tx
    >>> print(tx.cite().methods)  # doctest: +ELLIPSIS
    Responses to perturbations were predicted with txpert ..., an independent implementation ...
    """
    said = [_method(), *([] if model is None else _of_model(model))]
    entries = [_bibtex("wenkel2026txpert", *_ENTRIES["wenkel2026txpert"]), _package()]
    if model is not None:
        entries += _of_graphs(model.graphs)
    entries += [_bibtex(key, *_ENTRIES[key]) for key in _LIBRARIES.values()]
    return Citation(" ".join(said), "\n\n".join(entries))


def _method() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return (
        f"Responses to perturbations were predicted with txpert {version('txpert')}, an "
        f"independent implementation of TxPert (Wenkel, Tu et al. 2026), with {libraries}."
    )


def _of_model(model: TxPertModel) -> list[str]:
    record = model.record()
    chosen, training = record["settings"], record.get("training", {})
    encoder = chosen["encoder"]["name"]
    reference = ENCODERS[encoder].reference if encoder in ENCODERS else ""
    said = [_data(model)]
    if len(model.graphs):
        graphs = "; ".join(_described(graph) for graph in model.graphs)
        said.append(f"Genes were connected by the knowledge graphs {graphs}.")
    said.append(
        f"The model had the perturbation encoder {encoder!r}"
        f"{f' ({reference})' if reference else ''}, {chosen['decoding']} decoding, "
        f"{chosen['n_latent']} latent dimensions, {chosen['n_hidden']} hidden units and a dropout "
        f"rate of {chosen['dropout']}; predictions combined the components "
        f"{', '.join(model.components)}."
    )
    if training:
        epochs = f" for {training['epochs']} epochs" if "epochs" in training else ""
        said.append(
            f"It was trained{epochs} with a learning rate of {training['lr']} in minibatches of "
            f"{training['batch_size']} {training['unit']} rows (seed {training['seed']}, SHA-256 "
            f"of the split {training['split_sha256'][:12]}…)."
        )
    return said


def _data(model: TxPertModel) -> str:
    stats = model.summary_stats
    lines = model.control_profiles.obs["cell_line"].astype(str).unique()
    text = (
        f"The screen had {stats['n_cells']:,} cells × {stats['n_vars']:,} genes in "
        f"{len(lines)} cell line{'' if len(lines) == 1 else 's'} ({', '.join(lines)})"
    )
    n = len({label for label, _ in model.trained_on_})
    return f"{text}, and {n:,} perturbations were trained on." if n else f"{text}."


def _described(graph: KnowledgeGraph) -> str:
    source = _source(graph)
    what = f", {SOURCES[source].what.lower()}, {SOURCES[source].reference}" if source else ""
    steps = f" by {' → '.join(graph.provenance)}" if graph.provenance else ""
    return f"{graph.name} ({graph.n_nodes:,} nodes, {graph.n_edges:,} edges{what}{steps})"


def _source(graph: KnowledgeGraph) -> str | None:
    """Return the database that a graph was made from, if it says so."""
    made_by = graph.provenance[0].partition("(")[0] if graph.provenance else ""
    return next((name for name in (made_by, graph.name) if name in SOURCES), None)


def _of_graphs(graphs: Iterable[KnowledgeGraph]) -> list[str]:
    names = dict.fromkeys(name for graph in graphs if (name := _source(graph)))
    entries = []
    for name in names:
        doi = SOURCES[name].reference.removeprefix("doi:")
        known = _DATABASES.get(name, ("", name, "", ""))
        entries.append(_bibtex(f"{name}_graph", "article", *known, doi))
    return entries


def _package() -> str:
    return (
        "@software{txpert,\n  author = {{The txpert developers}},\n"
        "  title = {txpert},\n"
        f"  year = {{2026}},\n  version = {{{version('txpert')}}}\n}}"
    )


def _bibtex(
    key: str, kind: str, author: str, title: str, journal: str, year: str, doi: str
) -> str:
    where = "booktitle" if kind == "inproceedings" else "journal"
    fields = {"author": author, "title": title, where: journal, "year": year, "doi": doi}
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@{kind}{{{key},\n{lines}\n}}"
