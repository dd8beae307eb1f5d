import anndata as ad
import numpy as np
import pytest

import txpert as tx
from txpert.demo import main

FILES = {
    "scores.png",
    "retrieval.png",
    "delta.png",
    "history.png",
    "metrics.csv",
    "summary.csv",
    "prediction.h5ad",
    "model",
}


@pytest.fixture
def h5ad(adata, tmp_path, graph):
    """Raw counts under other names, and an edge table."""
    file = ad.AnnData(adata.layers["counts"], obs=adata.obs[["perturbation", "batch"]].copy())
    file.var_names = adata.var_names
    labels = file.obs["perturbation"].astype(str).replace({"control": "non-targeting"})
    file.obs = file.obs.assign(gene=labels).drop(columns="perturbation")
    file.write_h5ad(tmp_path / "screen.h5ad")
    graph.edges.to_csv(tmp_path / "edges.tsv", sep="\t", index=False)
    return tmp_path


def test_a_file_of_the_user(h5ad, capsys):
    out = h5ad / "out"
    main(
        [
            "--h5ad",
            str(h5ad / "screen.h5ad"),
            "--perturbation-key",
            "gene",
            "--control-label",
            "non-targeting",
            "--graph",
            str(h5ad / "edges.tsv"),
            "--out",
            str(out),
            "--max-epochs",
            "2",
        ]
    )
    printed = capsys.readouterr().out
    assert "TxPert" in printed
    assert "general" in printed
    assert str(out) in printed
    assert {p.name for p in out.iterdir()} == FILES
    prediction = ad.read_h5ad(out / "prediction.h5ad")
    assert np.isfinite(prediction.X).all()
    assert tx.TxPertModel.load(out / "model").is_trained


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--perturbation-key", "target"], "no obs column 'target'; it has batch, gene"),
        (["--perturbation-key", "gene", "--batch-key", "lane"], "no obs column 'lane'"),
        (["--perturbation-key", "gene", "--control-label", "NT"], "No cell has"),
    ],
)
def test_wrong_columns_are_named(h5ad, arguments, message):
    with pytest.raises(SystemExit, match=message):
        main(["--h5ad", str(h5ad / "screen.h5ad"), "--out", str(h5ad / "out"), *arguments])
    assert not (h5ad / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--h5ad", "cut.h5ad"], r"cut\.h5ad is not an h5ad file, or is cut off or damaged"),
        (["--h5ad", "text.h5ad"], r"text\.h5ad is not an h5ad file"),
        (["--h5ad", "none.h5ad"], r"There is no file none\.h5ad"),
        (["--h5ad", "."], r"There is no file \."),
        (["--out", "text.h5ad"], r"Results cannot be written to text\.h5ad .*--out"),
        (["--max-epochs", "0"], "--max-epochs must be at least 1, not 0"),
        (["--max-epochs", "-5"], "--max-epochs must be at least 1, not -5"),
        (["--seed", "-1"], "--seed must be from 0"),
        (["--graph", "none.tsv"], r"none\.tsv"),
        (["--graph", "cut.h5ad"], r"cut\.h5ad"),
        (["--split"], r"No perturbation of screen\.h5ad is in the split 'test'"),
    ],
)
def test_what_cannot_be_used_ends_it_in_one_line_before_training(
    h5ad, monkeypatch, arguments, message
):
    def train(*_, **__):
        raise AssertionError("training began")

    monkeypatch.setattr(tx.TxPertModel, "train", train)
    monkeypatch.chdir(h5ad)
    whole = (h5ad / "screen.h5ad").read_bytes()
    (h5ad / "cut.h5ad").write_bytes(whole[: len(whole) // 2])
    (h5ad / "text.h5ad").write_text("hello")
    if arguments == ["--split"]:
        file = ad.read_h5ad("screen.h5ad")
        file.obs["split"] = "train"
        file.write_h5ad("screen.h5ad")
        arguments = []
    usual = ["--h5ad", "screen.h5ad", "--perturbation-key", "gene"]
    usual += ["--control-label", "non-targeting", "--graph", "edges.tsv", "--out", "out"]
    with pytest.raises(SystemExit, match=message) as end:
        main([*usual, *arguments])
    assert not (h5ad / "out").exists()
    assert "\n" not in str(end.value)


@pytest.mark.slow
def test_the_default_beats_the_general_baseline(tmp_path, capsys):
    import pandas as pd

    main(["--out", str(tmp_path)])
    summary = pd.read_csv(tmp_path / "summary.csv", index_col=0)
    gain = summary.loc["TxPert"] - summary.loc["general"]
    assert gain["pearson_delta"] > 0.2
    assert gain["retrieval"] > 0.2
    assert gain["mse"] < 0
    assert {p.name for p in tmp_path.iterdir()} == FILES
