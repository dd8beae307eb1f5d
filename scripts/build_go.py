"""Build the packaged Gene Ontology file from tables of annotations and of the ontology.

The annotations have the columns symbol, go_id, evidence and ontology (BP, MF or CC), the
ontology has term, parent and rel (only ``isa`` and ``part of`` are kept). Run::

    python scripts/build_go.py go_annotations.tsv.gz go_parents.tsv.gz OUTPUT.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

RELATIONS = ("isa", "part of")
ONTOLOGIES = ("BP", "CC", "MF")
ROOTS = {"GO:0008150": "BP", "GO:0005575": "CC", "GO:0003674": "MF"}


def read(path: Path) -> pd.DataFrame:
    """Read a table as text: ``NA`` is a gene, not a missing value."""
    return pd.read_csv(path, sep="\t", keep_default_na=False, dtype=str)


def ancestors(terms: set[str], parents: pd.DataFrame) -> set[str]:
    """Return the terms together with everything above them."""
    frontier = known = set(terms)
    while frontier:
        frontier = set(parents.loc[parents["term"].isin(frontier), "parent"]) - known
        known = known | frontier
    return known


def pack(annotations: pd.DataFrame, parents: pd.DataFrame) -> dict[str, np.ndarray]:
    """Code the tables as small integers: one entry per gene, term, annotation and parent link."""
    parents = parents[parents["rel"].isin(RELATIONS) & parents["parent"].str.startswith("GO:")]
    terms = pd.Index(sorted(ancestors(set(annotations["go_id"]), parents)))
    parents = parents[parents["term"].isin(terms)]
    annotations = annotations.sort_values(["symbol", "go_id", "evidence"]).drop_duplicates()
    gene, genes = pd.factorize(annotations["symbol"], sort=True)
    evidence, codes = pd.factorize(annotations["evidence"], sort=True)
    return {
        "genes": genes.to_numpy(dtype=str),
        "evidence_codes": codes.to_numpy(dtype=str),
        "terms": terms.str.removeprefix("GO:").astype(np.int32).to_numpy(),
        "n_annotations": np.bincount(gene).astype(np.uint16),
        "term": terms.get_indexer(annotations["go_id"]).astype(np.uint16),
        "evidence": evidence.astype(np.uint8),
        "ontologies": np.array(ONTOLOGIES),
        "ontology": term_ontology(parents, terms),
        "child": terms.get_indexer(parents["term"]).astype(np.uint16),
        "parent": terms.get_indexer(parents["parent"]).astype(np.uint16),
    }


def term_ontology(parents: pd.DataFrame, terms: pd.Index) -> np.ndarray:
    """Find each term's ontology: the root that its is_a links lead to."""
    known = dict(ROOTS)
    is_a = parents[parents["rel"] == "isa"]
    while len(known) < len(terms):
        above = is_a[is_a["parent"].isin(known) & ~is_a["term"].isin(known)]
        if above.empty:
            raise ValueError(f"No root is above {sorted(set(terms) - set(known))[:5]}.")
        known.update(zip(above["term"], above["parent"].map(known), strict=True))
    return pd.Categorical([known[term] for term in terms], ONTOLOGIES).codes.astype("u1")


def main() -> None:
    """Read the arguments, write the file and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("annotations", type=Path)
    parser.add_argument("ontology", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    arrays = pack(read(options.annotations), read(options.ontology))
    np.savez_compressed(options.output, **arrays)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB")
    print(", ".join(f"{key} {len(values):,}" for key, values in arrays.items()))


if __name__ == "__main__":
    main()
