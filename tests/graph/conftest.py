import gzip

import pandas as pd
import pytest


@pytest.fixture
def write(tmp_path):
    """Write text to a file of this name, compressed if it ends in .gz."""

    def to_file(name, text):
        path = tmp_path / name
        data = text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return to_file


@pytest.fixture
def truncated(tmp_path):
    """Return a gzip file that breaks off half way."""

    def cut(name, text):
        path = tmp_path / name
        data = gzip.compress(text.encode())
        path.write_bytes(data[: len(data) // 2])
        return path

    return cut


@pytest.fixture
def neighbors():
    """Return the sources that lead to a gene."""

    def of(graph, gene):
        edges: pd.DataFrame = graph.edges
        return set(edges.loc[edges["target"] == gene, "source"])

    return of
