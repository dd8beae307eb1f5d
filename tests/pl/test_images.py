"""Every figure looks as it did: images compared, with a tolerance for versions and fonts.

After a wanted change, ``TXPERT_DRAW=1 pytest tests/pl/test_images.py`` draws them again: look at
each of them.
"""

import itertools
import os
import warnings
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.testing.compare import compare_images

import txpert as tx
from txpert._analysis._interactions import SCORES
from txpert._benchmark import BenchmarkResult
from txpert.graph import KnowledgeGraph

DRAWN_BY = "3.11"
IMAGES = Path(__file__).parent / "images"
TOLERANCE = 6
"""Root mean square difference of colors; what another figure of the same kind exceeds."""

pytestmark = pytest.mark.skipif(
    mpl.__version__.rpartition(".")[0] != DRAWN_BY,
    reason=f"images were drawn by matplotlib {DRAWN_BY}, this is {mpl.__version__}",
)


@pytest.fixture(scope="module")
def screen():
    """An evaluated screen with its analyses, by what is computed in closed form."""
    adata, graph = tx.datasets.toy(), tx.datasets.toy_graph()
    tx.pp.split(adata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tx.TxPertModel.setup_anndata(adata)
        model = tx.TxPertModel(adata, graph, components=("mean", "gaussian_process"))
        model.train()
        tx.tl.evaluate(adata, model)
        tx.tl.trust(adata, graphs=graph)
        tx.tl.screen_report(adata)
    return adata


def scores_of(models, seed):
    rng = np.random.default_rng(seed)
    keys = pd.MultiIndex.from_product(
        [models, [0, 1], [0], [f"P{i}" for i in range(12)], ["K"]],
        names=["model", "seed", "fold", "perturbation", "cell_line"],
    )
    table = keys.to_frame(index=False).assign(n_cells=50, undefined="")
    table["group"] = np.where(table["perturbation"].str[-1].astype(int) % 2, "seen", "unseen")
    table["pearson_delta"] = 0.3 + 0.05 * pd.factorize(table["model"])[0]
    table["pearson_delta"] += 0.1 * rng.standard_normal(len(table))
    return table


def result_of(models, seed, baseline):
    scores = scores_of(models, seed)
    runs = scores[["model", "seed", "fold"]].drop_duplicates().assign(status="done", reason="")
    ceiling = scores_of(["split_half", "noise_free"], seed).rename(columns={"model": "kind"})
    ceiling["pearson_delta"] += 0.4
    return BenchmarkResult(scores, runs, ceiling, "unseen_perturbation", baseline)


def explanation(seed):
    rng = np.random.default_rng(seed)
    why = pd.DataFrame(
        {
            "part": "training effect",
            "perturbation": [f"N{i}" for i in range(8)],
            "cell_line": "K",
            "graph": ["string", "go", None, "string"] * 2,
            "edge_weight": [0.9, 0.5, np.nan, 0.4] * 2,
            "contribution": np.sort(rng.random(8))[::-1] * np.array([1, 1, -1, 1] * 2),
            "effect_norm": rng.random(8),
        }
    )
    why.attrs = {"norm": 5.0, "perturbation": "TARGET", "cell_line": "K"}
    return why


def interactions(adata, seed):
    rng = np.random.default_rng(seed)
    labels = ["+".join(pair) for pair in itertools.combinations([f"G{i}" for i in range(8)], 2)]
    parts = [
        pd.DataFrame({"perturbation": labels, "cell_line": "K", "source": source})
        for source in ("observed", "predicted")
    ]
    scores = pd.concat(parts, ignore_index=True)
    scores[list(SCORES)] = rng.normal(size=(len(scores), len(SCORES)))
    adata.uns["txpert_interactions"] = {"scores": scores}
    return tx.pl.interactions(adata)


def history(seed):
    """Two fits, validated every second epoch, and one on all perturbations."""
    rng = np.random.default_rng(seed)
    epoch = np.arange(60)
    of_fit = epoch % 20 + 1
    loss = 1 / of_fit + 0.03 * rng.random(60)
    validated = epoch[(epoch < 40) & (epoch % 2 == 1)]
    score = 0.5 - (of_fit[validated] - 12) ** 2 / 400 + 0.02 * rng.random(20)
    tables = {
        "train_loss": pd.DataFrame(loss),
        "validation_loss": pd.DataFrame(loss[validated] + 0.1, index=validated),
        "pearson_delta_validation": pd.DataFrame(score, index=validated),
        "fit": pd.DataFrame(epoch // 20 + 1),
    }
    return tx.pl.history(SimpleNamespace(history=tables))


def graphs(seed):
    rng = np.random.default_rng(seed)
    nodes = [f"G{i}" for i in range(30)]
    return [
        KnowledgeGraph(name, nodes[:n], *rng.integers(n, size=(2, 2 * n)), np.ones(2 * n))
        for name, n in (("string", 30), ("go", 20), ("reactome", 12))
    ]


def enrichment(seed):
    rng = np.random.default_rng(seed)
    genes = [f"G{i}" for i in range(200)]
    sets = {f"process {i}": list(rng.choice(genes[: 20 * i + 40], 20, False)) for i in range(6)}
    lists = {"mean effect up": genes[:40], "mean effect down": genes[-40:]}
    return tx.pl.enrichment(tx.tl.enrichment(lists, genes, gene_sets=sets), n=3)


MODELS = ["TxPert", "neighbors", "general", "oracle"]
ABLATED = ["whole", "rewired 50%", "rewired 100%", "dropped 50%", "only go", "general"]
PREDICTED = {
    "profile": lambda p: tx.pl.profile(p, "G3", observed=p[::2].copy(), n_genes=12),
    "volcano": lambda p: tx.pl.volcano(p, "G3"),
    "ranking": lambda p: tx.pl.ranking(p, n=8),
    "embedding": lambda p: tx.pl.embedding(p, measured=["G1", "G2"], gene_sets={"set": ["G2"]}),
    "heatmap": lambda p: tx.pl.heatmap(p, p[:5].copy(), n_genes=12),
}
BENCHMARK = {
    "benchmark_bars": lambda r: tx.pl.benchmark_bars(r, by="group", oracles=["oracle"]),
    "benchmark_strips": tx.pl.benchmark_strips,
    "benchmark_ranks": tx.pl.benchmark_ranks,
    "benchmark_differences": tx.pl.benchmark_differences,
}
MADE_UP = {
    "graph_ablation": lambda s: tx.pl.graph_ablation(result_of(ABLATED, s, "general")),
    "graph_coverage": lambda s: tx.pl.graph_coverage(graphs(s), ["G1", "G15", "G40"]),
    "graph_overlap": lambda s: tx.pl.graph_overlap(graphs(s)),
    "explain": lambda s: tx.pl.explain(explanation(s)),
    "history": history,
    "enrichment": enrichment,
}
SCREEN = {
    "scores": tx.pl.scores,
    "delta": lambda adata: tx.pl.delta(adata, adata.uns["txpert"]["delta_obs"].iloc[0, 0]),
    "trust": tx.pl.trust,
    "screen_report": tx.pl.screen_report,
}
NAMES = [*PREDICTED, *BENCHMARK, *MADE_UP, *SCREEN, "interactions"]


@pytest.fixture
def draw(screen, make_prediction):
    """Draw a figure by name; another seed is another figure of the same kind."""

    def figure(name, seed):
        if name in PREDICTED:
            return PREDICTED[name](make_prediction(10, n_genes=30, seed=seed))
        if name in BENCHMARK:
            return BENCHMARK[name](result_of(MODELS, seed, "general"))
        if name in MADE_UP:
            return MADE_UP[name](seed)
        return interactions(screen, seed) if name == "interactions" else SCREEN[name](screen)

    def into(name, path, seed=0):
        with mpl.rc_context(), warnings.catch_warnings():
            mpl.rcdefaults()
            mpl.rcParams["font.family"] = ["DejaVu Sans"]
            warnings.simplefilter("ignore")
            figure(name, seed).figure.savefig(path, dpi=50, metadata={"Software": None})

    return into


def test_every_figure_has_an_image():
    assert sorted(NAMES) == sorted(tx.pl.__all__)
    images = list(IMAGES.iterdir())
    assert sorted(path.stem for path in images) == sorted(NAMES)
    assert sum(path.stat().st_size for path in images) < 1_000_000


@pytest.mark.parametrize("name", NAMES)
def test_figure_looks_as_it_did(name, draw, tmp_path):
    drawn = tmp_path / f"{name}.png"
    draw(name, drawn)
    if os.environ.get("TXPERT_DRAW"):
        IMAGES.mkdir(exist_ok=True)
        (IMAGES / drawn.name).write_bytes(drawn.read_bytes())
    problem = compare_images(str(IMAGES / drawn.name), str(drawn), tol=TOLERANCE)
    assert problem is None, problem


@pytest.mark.parametrize("name", ["profile", "benchmark_strips", "explain", "interactions"])
def test_other_data_look_different(name, draw, tmp_path):
    draw(name, tmp_path / "other.png", seed=1)
    draw(name, tmp_path / "same.png")
    images = str(tmp_path / "same.png"), str(tmp_path / "other.png")
    assert compare_images(*images, tol=TOLERANCE) is not None
