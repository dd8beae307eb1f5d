"""Numbers in the prose of pages, docstrings and tutorials are those that were measured."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.model._module import TxPertModule
from txpert.nn import Nodes

PAIRS = ("order 2, dot", "order 2, cosine", "order 2, pearson")
ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def read(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


def rows_of(name):
    return pd.DataFrame(read(name)["rows"])


def page(path):
    return " ".join((ROOT / path).read_text().split())


def test_what_a_gpu_changes():
    rows = rows_of("gpu")
    fits = rows[rows["fit"].notna()].set_index(["perturbations", "gpu"])
    text = page("docs/scaling.md")
    assert fits["difference"].max() < 1e-4
    assert "with and without to 1e-4 of the spread of effects" in text
    assert "nothing by that with 439 perturbations and a sixth of its time with 2,000" in text
    seconds = fits["fit"].unstack("gpu")
    gained = 1 - seconds[True] / seconds[False]
    assert gained[439] < 0.05
    assert 1 / 7 < gained[2_000] < 1 / 5


def test_what_a_gpu_brings_to_attention():
    rows = rows_of("encoders_9854_nodes_gpu")
    attention = rows[rows["encoder"].str.startswith(("gat", "exphormer"))]
    seconds = attention.groupby("gpu")["seconds"].agg(["min", "max"])
    with_gpu = "{:.0f} to {:.0f} ms".format(*1_000 * seconds.loc[True])
    without = "{:.1f} to {:.1f} s".format(*seconds.loc[False])
    for path in ("docs/installation.md", "benchmarks/COSTS.md"):
        assert with_gpu in page(path)
        assert without in page(path)
    of_default = rows[rows["encoder"] == "bmp"].set_index("gpu")["seconds"]
    assert 1.8 < of_default[False] / of_default[True] < 2.5


def test_what_a_line_of_which_nothing_was_measured_could_reach():
    rows = rows_of("unseen_line")
    rows = rows[rows["asked"] == "RPE1"].set_index("prediction")
    text = page("docs/results.md")
    of = "mean effect{}".format
    for name, said in (
        (of(" + 1 deviations"), "retrieval is {retrieval:.3f} and the squared error {mse:.4f}"),
        (of(" + 0.35 deviations"), "with 35% of them {retrieval:.3f} and {mse:.4f}"),
        (of(""), "the mean effect of K562: {mse:.4f}"),
        ("factors by block fitted to the truth", "lower the error to {mse:.4f} only"),
    ):
        assert said.format(**rows.loc[name]) in text


def test_scores_of_graphs():
    rows = rows_of("graph_accuracy")
    text = page("docs/graphs.md")
    grouped = rows.groupby(["graph", "screen"])
    for name, part in rows.groupby("graph"):
        cells = [
            f"{grouped.get_group((name, screen))[score].mean():.3f} ± "
            f"{grouped.get_group((name, screen))[score].std():.3f}"
            for screen in ("simulated", "papalexi")
            for score in ("pearson_delta", "retrieval")
        ]
        assert f"| {name} | {' | '.join(cells)} |" in text, part
    general = rows[rows["graph"] == "go"].groupby("screen")["general"].agg(["mean", "std"])
    first, second = (
        f"{general.loc[screen, 'mean']:.3f} ± {general.loc[screen, 'std']:.3f}"
        for screen in ("simulated", "papalexi")
    )
    assert f"| general baseline | {first} | | {second} | |" in text


def test_steps_and_sizes_of_encoders():
    text = page("docs/encoders.md")
    small, large = (rows_of(f"encoders_{n}_nodes") for n in (2000, 9854))
    for name in small["encoder"].unique():
        cells = []
        for rows in (small, large):
            own = rows[rows["encoder"] == name].set_index("graphs")["seconds"]
            alone = [f"{own[n]:.2f} s" for n in (0, 1) if n in own]
            both = [f"({own[2]:.2f} s)"] if 2 in own else []
            cells.append(" ".join([*alone, *both]))
        n_parameters = small.loc[small["encoder"] == name, "encoder_parameters"].iloc[0] / 1e6
        row = rf'\| `"{name}"` \|[^|]+\|[^|]+\|[^|]+\| {n_parameters:.2f} M \| '
        assert re.search(row + re.escape(" | ".join(cells)), text), (name, n_parameters, cells)


def test_size_of_the_rest_of_the_network():
    said = re.search(r"decoder of that model add ([\d.]+) million", page("docs/encoders.md"))
    module = TxPertModule(5_000, [], Nodes(2), encoder="free", decoding="direct")
    encoder = sum(p.numel() for p in module.encoder.parameters())
    rest = sum(p.numel() for p in module.parameters()) - encoder
    assert float(said[1]) == pytest.approx(rest / 1e6, abs=0.05)


def test_time_of_ranking_all_pairs():
    found = read("decisions")["screen"]
    ways = [found[name] for name in ("order 1, cosine", *PAIRS)]
    seconds = [f"{way['seconds']:.0f} s" for way in ways]
    text = page("docs/decisions.md")
    assert f"took {seconds[0]}, all {ways[1]['ranked']:,} pairs {seconds[1]} by dot" in text
    assert f"{seconds[2]} by cosine and {seconds[3]} by correlation" in text
    assert f"with {max(way['peak GB'] for way in ways):.1f} GB at most" in text
    docstring = " ".join(tx.tl.screen.__doc__.split())
    assert f"took {seconds[1]} by dot product, {seconds[2]} by cosine" in docstring


def test_matches_in_the_other_line():
    found = read("decisions")["retrieval"]["RPE1, among measured of K562"]
    said = f"{found['among ten']:.0%} find themselves among the first ten of the other line"
    assert f"{said}, {found['first']:.0%} as the first" in page("docs/decisions.md")


def test_statistics_of_simulated_screens():
    rows = rows_of("simulation_statistics").set_index("screen")
    full, medium = rows.loc["full"], rows.loc["medium"]
    text = " ".join(tx.datasets.simulate_k562_like.__doc__.split())
    assert "about 160,000 cells per cell line; half a minute and below 3 GB" in text
    assert full["cells"] == pytest.approx(160_000, rel=0.01)
    assert 25 < full["seconds"] < 40
    assert 2.5 < full["peak_gb"] < 3
    assert "about 40,000 cells per cell line; seconds" in text
    assert medium["cells"].to_numpy() == pytest.approx(40_000, rel=0.05)
    assert medium["seconds"].max() < 10
    assert "some 70% of the entries are zero" in text
    assert full["zeros"] == pytest.approx(0.7, abs=0.02)
    assert full["counts_per_cell"] == pytest.approx(5_000, rel=0.02), "one per gene and cell"
    assert "a mean of 0.6 (medium) or 0.7 (full)" in text
    assert medium["split_half"].round(1).tolist() == [0.6, 0.6]
    assert round(full["split_half"], 1) == 0.7
    assert "here 0.4 to 0.45" in text
    means = [*medium["mean_baseline"], full["mean_baseline"]]
    assert all(0.395 <= mean <= 0.455 for mean in means)


def test_what_wrong_edges_and_few_perturbations_cost():
    verdicts = pd.DataFrame(read("grid")["verdicts"])
    assert set(verdicts["below in"]) == {"-"}
    medium = verdicts[verdicts["signal"] == "medium"].drop_duplicates(["n", "wrong"])
    table = medium.set_index(["n", "wrong"])
    score = table["pearson_delta"]
    text = page("docs/results.md")
    assert "30% of wrong edges cost 0.01 of Pearson Δ, 60% cost 0.07" in text
    for wrong, cost in ((0.3, 0.01), (0.6, 0.07)):
        assert {round(score[n, 0.0] - score[n, wrong], 2) for n in (20, 100)} == {cost}
    assert "loses over a quarter of Pearson Δ and almost a third of retrieval" in text
    lost = 1 - table.loc[(100, 1.0)][["pearson_delta", "retrieval"]].astype(float) / table.loc[
        (100, 0.0)
    ][["pearson_delta", "retrieval"]].astype(float)
    assert 0.25 < lost["pearson_delta"] < 0.3
    assert 0.28 < lost["retrieval"] < 1 / 3
    assert "with 20, squared error falls by 7% to 26%" in text
    error = table.loc[20, "relative_mse"]
    assert f"{1 - error.max():.0%} to {1 - error.min():.0%}" == "7% to 26%"
    assert "in Pearson Δ the lead over the baselines is there from 10 perturbations on" in text
    lead = score - table["best pearson_delta"]
    at_medium = (lead / table["sd pearson_delta"]).xs(0.3, level="wrong")
    assert at_medium.index.min() == 10
    assert (at_medium > 1).all()


def test_what_components_and_calibration_add_on_real_screens():
    text = page("docs/results.md")
    found = {}
    for name, models in read("screens").items():
        task, line, *label, _ = name.split("/")
        for model, scores in models.items():
            if isinstance(scores, dict):
                values = [scores["pearson_delta"], scores["retrieval"], scores["mse"]]
                found.setdefault((task, line, "/".join(label), model), []).append(values)
    table = pd.DataFrame({key: np.mean(values, axis=0) for key, values in found.items()})
    with_network, without = table["components"], table["closed_form"]
    alone = without.drop(columns="RPE1 in part", level=0)
    both = alone.columns.intersection(with_network.columns)
    network = (with_network[both] - alone[both]).xs("ensemble", level=2, axis=1).abs()
    assert "within 0.002 of Pearson Δ and 0.003 of retrieval" in text
    assert (network.max(axis=1)[:2] < [0.002, 0.0035]).all()
    plain = with_network.xs("ensemble, not calibrated", level=2, axis=1)
    followed = plain - with_network.xs("gaussian_process", level=2, axis=1)
    low, high = followed.loc[0].min(), followed.loc[1].max()
    assert f"adds up to {high:.3f} of retrieval and costs up to {-low:.3f} of Pearson Δ" in text
    calibrated = pd.concat([with_network, without], axis=1)
    gain = calibrated.xs("ensemble", level=2, axis=1)
    gain = gain - calibrated.xs("ensemble, not calibrated", level=2, axis=1)
    in_part = gain["RPE1 in part"].filter(regex=r"^0\.[^0]").loc[0]
    unseen = gain.drop(columns="RPE1 in part", level=0).loc[0]
    assert f"adds {unseen.min():.3f} to {unseen.max():.3f} of Pearson Δ for unseen genes" in text
    assert f"and {in_part.min():.3f} to {in_part.max():.3f} where RPE1 was measured" in text
    assert (gain.loc[2] < 0).all()


def test_what_more_graphs_add():
    table = (RESULTS / "screens.md").read_text()
    text = page("docs/results.md")

    def scores(name):
        row = re.search(rf"^\| {name} \| (.+) \|$", table, re.MULTILINE)
        return np.array([[float(x) for x in cell.split(" / ")] for cell in row[1].split(" | ")])

    weighted = (scores("GO")[:2] - scores("GO, unweighted terms"))[:, 0]
    assert f"adds {weighted[0]:.3f} (K562) and {weighted[1]:.3f} (RPE1) of Pearson Δ" in text
    two = scores("STRING, top 20, and GO")[:2]
    names = ("STRING, its experiments, its coexpression, and GO", "in parts: [^|]+", "ten: [^|]+")
    channels, parts, ten = (scores(name) - two for name in names)
    for said in (
        f"add {channels[0, 0]:.3f} (K562) and {channels[1, 0]:.3f} (RPE1) to STRING and GO",
        f"it is {parts[0, 0]:.3f} and {parts[1, 0]:.3f}, but",
        f"retrieval falls by {-parts[1, 1]:.3f} in RPE1",
        f"Ten graphs add {ten[0, 0]:.3f} and {ten[1, 0]:.3f}",
    ):
        assert said in text
    assert (ten[:, 2] < 0).all()
    for trained in ("on the line alone", "on both lines"):
        assert (scores(f"{trained}, ten graphs")[:, 2] < scores(trained)[:, 2]).all()
    for measured in ("none", "10%", "50%", "75%"):
        row = re.search(rf"^\| {measured} \| (.+?) \| (.+?) \|", table, re.MULTILINE)
        ten_graphs, one = (float(cell.split(" / ")[2]) for cell in row.groups())
        assert (ten_graphs > one) == (measured == "none")


def test_squared_error_on_papalexi():
    table = (RESULTS / "real_data.md").read_text()
    row = re.search(r"^\| TxPert \| .*$", table, re.MULTILINE)
    relative = float(row[0].split(" | ")[4].split(" ± ")[0])
    assert f"TxPert has {1 - relative:.0%} less squared error than" in page("docs/results.md")


def test_what_is_learned_of_single_genes():
    row = {row["model"]: row for row in read("real_data_singles")["summary"]}
    more = row["TxPert"]["pearson_delta"] - row["general"]["pearson_delta"]
    said = f"TxPert is {more:.3f} of Pearson Δ above their mean effect, which the networks"
    assert said in page("docs/results.md")
    for network in ("MLP on gene embeddings", "the paper's Hybrid-BMP"):
        assert row[network]["pearson_delta"] < row["general"]["pearson_delta"]
    assert abs(row["TxPert"]["relative_mse"] - 1) < 0.01


def test_proposals_on_real_screens():
    curves = read("next_experiment")["curves"]
    table = pd.DataFrame(
        {"line": name.split("/")[0], "strategy": name.split("/")[1], **step}
        for name, steps in curves.items()
        for step in steps
    )
    means = table.groupby(["line", "strategy", "n"])["pearson_delta"].mean()
    pairs = [
        [
            f"{means[line, strategy].sort_index().iloc[1]:.3f}"
            for strategy in ("variance", "random")
        ]
        for line in ("K562", "RPE1")
    ]
    text = " ".join(prose("next_experiment").split())
    (own, other), (second, last) = pairs
    assert f"it was {own} against {other} (K562) and {second} against {last} (RPE1)" in text
    assert "mean of five starts" in text
    assert {len(step) for _, step in table.groupby(["line", "strategy", "n"])} == {5}


TUTORIALS = sorted(path.stem for path in (ROOT / "tutorials").glob("*.ipynb"))
MADE = {"next_experiment": {"0.445", "0.425", "0.512"}}
"""Numbers of benchmarks, which the test above looks at."""


def cells(name):
    return json.loads((ROOT / "tutorials" / f"{name}.ipynb").read_text())["cells"]


def prose(name):
    text = "\n".join("".join(c["source"]) for c in cells(name) if c["cell_type"] == "markdown")
    return re.sub(r"```.*?```|`[^`\n]*`", " ", text, flags=re.DOTALL)


@pytest.mark.parametrize("name", TUTORIALS)
def test_decimals_of_tutorials_stand_in_their_outputs(name):
    shown = [
        "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
        for cell in cells(name)
        if cell["cell_type"] == "code"
        for output in cell["outputs"]
    ]
    found = [float(text) for text in re.findall(r"\d+\.\d+", " ".join(shown))]
    source = " ".join("".join(c["source"]) for c in cells(name) if c["cell_type"] == "code")
    found += [float(text) for text in re.findall(r"\d+\.\d+", source)]
    for text in set(re.findall(r"(?<![\w./])\d+\.\d+(?![\w.]*/|\d)", prose(name))):
        digits = len(text.partition(".")[2])
        near = [x for x in found if abs(x - float(text)) <= 0.51 * 10**-digits]
        assert near or text in MADE.get(name, ()), f"{text} is in no output"
