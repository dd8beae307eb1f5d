"""A local server in place of the record that public screens are published in."""

import hashlib
from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from local_record import name_in, serving

from txpert.datasets import _public as public

GENES = ["AHR", "KLF1", "STAT1"]


@pytest.fixture
def record(monkeypatch, tmp_path):
    """Serve files by name in place of the record on Zenodo; return them and what was asked for."""
    files, asked = {}, []

    def answer(path):
        asked.append(name_in(path))
        return files.get(name_in(path))

    with serving(answer) as address:
        monkeypatch.setattr(public, "RECORD", f"{address}/files")
        monkeypatch.setenv("TXPERT_CACHE", str(tmp_path / "cache"))
        yield files, asked


@pytest.fixture
def publish(record, monkeypatch, tmp_path):
    """Offer cells with these labels in a layout published, with the digest that is listed."""

    def to_server(name, labels, *, matrix=np.asarray, file=None, **columns):
        obs = pd.DataFrame({"perturbation": labels, **columns})
        obs.index = [f"cell{i}" for i in range(len(obs))]
        counts = np.arange(len(obs) * 3, dtype=np.float32).reshape(-1, 3)
        path = tmp_path / "published.h5ad"
        ad.AnnData(matrix(counts), obs, pd.DataFrame(index=GENES)).write_h5ad(path)
        data = path.read_bytes()
        if name in public.SCREENS:
            digest = hashlib.md5(data).hexdigest()
            screen = replace(public.SCREENS[name], md5=digest)
            monkeypatch.setitem(public.SCREENS, name, screen)
        record[0][file or public.SCREENS[name].file] = data
        return path, counts

    return to_server
