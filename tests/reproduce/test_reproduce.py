"""The paper's experiments through the command, from simulated screens on a local server."""

import hashlib
import json
from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scvi
from click.testing import CliRunner
from local_record import name_in, serving

import txpert as tx
from txpert._cli import main
from txpert._reproduce import EXPERIMENTS, _models, _screens, reproduce
from txpert.datasets import _public as public

MODELS = {"TxPert", "paper, gat", "general", "mean"}
CELLS = {"n_controls": 30, "n_batches": 2}


@pytest.fixture(scope="module")
def edges(tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "toy.tsv"
    tx.datasets.toy_graph().edges.to_csv(path, sep="\t", index=False)
    return path


@pytest.fixture
def record(monkeypatch, tmp_path):
    """Serve simulated screens in scPerturb's columns and labels; count what is asked for."""
    files, asked = {}, []

    def answer(path):
        asked.append(name_in(path))
        return files.get(name_in(path))

    def offer(name, seed=0, **options):
        simulated = screen(seed, **options)
        label = simulated.obs["perturbation"].astype(str)
        batch = "gemgroup" if name == "norman_2019" else "batch"
        obs = pd.DataFrame(
            {"perturbation": label.str.replace("+", "_"), batch: simulated.obs["batch"]}
        )
        obs["nperts"] = label.str.count(r"\+") + (label != "control")
        path = tmp_path / "published.h5ad"
        ad.AnnData(simulated.X, obs, simulated.var[[]]).write_h5ad(path)
        data = path.read_bytes()
        published = replace(public.SCREENS[name], md5=hashlib.md5(data).hexdigest())
        monkeypatch.setitem(public.SCREENS, name, published)
        files[published.file] = data

    with serving(answer) as address:
        monkeypatch.setattr(public, "RECORD", f"{address}/files")
        monkeypatch.setenv("TXPERT_CACHE", str(tmp_path / "cache"))
        yield offer, asked


def screen(seed=0, **options):
    graph = tx.datasets.toy_graph()
    return tx.datasets.simulate(12, 60, 12, graph=graph, seed=seed, **CELLS, **options)


def run(*arguments):
    verbosity = scvi.settings.verbosity
    try:
        return CliRunner().invoke(main, ["reproduce", *map(str, arguments)])
    finally:
        scvi.settings.verbosity = verbosity


def check(out, *, models=MODELS):
    """Look at what was written; return the settings and the table."""
    settings = json.loads((out / "settings.json").read_text())
    table = pd.read_csv(out / "table.csv")
    result = tx.BenchmarkResult.load(out / "result")
    assert set(result.runs["status"]) == {"done"}, result.runs["reason"].tolist()
    assert set(result.models) >= models
    shown = (out / "table.md").read_text()
    assert all(f"| {name} |" in shown for name in result.models)
    everything = table[(table["part"] == "all") & (table["metric"] == "pearson_delta")]
    means = everything.set_index("model")["mean"]
    for model, scores in result.scores.groupby("model"):
        assert means[model] == pytest.approx(scores["pearson_delta"].mean())
    assert "ceiling, split_half" in means
    drawn = {path.name for path in (out / "figures").iterdir()}
    assert drawn == {
        *("pearson_delta_bars.png", "pearson_delta_strips.png"),
        *("retrieval_bars.png", "mse_bars.png"),
    }
    assert settings["versions"]["txpert"] == tx.__version__
    return settings, table


@pytest.mark.slow
def test_norman_from_download_to_table_and_again(record, edges, tmp_path):
    offer, asked = record
    offer("norman_2019", n_doubles=12)
    out = tmp_path / "out"
    call = ("norman", "--quick", "--max-epochs", 1, "--graph", edges, "--genes", 40, "--out", out)
    done = run(*call)
    assert done.exit_code == 0, done.output
    assert "a trial, not a result" in done.output
    settings, table = check(out, models=MODELS | {"matching_mean"})
    assert settings["task"] == "unseen_combination"
    assert settings["graphs"][0]["name"] == "toy"
    (source,) = settings["screens"]
    assert source["license"] == "CC BY 4.0"
    assert 12 < source["n_perturbations"] <= 24
    assert {"all", "seen_1"} <= set(table["part"])
    stored = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("runs/*.json")}
    assert len(stored) == 6  # five models and the ceiling
    before = (out / "result" / "runs.csv").read_bytes()
    assert run(*call).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in stored} == stored, "fitted again"
    assert (out / "result" / "runs.csv").read_bytes() == before
    assert asked == [public.SCREENS["norman_2019"].file]


def test_a_screen_of_ones_own(edges, tmp_path):
    own = screen()
    own.obs["perturbation"] = own.obs["perturbation"].astype(str).replace({"control": "ctrl"})
    del own.obs["control"]
    own.write_h5ad(tmp_path / "own.h5ad")
    out = tmp_path / "out"
    call = ("--quick", "--max-epochs", 1, "--genes", 40, "--graph", edges, "--out", out)
    done = run("k562", "--data", tmp_path / "own.h5ad", *call)
    assert done.exit_code == 0, done.output
    settings, _ = check(out)
    assert settings["screens"][0]["n_controls"] == 30
    done = run("cross-line", "--data", tmp_path / "own.h5ad", *call)
    assert done.exit_code == 1
    assert "needs several cell lines" in done.output


@pytest.mark.parametrize(
    ("experiment", "options", "message"),
    [
        ("norman", ["--quick"], "needs combinations such as 'A+B'"),
        ("norman", [], "needs combinations such as 'A+B'"),
        ("k562", ["--quick"], "too few to split"),
    ],
)
def test_a_screen_that_cannot_be_split_leaves_nothing(
    edges, tmp_path, experiment, options, message
):
    own = screen()
    two = sorted(set(own.obs["perturbation"]) - {"control"})[:2]
    kept = own.obs["perturbation"].isin([*two, "control"]).to_numpy()
    own[kept if experiment == "k562" else slice(None)].write_h5ad(tmp_path / "own.h5ad")
    out = tmp_path / "a" / "b"
    done = run(
        *(experiment, "--data", tmp_path / "own.h5ad", *options, "--genes", 40),
        *("--graph", edges, "--out", out),
    )
    assert done.exit_code == 1
    assert message in " ".join(done.output.split())
    assert not out.parent.exists()


def _fails(adata, seed, **options):
    raise RuntimeError("no room")


@pytest.mark.slow
def test_fits_that_fail_are_named_and_the_others_are_there(edges, tmp_path, monkeypatch):
    screen().write_h5ad(tmp_path / "own.h5ad")
    monkeypatch.setattr(_models, "fit_paper", _fails)
    out = tmp_path / "out"
    call = ("--quick", "--max-epochs", 1, "--genes", 40, "--graph", edges, "--out", out)
    done = run("k562", "--data", tmp_path / "own.h5ad", *call)
    assert done.exit_code == 1
    assert "1 of 4 fits failed" in done.output
    text = (out / "table.md").read_text()
    assert "Failed: paper, gat, seed 0: RuntimeError: no room" in text
    assert "| general | 0." in text


@pytest.mark.slow
def test_every_line_is_test_once(record, edges, tmp_path):
    for seed, name in enumerate(EXPERIMENTS["cross-line"].screens):
        record[0](name, seed=seed)
    out = tmp_path / "out"
    call = ("--quick", "--max-epochs", 2, "--genes", 40, "--graph", edges, "--out", out)
    done = run("cross-line", *call, "--architecture", "gat", "--architecture", "hybrid_bmp")
    assert done.exit_code == 0, done.output
    models = MODELS | {"nearest_cell_line", "paper, hybrid_bmp"}
    _, table = check(out, models=models)
    assert {"all", "HepG2", "Jurkat", "K562", "RPE1"} <= set(table["part"])
    assert sorted(path.name for path in (out / "runs").iterdir()) == [
        "HepG2",
        "Jurkat",
        "K562",
        "RPE1",
    ]


@pytest.mark.slow
def test_k562_as_the_paper_filters_it(record, edges, tmp_path):
    record[0]("replogle_2022_k562_essential")
    out = tmp_path / "out"
    text = reproduce(
        "k562",
        out,
        graphs=[tx.graph.KnowledgeGraph.from_edges(edges, name="toy")],
        seeds=[0, 1],
        n_genes=40,
        filters={"min_cells": 5, "min_de_genes": 2},
        train={"max_epochs": 2},
    )
    assert "2 seed(s)" in text
    settings, table = check(out)
    assert not settings["quick"]
    assert settings["filters"] == {"min_cells": 5, "min_de_genes": 2}
    assert (table["sd"].notna() & (table["model"] == "TxPert")).any()


def test_a_trial_takes_few_cells_of_pairs_and_their_genes(monkeypatch):
    monkeypatch.setattr(_screens, "QUICK_PERTURBATIONS", 4)
    monkeypatch.setattr(_screens, "QUICK_CELLS", 3)
    monkeypatch.setattr(_screens, "QUICK_CONTROLS", 7)
    own = screen(n_doubles=6)
    n_cells = _screens.part_of(own, EXPERIMENTS["norman"]).obs["perturbation"].value_counts()
    n_cells = n_cells[n_cells > 0]
    pairs = [label for label in n_cells.index if "+" in label]
    assert len(pairs) == 2
    assert set(n_cells.index) == {"control", *pairs, *"+".join(pairs).split("+")}
    assert n_cells.pop("control") == 7
    assert n_cells.max() == 3
    singles = _screens.part_of(screen(), EXPERIMENTS["k562"]).obs["perturbation"]
    assert singles[singles != "control"].nunique() == 4


def test_copies_are_named_as_screens_are(tmp_path):
    done = run("k562", "--file", "norman_2019=x.h5ad", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "NAME is one of replogle_2022_k562_essential" in done.output
    done = run("k562", "--file", "replogle_2022_k562_essential=x.h5ad", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "There is no file x.h5ad" in done.output


def test_the_ontology_by_name_is_that_of_the_paper():
    genes = ["JAK2", "TYK2", "STAT1", "RPL3"]
    adata = ad.AnnData(np.zeros((2, 4)), var=pd.DataFrame(index=genes))
    adata.obs = adata.obs.assign(perturbation=["JAK2", "control"], control=[False, True])
    (graph,) = _models.public_graphs(["go"], adata)
    assert graph == tx.graph.go(sorted(genes), term_weights="uniform")
    assert graph != tx.graph.go(sorted(genes))
