"""The command line, on a tiny screen."""

import runpy
import sys

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scvi
from click.testing import CliRunner

import txpert as tx
from txpert._cli import main


@pytest.fixture(scope="module")
def folder(_toy, tmp_path_factory):
    """A screen of raw counts under other names, an edge table, and a model trained on them."""
    folder = tmp_path_factory.mktemp("cli")
    adata = ad.AnnData(_toy.layers["counts"], obs=_toy.obs[["perturbation", "batch"]].copy())
    adata.var_names = _toy.var_names
    labels = adata.obs["perturbation"].astype(str).replace({"control": "NT"})
    adata.obs = adata.obs.assign(gene=labels).drop(columns="perturbation")
    adata.write_h5ad(folder / "screen.h5ad")
    tx.datasets.toy_graph().edges.to_csv(folder / "edges.tsv", sep="\t", index=False)
    (folder / "run.toml").write_text(
        "perturbation-key = 'gene'\ncontrol_label = 'NT'\n[train]\nmax-epochs = 1\n"
        f"encoder = 'gcn'\ngraph = ['{folder / 'edges.tsv'}']\n[benchmark]\nceiling-repeats = 0\n"
    )
    done = run(
        *("train", folder / "screen.h5ad", "--config", folder / "run.toml"),
        *("--out", folder / "model"),
    )
    assert done.exit_code == 0, done.output
    return folder


def run(*arguments):
    verbosity = scvi.settings.verbosity
    try:
        return CliRunner().invoke(main, [str(argument) for argument in arguments])
    finally:
        scvi.settings.verbosity = verbosity


@pytest.mark.parametrize(
    "command",
    [
        "",
        "train",
        "predict",
        "evaluate",
        "report",
        "benchmark",
        "graph",
        "graph build",
        "graph coverage",
        "reproduce",
    ],
)
def test_every_command_has_help(command):
    shown = run(*command.split(), "--help")
    assert shown.exit_code == 0
    if command != "graph":
        assert "Examples:" in shown.output


def test_train_takes_a_configuration_and_the_graph_as_it_is(folder):
    model = tx.TxPertModel.load(folder / "model")
    about = model.record()
    assert about["settings"]["encoder"]["name"] == "gcn"
    assert about["training"]["epochs"] == 1
    given = tx.datasets.toy_graph()
    (graph,) = model.graphs
    assert (graph.name, graph.n_edges) == ("edges", given.n_edges)
    split = pd.read_csv(folder / "model" / "split.csv")
    assert len(split) == 360
    assert set(split["split"].dropna()) == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--perturbation-key", "gen"], "'gen'"),
        (["--perturbation-key", "gene", "--control-label", "non-targeting"], "'non-targeting'"),
    ],
)
def test_a_wrong_name_is_found_before_the_work(options, named, folder):
    done = run("train", folder / "screen.h5ad", *options, "--out", folder / "other")
    assert done.exit_code == 1
    assert named in done.output
    assert "Raw counts" not in done.output


def test_predict_writes_h5ad_and_csv(folder):
    out = folder / "p.h5ad"
    assert run("predict", folder / "model", "GENE3", "GENE3+GENE5", "--out", out).exit_code == 0
    assert ad.read_h5ad(out).obs["perturbation"].tolist() == ["GENE3", "GENE3+GENE5"]
    (folder / "labels.txt").write_text("GENE3\n\nGENE5\n")
    out = folder / "p.csv"
    done = run(
        *("predict", folder / "model", "--file", folder / "labels.txt", "--top", 5, "--std"),
        *("--out", out),
    )
    assert done.exit_code == 0, done.output
    table = pd.read_csv(out)
    assert len(table) == 10
    assert {"log2_fold_change", "std", "rank"} <= set(table)


def test_evaluate_scores_models_under_the_split_of_training(folder):
    out = folder / "scores.csv"
    done = run("evaluate", folder / "screen.h5ad", folder / "model", "--out", out)
    assert done.exit_code == 0, done.output
    assert "pearson_delta" in done.output
    scores = pd.read_csv(out)
    assert set(scores["model"]) == {"model", "general"}
    trained = {label for label, _ in tx.TxPertModel.load(folder / "model").trained_on_}
    assert not trained & set(scores["perturbation"])


def test_report_is_one_file(folder):
    out = folder / "report.html"
    done = run("report", folder / "screen.h5ad", folder / "model", "--out", out, "--title", "<b>")
    assert done.exit_code == 0, done.output
    text = out.read_text()
    assert "&lt;b&gt;" in text
    assert "pearson" in text.lower()


def test_benchmark_stores_a_result(folder):
    done = run(
        *("benchmark", folder / "screen.h5ad", "--config", folder / "run.toml"),
        *("--model", "mean", "--model", "neighbors", "--graph", folder / "edges.tsv"),
        *("--task", "unseen_perturbation", "--out", folder / "result"),
    )
    assert done.exit_code == 0, done.output
    result = tx.BenchmarkResult.load(folder / "result")
    assert set(result.models) == {"mean", "neighbors", "general"}
    assert (result.runs["status"] == "done").all()


def test_graphs_are_built_whole_and_reported(folder):
    for name in ("made.npz", "made.tsv"):
        done = run("graph", "build", "edges", folder / "edges.tsv", "--out", folder / name)
        assert done.exit_code == 0, done.output
    made = tx.graph.KnowledgeGraph.load(folder / "made.npz")
    assert made.n_edges == len(pd.read_csv(folder / "made.tsv", sep="\t"))
    assert made.n_edges == tx.datasets.toy_graph().n_edges
    done = run(
        *("graph", "coverage", folder / "screen.h5ad", "--config", folder / "run.toml"),
        *("--graph", folder / "made.npz", "--out", folder / "coverage.csv"),
    )
    assert "12 perturbed genes" in done.output
    assert len(pd.read_csv(folder / "coverage.csv")) == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "{}/model", "--out", "{}/x.h5ad"), "Name perturbations"),
        (("predict", "{}/model", "GENE3", "--out", "{}/x.txt"), "must end in .h5ad or .csv"),
        (("predict", "{}/model", "GENE3+", "--out", "{}/x.h5ad"), "Error: "),
        (("train", "{}/screen.h5ad", "--out", "{}/model"), "exists"),
        (("train", "{}/screen.h5ad", "--out", "{}/new"), "no column 'perturbation'"),
        (("train", "{}/edges.tsv", "--out", "{}/new"), "is not an h5ad file"),
        (("graph", "build", "biogrid", "--out", "{}/x.npz"), "biogrid needs a file"),
        (("train", "{}/screen.h5ad", "--config", "{}/bad.toml", "--out", "{}/n"), "'epochs'"),
    ],
)
def test_errors_are_one_line(folder, arguments, message):
    (folder / "bad.toml").write_text("epochs = 3\n")
    done = run(*(text.format(folder) for text in arguments))
    assert done.exit_code != 0
    assert message in done.output
    assert "Traceback" not in done.output


def test_it_runs_as_a_module(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["txpert", "--version"])
    with pytest.raises(SystemExit):
        runpy.run_module("txpert", run_name="__main__")
    assert tx.__version__ in capsys.readouterr().out


def test_a_graph_of_go_is_made_of_the_file_that_is_given(folder):
    (folder / "mine.gaf").write_text(
        "!gaf-version: 2.2\n"
        + "".join(
            f"UniProtKB\tP{i}\t{gene}\tinvolved_in\tGO:0000001\tPMID:1\tIDA\t\tP\t\t\tprotein\t"
            "taxon:9606\t20200101\tx\t\t\n"
            for i, gene in enumerate(["STAT1", "JAK2"])
        )
    )
    done = run("graph", "build", "go", folder / "mine.gaf", "--out", folder / "mine.npz")
    assert done.exit_code == 0, done.output
    made = tx.graph.KnowledgeGraph.load(folder / "mine.npz")
    assert sorted(made.nodes) == ["JAK2", "STAT1"]
    done = run("graph", "build", "go", folder / "edges.tsv", "--out", folder / "no.npz")
    assert done.exit_code == 1
    assert not (folder / "no.npz").exists()


def test_coverage_counts_genes_that_are_not_in_the_graph(folder):
    targets = sorted(set(ad.read_h5ad(folder / "screen.h5ad").obs["gene"]) - {"NT"})
    nodes = [*targets[:6], "X1"]
    some = tx.graph.KnowledgeGraph("some", nodes, [6] * 5, range(5), [1.0] * 5)
    some.save(folder / "some.npz")
    other = tx.graph.KnowledgeGraph("other", ["X1", "X2"], [0], [1], [1.0])
    other.save(folder / "other.npz")
    done = run(
        *("graph", "coverage", folder / "screen.h5ad", "--config", folder / "run.toml"),
        *("--graph", folder / "some.npz", "--graph", folder / "other.npz"),
    )
    rows = {line.split()[0]: line.split()[1:] for line in done.output.splitlines() if line}
    assert [float(value) for value in rows["some"]] == [0.5, 0.417]
    assert [float(value) for value in rows["other"]] == [0, 0]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """Two cell lines and an edge table."""
    folder = tmp_path_factory.mktemp("lines")
    graph = tx.datasets.toy_graph()
    adata = tx.datasets.simulate(
        12, 60, 5, n_controls=20, n_batches=1, n_cell_lines=2, graph=graph
    )
    adata.uns.clear()
    adata.write_h5ad(folder / "screen.h5ad")
    graph.edges.to_csv(folder / "edges.tsv", sep="\t", index=False)
    return folder


def _trained(lines, screen, out, *options):
    return run(
        *("train", lines / screen, "--graph", lines / "edges.tsv", "--encoder", "gcn"),
        *("--max-epochs", 1, "--no-refit", *options, "--out", lines / out),
    )


@pytest.mark.parametrize(
    "options",
    [
        ("--task", "unseen_cell_line"),
        ("--task", "few_shot_cell_line", "--measured", 3),
        ("--task", "few_shot_cell_line", "--measured", 0.25),
    ],
)
def test_train_draws_splits_of_cell_lines(lines, options):
    done = _trained(lines, "screen.h5ad", "none", *options)
    assert done.exit_code == 1
    assert "needs test_cell_line, one of: line_1, line_2" in done.output
    out = "_".join(map(str, options[1::2]))
    done = _trained(lines, "screen.h5ad", out, *options, "--test-cell-line", "line_2")
    assert done.exit_code == 0, done.output
    drawn = pd.read_csv(lines / out / "split.csv")["split"].to_numpy()
    adata = ad.read_h5ad(lines / "screen.h5ad")
    own = {"measured": options[3]} if len(options) > 2 else {}
    tx.pp.split(adata, options[1], test_cell_line="line_2", **own)
    expected = adata.obs["split"].astype(object)
    assert expected.fillna("").tolist() == pd.Series(drawn).fillna("").tolist()


def test_train_draws_no_split_where_there_is_one(lines):
    adata = ad.read_h5ad(lines / "screen.h5ad")
    tx.pp.split(adata)
    adata.write_h5ad(lines / "split.h5ad")
    for option in (("--task", "unseen_perturbation"), ("--test-cell-line", "line_1")):
        done = _trained(lines, "split.h5ad", "refused", *option)
        assert done.exit_code == 2
        assert "obs['split']" in done.output
        assert option[0] in done.output
        assert "--split-key" in done.output
    wanted = ("--test-cell-line", "line_2", "--split-key", "other")
    done = _trained(lines, "split.h5ad", "beside", "--task", "unseen_cell_line", *wanted)
    assert done.exit_code == 0, done.output
    drawn = pd.read_csv(lines / "beside" / "split.csv")["split"]
    tx.pp.split(adata, "unseen_cell_line", test_cell_line="line_2", key_added="other")
    expected = adata.obs["other"].astype(object)
    assert expected.fillna("").tolist() == drawn.fillna("").tolist()
    done = _trained(lines, "split.h5ad", "misspelled", "--split-key", "spilt")
    assert done.exit_code == 1
    assert "spilt" in done.output


def test_benchmark_makes_a_graph_only_for_models_that_take_one(folder):
    call = ("benchmark", folder / "screen.h5ad", "--config", folder / "run.toml")
    call += ("--task", "unseen_perturbation", "--out", folder / "graphless")
    done = run(*call, "--model", "mean")
    assert done.exit_code == 0, done.output
    done = run(*call, "--model", "mean", "--model", "kernel")
    assert done.exit_code == 1
    assert "None of the 60 genes" in done.output


TWO_GRAPHS = ("--graph", "{}/edges.tsv", "--graph", "{}/b/edges.tsv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "{}/screen.h5ad", "--config", "{}/three.toml", "--out", "{}/n"), "[train]"),
        (
            ("predict", "{}/model", "GENE3", "--top", "3", "--out", "{}/p.h5ad"),
            "--top is for a CSV",
        ),
        (
            ("graph", "coverage", "{}/screen.h5ad", "--config", "{}/run.toml", *TWO_GRAPHS),
            "are both called 'edges'",
        ),
        (("reproduce", "norman", *TWO_GRAPHS, "--out", "{}/n"), "are both called 'edges'"),
    ],
)
def test_usage_errors_say_what_to_change(folder, arguments, message):
    (folder / "three.toml").write_text("train = 3\n")
    (folder / "b").mkdir(exist_ok=True)
    (folder / "b" / "edges.tsv").write_bytes((folder / "edges.tsv").read_bytes())
    done = run(*(text.format(folder) for text in arguments))
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.output.split())
    assert not (folder / "n").exists()


def test_modalities_train_and_predict_as_through_the_api(lines, tmp_path):
    adata = ad.read_h5ad(lines / "screen.h5ad")
    kinds = pd.Categorical.from_codes([i % 2 for i in range(adata.n_obs)], ["CRISPRi", "CRISPRa"])
    adata.obs["how"] = kinds
    tx.pp.normalize(adata)
    activated = (kinds == "CRISPRa") & ~adata.obs["control"].to_numpy()
    adata.X = adata.X.toarray() + 0.3 * activated[:, None]
    tx.pp.split(adata)
    adata.write_h5ad(tmp_path / "screen.h5ad")
    graph = tx.graph.KnowledgeGraph.from_edges(lines / "edges.tsv", name="edges")
    scvi.settings.seed = 0
    tx.TxPertModel.setup_anndata(adata, modality_key="how")
    expected = tx.TxPertModel(adata, graph, encoder="gcn")
    expected.train(max_epochs=1, refit=False, enable_progress_bar=False)
    done = run(
        *("train", tmp_path / "screen.h5ad", "--graph", lines / "edges.tsv"),
        *("--modality-key", "how", "--encoder", "gcn", "--max-epochs", 1, "--no-refit"),
        *("--out", tmp_path / "model"),
    )
    assert done.exit_code == 0, done.output
    trained = tx.TxPertModel.load(tmp_path / "model")
    assert trained.registry["setup_args"]["modality_key"] == "how"
    frame = pd.DataFrame(
        {"perturbation": "GENE3", "cell_line": "line_1", "modality": [*kinds[:2]]}
    )
    one, other = (model.predict(frame).layers["delta"] for model in (expected, trained))
    np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)
    assert abs(one[1] - one[0]).mean() > 0.05
    done = run("predict", tmp_path / "model", "GENE3", "--out", tmp_path / "p.h5ad")
    assert done.exit_code == 0, done.output
    found, api = ad.read_h5ad(tmp_path / "p.h5ad"), expected.predict("GENE3")
    assert found.obs["modality"].tolist() == api.obs["modality"].tolist()
    np.testing.assert_allclose(found.X, api.X, rtol=1e-4, atol=1e-5)
    done = run("evaluate", tmp_path / "screen.h5ad", tmp_path / "model")
    assert done.exit_code == 0, done.output
