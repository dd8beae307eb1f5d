"""Build the packaged table of human gene names from NCBI Gene.

``genes`` has the columns symbol, entrez, ensembl and n_pubmed, ``aliases`` has alias and symbol.
Run::

    python scripts/build_gene_names.py gene_info.tsv.gz gene_aliases.tsv.gz OUTPUT.tsv.gz
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import pandas as pd


def read(path: Path) -> pd.DataFrame:
    """Read a table as text: ``NA`` is a name, not a missing value."""
    return pd.read_csv(path, sep="\t", keep_default_na=False, dtype=str)


def table(genes: pd.DataFrame, aliases: pd.DataFrame) -> pd.DataFrame:
    """Return one row per gene, its aliases joined by bars."""
    joined = aliases.sort_values(["symbol", "alias"]).groupby("symbol")["alias"].agg("|".join)
    rows = genes[["symbol", "entrez", "ensembl", "n_pubmed"]].sort_values("symbol")
    aliases_of = rows["symbol"].map(joined).fillna("")
    return rows.assign(aliases=aliases_of, n_pubmed=rows.pop("n_pubmed"))


def main() -> None:
    """Read the arguments, write the file and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("genes", type=Path)
    parser.add_argument("aliases", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    rows = table(read(options.genes), read(options.aliases))
    text = rows.to_csv(sep="\t", index=False, lineterminator="\n")
    # Without a time stamp the same input gives the same file.
    options.output.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{options.output}: {len(rows):,} genes, {options.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
