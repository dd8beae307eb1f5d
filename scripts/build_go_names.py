"""Build the packaged names of Gene Ontology terms from the database of Bioconductor's GO.db.

Of the terms in the packaged ontology, so that it is built after that. Run::

    python scripts/build_go_names.py GO.sqlite OUTPUT.tsv.gz
"""

from __future__ import annotations

import argparse
import gzip
import sqlite3
from pathlib import Path

from txpert.graph._go_tables import packaged_go


def main() -> None:
    """Read the arguments, write the file and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    database = sqlite3.connect(f"file:{options.database}?mode=ro", uri=True)
    names = dict(database.execute("SELECT go_id, term FROM go_term"))
    lines = [f"{term}\t{names[term]}\n" for term in packaged_go()[1].terms]
    content = gzip.compress("".join(lines).encode(), mtime=0)
    options.output.write_bytes(content)
    print(f"{options.output}: {len(lines):,} terms, {len(content) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
