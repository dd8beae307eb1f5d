"""The commands that README and user guide give for a file of one's own run as written."""

import re
import shlex
from pathlib import Path

import anndata as ad
import pandas as pd
import pytest
from click.testing import CliRunner

import txpert as tx
from txpert import demo
from txpert._cli import main

ROOT = Path(__file__).parents[2]


def commands(starting, page="README.md"):
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith(starting)]


@pytest.fixture
def screen(tmp_path, monkeypatch):
    """A file with the column and the genes that the README names."""
    adata = tx.datasets.simulate(n_perturbations=12, n_genes=80, n_cells=10, n_batches=1)
    targets = sorted(set(adata.obs["perturbation"]) & set(adata.var_names))[:2]
    names = dict(zip(targets, ["KLF1", "BAK1"], strict=True))
    adata.var_names = [names.get(name, name) for name in adata.var_names]
    labels = adata.obs["perturbation"].astype(str).replace({**names, "control": "non-targeting"})
    adata.obs = pd.DataFrame({"gene": labels})
    del adata.uns["truth"]
    adata.write_h5ad(tmp_path / "screen.h5ad")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_commands_of_the_command_line(screen):
    lines = commands("txpert ")
    assert [line[1] for line in lines] == ["train", "evaluate", "predict", "report"]
    for line in lines:
        done = CliRunner().invoke(main, line[1:])
        assert done.exit_code == 0, done.output
    genes = pd.read_csv(screen / "genes.csv")
    assert set(genes["perturbation"]) == {"KLF1", "KLF1+BAK1"}
    assert (screen / "scores.csv").exists()
    assert "</html>" in (screen / "report.html").read_text()


@pytest.mark.slow
def test_the_commands_of_the_page(screen):
    adata = ad.read_h5ad("screen.h5ad")
    adata.obs = adata.obs.rename(columns={"gene": "perturbation"})
    adata.write_h5ad("screen.h5ad")
    build, *lines = [
        line for line in commands("txpert ", "docs/command_line.md") if line[1] != "reproduce"
    ]
    assert build[1:4] == ["graph", "build", "string"]  # downloads; its own test has a file
    tx.graph.go([*adata.var_names], name="string").save("string.npz")
    for line in lines:
        done = CliRunner().invoke(main, line[1:])
        assert done.exit_code == 0, done.output
    assert (screen / "genes.csv").exists()


@pytest.mark.slow
def test_the_demo_on_a_file(screen):
    (line,) = commands("python -m txpert.demo --h5ad")
    demo.main(line[3:])
    assert (screen / "txpert-demo" / "prediction.h5ad").exists()
