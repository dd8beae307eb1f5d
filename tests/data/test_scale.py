"""What cells were normalized to: one sum for all of a screen, of a model and of its data."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import txpert as tx
from txpert.data._keys import ObsKeys
from txpert.data._scale import sum_of_cells
from txpert.data._screen import Screen
from txpert.model._fields import NORMALIZED_TO

N_GENES = 80


def screen_of(total, n_cells=240, n_lines=2, seed=0):
    """Cells of two lines with zeros, each normalized to ``total(control, line)`` counts."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(0.7, 2, N_GENES), (n_cells, N_GENES)) + 0.0
    labels = np.array(["control", "G1", "G2", "G3"])[np.arange(n_cells) % 4]
    lines = np.array(["A", "B"])[np.arange(n_cells) * n_lines // n_cells % n_lines]
    target = np.array([total(c == "control", line) for c, line in zip(labels, lines, strict=True)])
    X = np.log1p(counts / counts.sum(axis=1, keepdims=True) * target[:, None])
    obs = pd.DataFrame(
        {"perturbation": labels, "cell_line": lines, "control": labels == "control"}
    )
    return ad.AnnData(
        X.astype(np.float32),
        obs=obs.set_axis([f"c{i}" for i in range(n_cells)], axis=0),
        var=pd.DataFrame(index=[f"G{i}" for i in range(N_GENES)]),
    )


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_lines_on_two_scales_are_refused(kind):
    adata = screen_of(lambda _, line: 4e3 if line == "A" else 1e6)
    adata.X = kind(adata.X)
    match = r"line 'B' are normalized to 1,000,000 counts, those of 'A' to 4,000.*target_sum=4000"
    for function in (tx.TxPertModel.setup_anndata, tx.tl.screen_report, tx.pp.pseudobulk):
        with pytest.raises(ValueError, match=match):
            function(adata)


@pytest.mark.parametrize(("n_lines", "named"), [(1, ""), (2, " of cell line 'A'")])
def test_controls_on_another_scale_are_refused(n_lines, named):
    adata = screen_of(lambda control, _: 1e4 if control else 1e6, n_lines=n_lines)
    match = f"Perturbed cells{named} are normalized to 1,000,000 counts, control cells to 10,000"
    with pytest.raises(ValueError, match=match):
        tx.TxPertModel.setup_anndata(adata)


def test_two_scales_on_disk_are_refused(tmp_path):
    screen_of(lambda _, line: 1 if line == "A" else 100).write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(ValueError, match=r"to 100 counts, those of 'A' to 1\."):
        tx.TxPertModel.setup_anndata(ad.read_h5ad(tmp_path / "a.h5ad", backed="r"))


def test_what_cannot_be_told_is_no_other_scale():
    def two(_, line):
        return 4e3 if line == "A" else 1e6

    some = screen_of(two)[:, :40].copy()  # sums of a part of the genes vary
    few = screen_of(two)[[*range(120), *range(120, 144, 4), *range(121, 133)]].copy()
    few = few[~((few.obs["cell_line"] == "B") & few.obs["perturbation"].isin(["G3"]))].copy()
    shifted = screen_of(lambda *_: 4e3)
    shifted.X[120:] += 0.5  # no logarithms of counts: no gene is zero
    table = tx.pp.pseudobulk(screen_of(lambda *_: 4e3))
    for one in (some, shifted, table):
        tx.TxPertModel.setup_anndata(one)
        assert one is table or not np.isfinite(sum_of_cells(one.X, one.obs))
    assert np.isnan(sum_of_cells(table.X, table.obs))
    assert sum_of_cells(few.X[:120], few.obs[:120]) == pytest.approx(4e3, rel=1e-4)


def test_effects_have_no_scale():
    rng = np.random.default_rng(0)
    effects = pd.DataFrame(rng.normal(size=(3, 8)), index=["A", "B", "C"])
    adata = tx.pp.from_effects(effects.rename(columns=str))
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(
        adata, tx.datasets.toy_graph(), components="mean", extra_nodes=list("ABC")
    )
    assert NORMALIZED_TO not in model.registry


@pytest.fixture(scope="module")
def model():
    adata = screen_of(lambda *_: 4e3)
    tx.TxPertModel.setup_anndata(adata)
    edges = pd.DataFrame({"source": ["G1", "G2"], "target": ["G2", "G3"]})
    graph = tx.graph.KnowledgeGraph.from_edges(edges, name="chain")
    model = tx.TxPertModel(adata, graph, components="mean")
    model.train(enable_progress_bar=False)
    return model


def test_a_model_knows_its_scale_and_other_data_must_have_it(model, tmp_path):
    assert model.registry[NORMALIZED_TO] == pytest.approx(4e3, rel=1e-4)
    other = screen_of(lambda *_: 1e4, seed=1)
    match = "Cells of the data are normalized to 10,000 counts, those of the model to 4,000"
    with pytest.raises(ValueError, match=match):
        model.read(other)
    assert "_scvi_uuid" not in other.uns
    model.read(screen_of(lambda *_: 4e3, seed=1))
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match=match):
        tx.TxPertModel.load(tmp_path / "model", other)
    again = tx.TxPertModel.load(tmp_path / "model", screen_of(lambda *_: 4e3, seed=1))
    assert again.registry[NORMALIZED_TO] == model.registry[NORMALIZED_TO]
    assert tx.TxPertModel.load(tmp_path / "model").registry[NORMALIZED_TO] > 0


def test_a_model_that_was_saved_without_a_scale_loads(model, tmp_path, monkeypatch):
    known = dict(model.registry)
    known.pop(NORMALIZED_TO)
    monkeypatch.setattr(model, "registry_", known)
    model.save(tmp_path / "old")
    other = screen_of(lambda *_: 1e4, seed=1)
    old = tx.TxPertModel.load(tmp_path / "old", other)
    assert NORMALIZED_TO not in old.registry
    old.predict("G1", controls=other[other.obs["control"]].copy())


def test_counts_that_are_normalized_when_read_have_the_sum_asked_for(adata):
    adata.X = adata.layers["counts"]
    tx.TxPertModel.setup_anndata(adata, target_sum=500)
    model = tx.TxPertModel(adata, tx.datasets.toy_graph(), components="mean")
    assert model.registry[NORMALIZED_TO] == 500


def test_controls_of_ones_own_must_have_the_scale_of_the_model(model):
    from txpert.data._own_controls import chosen_controls

    keys = {name: name for name in ("control", "cell_line", "batch")}
    other = screen_of(lambda *_: 1e4)
    cells = other[other.obs["control"]].copy()
    match = "control cells are normalized to 10,000 counts, those of the model to 4,000"
    with pytest.raises(ValueError, match=match):
        chosen_controls(model.control_profiles, cells, keys, None, normalized_to=4e3)
    for given, total in ((cells, None), (cells, 1e4), (cells[:5].copy(), 4e3)):
        found = chosen_controls(model.control_profiles, given, keys, None, normalized_to=total)
        assert found.obs["n_cells"].sum() == given.n_obs


def test_a_screen_is_checked_in_no_time():
    import time

    n = 100_000
    rng = np.random.default_rng(0)
    X = sparse.random(n, 500, density=0.1, format="csr", dtype=np.float32, rng=rng)
    X.data = np.ceil(X.data * 5)
    obs = pd.DataFrame({"perturbation": np.array(["control", "A"])[np.arange(n) % 2]})
    adata = ad.AnnData(X, obs.set_axis(obs.index.astype(str), axis=0))
    adata.obs["control"] = adata.obs["perturbation"] == "control"
    tx.pp.normalize(adata)
    screen = Screen.from_anndata(adata, ObsKeys())
    start = time.perf_counter()
    screen.check_values("adata.X")
    assert time.perf_counter() - start < 2  # 0.05 s on a machine that does nothing else
