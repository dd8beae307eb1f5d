import pandas as pd
import pytest

import txpert as tx


@pytest.fixture
def doubles(adata):
    """A screen of twelve perturbations, six of them combinations."""
    labels = adata.obs["perturbation"].astype(str)
    singles = sorted(set(labels) - {"control"})
    swap = {p: f"{singles[0]}+{p}" for p in singles[-2:]}
    swap |= {p: f"{singles[i]}+{singles[i + 1]}" for i, p in enumerate(singles[6:10], start=1)}
    adata.obs["perturbation"] = labels.replace(swap).astype("category")
    return adata


@pytest.fixture
def table_of():
    """Δ of each condition as observed, in the form of a prediction."""

    def read(adata, labels=None):
        table = tx.pp.pseudobulk(adata)
        kept = ~table.obs["control"] if labels is None else table.obs["perturbation"].isin(labels)
        return table[kept.to_numpy()].copy()

    return read


@pytest.fixture
def tested():
    def labels(adata, part="test"):
        return sorted(adata.obs.loc[adata.obs["split"] == part, "perturbation"].unique())

    return labels


@pytest.fixture
def scores_of():
    """Scores of one model, by perturbation."""

    def read(result, model):
        rows = result.scores[result.scores["model"] == model]
        assert isinstance(rows, pd.DataFrame)
        return rows.set_index("perturbation")

    return read
