import logging
import os
import signal
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import anndata as ad
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import scvi
import torch
from hypothesis import HealthCheck, settings

import txpert as tx
from txpert.graph import KnowledgeGraph

# A busy machine must not fail a test of what is right.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
mpl.use("Agg")
torch.set_num_threads(1)
if "TXPERT_TEST_GPU" not in os.environ:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # sums on a GPU differ by rounding from run to run
os.environ.setdefault("TXPERT_CACHE_GB", "0")  # tests compute, unless they look at what is kept
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

REAL_DATA = Path(__file__).parents[1].parent / "shared" / "data"
SMALL_GAT = {"n_layers": 2, "n_channels": 8, "n_input": 8}
PAPER = {"decoding": "direct", "components": "network"}
TINY = {"encoder": {"name": "gat", "options": SMALL_GAT}, "n_hidden": 16, **PAPER}


@pytest.fixture(scope="session")
def shared():
    """Give the path of a real table; skip where there are none, and fail if one of them is."""

    def find(name):
        if not REAL_DATA.is_dir():
            pytest.skip(f"{REAL_DATA} is not here")
        path = REAL_DATA / name
        assert path.is_file()
        return path

    return find


@pytest.fixture(autouse=True)
def _seed(monkeypatch):
    # scvi-tools appends to it for every seed, until no process can be started any more.
    monkeypatch.setenv("XLA_FLAGS", "")
    scvi.settings.verbosity = logging.ERROR
    scvi.settings.seed = 0


@pytest.fixture
def graph():
    return tx.datasets.toy_graph()


@pytest.fixture(scope="session")
def _toy():
    return tx.datasets.toy()


@pytest.fixture
def adata(_toy):
    """A log-normalized screen with a split; each test has its own."""
    copy = _toy.copy()
    tx.pp.split(copy)
    return copy


@pytest.fixture
def two_lines(adata):
    """The same cells as two cell lines of two batches each, the second line shifted."""
    other = adata.copy()
    other.X = other.X.toarray() + 0.5
    adata.X = adata.X.toarray()
    adata.obs["cell_line"], other.obs["cell_line"] = "K562", "RPE1"
    adata.obs["batch"] = "k_" + adata.obs["batch"].astype(str)
    other.obs["batch"] = "r_" + other.obs["batch"].astype(str)
    other.obs_names = [f"r_{name}" for name in other.obs_names]
    return ad.concat([adata, other])


@pytest.fixture
def make_model(graph):
    """Set up and, unless ``epochs=0``, train a tiny model."""

    def make(adata, *, graphs=None, epochs=2, train=None, setup=True, **options):
        scvi.settings.seed = 0
        if setup:
            tx.TxPertModel.setup_anndata(adata)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = tx.TxPertModel(adata, graphs or [graph], **{**TINY, **options})
            if epochs:
                model.train(
                    max_epochs=epochs,
                    enable_progress_bar=False,
                    **{"refit": False, **(train or {})},
                )
        return model

    return make


@pytest.fixture
def add_doubles():
    """Turn the cells of one perturbation into a double of it with another."""

    def add(adata, first, second):
        labels = adata.obs["perturbation"].astype(str)
        adata.obs["perturbation"] = labels.replace({first: f"{second}+{first}"}).astype("category")
        return adata

    return add


@pytest.fixture
def random_deltas():
    def draw(n=12, n_genes=30, seed=0):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=(n, n_genes))
        return truth + rng.normal(size=truth.shape), truth

    return draw


@pytest.fixture
def raw_counts():
    rng = np.random.default_rng(0)
    counts = rng.poisson(2.0, size=(40, 12)).astype(np.float32)
    obs = pd.DataFrame(
        {"perturbation": ["control", "A", "B", "C"] * 10}, index=[f"c{i}" for i in range(40)]
    )
    obs["control"] = obs["perturbation"] == "control"
    return ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(12)]))


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
def bench():
    """Run a benchmark of cheap models without a ceiling."""

    def run(adata, models=None, task=None, seeds=0, **options):
        models = {"mean": "mean"} if models is None else models
        return tx.benchmark(adata, models, task, seeds, **{"ceiling_repeats": 0, **options})

    return run


@pytest.fixture
def full_disk():
    """Let no file of this process grow larger than some bytes, in a with statement."""

    @contextmanager
    def limit(n_bytes=4_000):
        resource = pytest.importorskip("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


@pytest.fixture
def killed_while():
    """Call a function over and over in a process that is killed after some seconds."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork")

    def run(saving, seconds):
        child = os.fork()
        if not child:
            try:
                while True:
                    saving()
            finally:
                os._exit(1)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the child ended by itself"

    return run
