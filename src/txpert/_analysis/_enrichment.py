"""Over-representation of gene sets among some genes of a background."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from scipy import stats

COLUMNS = ("term", "n_set", "n_found", "expected", "odds_ratio", "p_value", "fdr", "genes")


def over_representation(
    genes: Collection[str],
    background: Collection[str],
    gene_sets: Mapping[str, Collection[str]],
    *,
    min_size: int,
    max_size: int,
) -> pd.DataFrame:
    """Test every set for over-representation by the hypergeometric distribution.

    Parameters
    ----------
    genes, background
        Genes found, and all that could have been; genes not in the background do not count.
    gene_sets
        Genes by name of the set; those of the background count.
    min_size, max_size
        Sets with fewer or more genes in the background are left out.

    Returns
    -------
    One row per set that has a gene found, by P value: its numbers of genes in the background and
    found, the number expected, the odds ratio (with 1/2 added to each cell), the one-sided P
    value, the false discovery rate (Benjamini-Hochberg) over all sets tested, and the genes.
    """
    universe = frozenset(background)
    chosen = universe.intersection(genes)
    sets = {name: universe.intersection(members) for name, members in gene_sets.items()}
    sets = {name: part for name, part in sets.items() if min_size <= len(part) <= max_size}
    if not sets or not chosen:
        return pd.DataFrame(columns=list(COLUMNS))
    size = np.array([len(part) for part in sets.values()])
    hits = [chosen & part for part in sets.values()]
    found = np.array([len(hit) for hit in hits])
    p_value = stats.hypergeom.sf(found - 1, len(universe), size, len(chosen))
    rest = len(chosen) - found
    outside = len(universe) - size - rest
    odds = (found + 0.5) * (outside + 0.5) / ((size - found + 0.5) * (rest + 0.5))
    table = pd.DataFrame(
        {
            "term": list(sets),
            "n_set": size,
            "n_found": found,
            "expected": size * len(chosen) / len(universe),
            "odds_ratio": odds,
            "p_value": p_value,
            "fdr": stats.false_discovery_control(p_value),
            "genes": ["|".join(sorted(hit)) for hit in hits],
        }
    )
    table = table[table["n_found"] > 0]
    order = np.lexsort((table["term"], -table["odds_ratio"], table["p_value"]))
    return table.iloc[order].reset_index(drop=True)
