import anndata as ad
import numpy as np
import pandas as pd
import pytest

from txpert.graph import KnowledgeGraph


@pytest.fixture
def make_table():
    """Build a pseudobulk from (perturbation, line, n_cells, split, Δ); controls are 1, 2, …"""

    def build(rows, controls=None):
        lines = list(dict.fromkeys(row[1] for row in rows))
        n_genes = np.size(rows[0][4])
        if controls is None:
            controls = {line: np.arange(n_genes) + i + 1.0 for i, line in enumerate(lines)}
        controls = {line: np.atleast_1d(values) for line, values in controls.items()}
        obs = [("control", line, 9, None) for line in controls] + [row[:4] for row in rows]
        values = [*controls.values()]
        values += [controls[row[1]] + np.asarray(row[4], dtype=float) for row in rows]
        frame = pd.DataFrame(obs, columns=["perturbation", "cell_line", "n_cells", "split"])
        frame["batch"], frame["control"] = "b", frame["perturbation"] == "control"
        frame.index = [f"c{i}" for i in range(len(frame))]
        genes = pd.DataFrame(index=[f"G{i}" for i in range(n_genes)])
        return ad.AnnData(np.array(values, dtype=np.float32), obs=frame, var=genes)

    return build


@pytest.fixture
def random_table(make_table):
    """Thirty single genes with 8 genes of profile in one line; Δ smooth over no graph."""

    def draw(n=30, n_genes=8, seed=0):
        rng = np.random.default_rng(seed)
        return make_table(
            [
                (f"P{i}", "K", int(rng.integers(5, 200)), "train", rng.normal(size=n_genes))
                for i in range(n)
            ]
        )

    return draw


@pytest.fixture
def random_graph():
    """Four incoming edges for each of P0 to P39."""

    def draw(seed=0, n=40):
        rng = np.random.default_rng(seed)
        target = np.repeat(np.arange(n), 4)
        source = rng.integers(n, size=len(target))
        nodes = [f"P{i}" for i in range(n)]
        return KnowledgeGraph("random", nodes, source, target, rng.random(len(target)))

    return draw


@pytest.fixture
def delta_of():
    """Predicted Δ of one perturbation."""

    def predict(baseline, label, cell_line=None):
        return baseline.predict(label, cell_line=cell_line).layers["delta"][0]

    return predict
