from functools import partial
from types import SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.baselines import GeneralBaseline, MeanBaseline
from txpert.evaluation._metrics import score_names

ALL_METRICS, METRICS = score_names(), score_names(main=True)
SMALL = {
    "encoder": {"name": "gat", "options": {"n_layers": 1, "n_channels": 8, "n_input": 8}},
    "n_hidden": 16,
    "train": {"max_epochs": 1, "enable_progress_bar": False},
}


def mean_recipe(adata, seed):
    return MeanBaseline(tx.pp.pseudobulk(adata))


def test_scores_are_those_of_evaluate(two_lines, make_model, bench):
    model = make_model(two_lines, epochs=1)
    tx.tl.evaluate(two_lines, model)
    expected = two_lines.uns["txpert"]["metrics"]
    expected = expected[expected["model"] == "general"].reset_index(drop=True)
    result = bench(two_lines)
    scores = result.scores[result.scores["model"] == "general"].reset_index(drop=True)
    columns = ["perturbation", "cell_line", "n_cells", *METRICS]
    pd.testing.assert_frame_equal(scores[columns], expected[columns], check_dtype=False)


def test_progress_bars_can_be_left_out(adata, capfd):
    options = {"task": "unseen_perturbation", "ceiling_repeats": 1}
    tx.benchmark(adata, {"mean": "mean"}, enable_progress_bar=False, **options)
    assert capfd.readouterr() == ("", "")
    tx.benchmark(adata, {"mean": "mean"}, **options)
    shown = capfd.readouterr().err
    assert "Benchmark" in shown
    assert "Ceiling" in shown


def test_no_warning_of_the_unseen_line_that_is_asked_for(two_lines, graph, bench, recwarn):
    two_lines.obs["batch"] = two_lines.obs["batch"].astype(str)
    quick = {"components": ["mean", "gaussian_process"], "train": SMALL["train"]}
    recipe = partial(tx.tl.fit_txpert, graphs=graph, **quick)
    result = bench(two_lines, {"TxPert": recipe}, "unseen_cell_line")
    assert set(result.runs["status"]) == {"done"}
    assert not [w for w in recwarn if "was not in training" in str(w.message)]


def test_every_model_is_asked_the_same_under_every_split(adata, bench):
    result = bench(adata, {"mean": "mean"}, "unseen_perturbation", [3, 4])
    assert result.models == ["mean", "general"]
    for seed, part in result.scores.groupby("seed"):
        again = adata.copy()
        tx.pp.split(again, seed=seed)
        expected = sorted(again.obs.loc[again.obs["split"] == "test", "perturbation"].unique())
        for _, rows in part.groupby("model"):
            assert sorted(rows["perturbation"]) == expected
        hashes = result.runs.loc[result.runs["seed"] == seed, "split_sha256"]
        assert set(hashes) == {again.uns["txpert_split"]["sha256"]}
    assert result.runs["status"].eq("done").all()
    assert (result.runs["seconds"] > 0).all()


def test_models_do_not_see_the_test_cells(adata, bench, tested):
    """A model that looks for the answer in what it is given, wherever it may be."""
    adata.uns["answer"] = np.asarray(adata.X.todense())
    adata.varm["answer"] = np.asarray(adata.X.todense()).T
    adata.raw = adata
    seen = []

    class Cheat:
        def __init__(self, cells):
            self.cells = cells

        def predict(self, perturbations, *, controls):
            obs, context = controls.conditions(perturbations)
            found = self.cells.obs["perturbation"].astype(str)
            expression = controls.mean[context].copy()
            for i, label in enumerate(obs["perturbation"]):
                rows = self.cells.X[(found == label).to_numpy()]
                expression[i] = rows.mean(axis=0) if rows.shape[0] else np.nan
            return controls.prediction(obs, context, expression)

    def recipe(cells, seed):
        seen.append(cells)
        return Cheat(cells)

    result = bench(adata, {"cheat": recipe})
    run = result.runs.set_index("model").loc["cheat"]
    assert run["status"] == "failed"
    assert "predicts none of the 3 perturbations" in run["reason"]
    (cells,) = seen
    test = set(tested(adata))
    assert not test & set(cells.obs["perturbation"].cat.categories)
    expected = adata.obs_names[~adata.obs["perturbation"].isin(test)]
    assert list(cells.obs_names) == list(expected)
    np.testing.assert_array_equal(cells.X.toarray(), adata[expected].X.toarray())
    assert set(cells.uns) == {"txpert_split", "txpert_benchmark"}
    assert cells.uns["txpert_benchmark"]["test_perturbations"] == sorted(test)
    assert not cells.varm
    assert cells.raw is None
    assert not cells.is_view


def test_a_model_cannot_spoil_it_for_the_next(adata, bench):
    class Vandal:
        def predict(self, perturbations, *, controls):
            obs, context = controls.conditions(perturbations)
            prediction = controls.prediction(obs, context, controls.mean[context] + 0.1)
            controls.mean[:] = 0
            return prediction

    def recipe(cells, seed):
        cells.X.data[:] = 0
        cells.obs["split"] = "train"
        return Vandal()

    before = adata.copy()
    result = bench(adata, {"vandal": recipe, "mean": "mean"})
    alone = bench(before, {"mean": "mean"})
    for name in ("mean", "general"):
        pd.testing.assert_frame_equal(
            result.scores[result.scores["model"] == name].reset_index(drop=True),
            alone.scores[alone.scores["model"] == name].reset_index(drop=True),
        )
    np.testing.assert_array_equal(adata.X.toarray(), before.X.toarray())
    assert adata.obs.equals(before.obs)


def test_a_model_that_fails_is_noted(adata, bench):
    def broken(cells, seed):
        raise RuntimeError("no license\nfor this")

    result = bench(adata, {"broken": broken, "mean": "mean"})
    runs = result.runs.set_index("model")
    assert runs["status"].to_dict() == {"broken": "failed", "mean": "done", "general": "done"}
    assert runs.loc["broken", "reason"] == "RuntimeError: no license for this"
    rows = result.scores[result.scores["model"] == "broken"]
    assert len(rows) == 3
    assert rows[list(ALL_METRICS)].isna().all(axis=None)
    assert rows["undefined"].str.contains("the run failed: RuntimeError: no license").all()
    summary = result.summary("pearson_delta").set_index("model")
    assert np.isnan(summary.loc["broken", "mean"])
    assert "3 of 3 scores undefined: the run failed" in summary.loc["broken", "note"]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (None, "must return something with predict(perturbations, controls=)"),
        (
            SimpleNamespace(predict=lambda p, controls: p),
            "must return AnnData, conditions × genes",
        ),
        (SimpleNamespace(predict=lambda p, controls: 3), "not int"),
    ],
    ids=["none", "frame", "number"],
)
def test_what_a_recipe_must_return_is_said(adata, bench, made, message):
    result = bench(adata, {"mine": lambda cells, seed: made})
    run = result.runs.set_index("model").loc["mine"]
    assert run["status"] == "failed"
    assert message in run["reason"]


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("unseen_perturbation", {}, "'unseen_perturbation' takes fractions, stratify"),
        ("few_shot_cell_line", {}, "takes fractions, test_cell_line, measured, stratify"),
        ("unseen_perturbation", {"n_folds": 3}, r"\(n_folds\) takes val_fraction, stratify"),
    ],
)
def test_options_that_a_split_does_not_take_are_named(adata, bench, task, options, message):
    for name in ("foo", "fractions" if "n_folds" in options else "val_fraction"):
        with pytest.raises(ValueError, match=f"split_options has '{name}', and .*{message}"):
            bench(adata, task=task, split_options={name: (0.6, 0.2, 0.2)}, **options)


def test_seeds_reach_the_models(adata, bench):
    seeds = []

    def recipe(cells, seed):
        seeds.append((seed, np.random.randint(1_000)))  # noqa: NPY002
        return mean_recipe(cells, seed)

    bench(adata, {"noted": recipe}, seeds=[5, 6])
    bench(adata, {"noted": recipe}, seeds=[5, 6])
    assert [seed for seed, _ in seeds] == [5, 6, 5, 6]
    assert seeds[:2] == seeds[2:]
    assert seeds[0][1] != seeds[1][1]


def test_one_test_perturbation(adata, bench, tested):
    kept = tested(adata)[0]
    split = adata.obs["split"].astype(object)
    split[adata.obs["perturbation"].isin(tested(adata)[1:])] = "train"
    adata.obs["split"] = split
    result = bench(adata)
    row = result.scores[result.scores["model"] == "mean"]
    assert row["perturbation"].to_list() == [kept]
    assert row[list(ALL_METRICS)].notna().all(axis=None)
    summary = result.summary("retrieval").set_index("model").loc["mean"]
    assert summary["mean"] == row["retrieval"].item()
    assert np.isnan(summary[["low", "high", "sd", "p_value"]].astype(float)).all()
    assert "no interval or test of one perturbation" in summary["note"]
    assert "no sd of one seed" in summary["note"]


def test_a_perturbation_alone_in_its_line_has_no_retrieval(two_lines, bench, tested):
    lone = tested(two_lines)[0]
    line, label = two_lines.obs["cell_line"], two_lines.obs["perturbation"]
    kept = (line == "K562") | (label == lone) | two_lines.obs["control"]
    result = bench(two_lines[kept.to_numpy()].copy())
    rows = result.scores[(result.scores["model"] == "mean")].set_index(
        ["perturbation", "cell_line"]
    )
    row = rows.loc[(lone, "RPE1")]
    assert np.isnan(row["retrieval"])
    assert row["undefined"] == "no other perturbation in this cell line to compare with"
    assert np.isfinite(row["pearson_delta"])
    assert rows.loc[(lone, "K562"), "undefined"] == ""


def test_every_cell_line_is_left_out_in_turn(two_lines, bench):
    seen = {}

    def recipe(cells, seed):
        counts = cells.obs.loc[~cells.obs["control"], "cell_line"].value_counts()
        seen[tuple(counts[counts > 0].index)] = cells.obs.loc[
            cells.obs["control"], "cell_line"
        ].nunique()
        return mean_recipe(cells, seed)

    result = bench(two_lines, {"mine": recipe}, "unseen_cell_line")
    assert seen == {("RPE1",): 2, ("K562",): 2}
    scores = result.scores
    assert (scores["fold"] == scores["cell_line"]).all()
    assert scores.groupby(["model", "fold"]).size().eq(12).all()
    assert set(scores["group"]) == {"seen", "unseen"}
    one = bench(two_lines, None, "unseen_cell_line", split_options={"test_cell_line": "RPE1"})
    assert set(one.scores["fold"]) == {"RPE1"}


def test_combinations_are_summarised_by_how_much_is_seen(doubles, bench):
    result = bench(doubles, None, "unseen_combination", [0, 1, 2])
    groups = set(result.scores["group"])
    assert "unseen_single" in groups
    assert groups & {"seen_0", "seen_1", "seen_2"}
    summary = result.summary("pearson_delta", by="group")
    assert set(summary["group"]) == groups
    for _, row in summary.iterrows():
        rows = result.scores[
            (result.scores["model"] == row["model"]) & (result.scores["group"] == row["group"])
        ]
        assert row["mean"] == pytest.approx(rows["pearson_delta"].mean())


def test_over_the_folds_every_perturbation_is_tested_once(adata, bench):
    result = bench(adata, None, "unseen_perturbation", n_folds=3)
    tested = result.scores.loc[result.scores["model"] == "mean", "perturbation"]
    assert sorted(tested) == sorted(set(adata.obs["perturbation"]) - {"control"})
    assert set(result.runs["fold"]) == {"fold 0", "fold 1", "fold 2"}


def test_columns_and_layer_of_other_names(adata, bench):
    expected = bench(adata)
    other = adata.copy()
    other.layers["log"] = other.X.copy()
    other.X = other.X * 0
    other.obs = other.obs.rename(
        columns={"perturbation": "p", "control": "c", "batch": "b", "split": "s"}
    )
    keys = {"perturbation_key": "p", "control_key": "c", "batch_key": "b", "split_key": "s"}
    result = bench(other, layer="log", **keys)
    numbers = [*ALL_METRICS, "n_cells"]
    pd.testing.assert_frame_equal(result.scores[numbers], expected.scores[numbers])


def test_backed_data(adata, bench, tmp_path):
    adata.write_h5ad(tmp_path / "x.h5ad")
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    result, expected = bench(backed, ceiling_repeats=1), bench(adata, ceiling_repeats=1)
    pd.testing.assert_frame_equal(result.scores, expected.scores)
    pd.testing.assert_frame_equal(result.ceiling, expected.ceiling)


def test_a_view(adata, bench):
    view = adata[::-1]
    columns = ["model", "perturbation", *ALL_METRICS]
    result, expected = bench(view).scores[columns], bench(view.copy()).scores[columns]
    pd.testing.assert_frame_equal(result, expected)
    assert view.is_view


def test_the_ceiling_is_that_of_the_perturbations_tested(adata, bench):
    result = bench(adata, None, "unseen_perturbation", [0, 1], ceiling_repeats=3)
    for seed in (0, 1):
        again = adata.copy()
        tx.pp.split(again, seed=seed)
        expected = tx.tl.ceiling(again, n_repeats=3)
        means = (
            result.ceiling[result.ceiling["seed"] == seed].groupby("kind")[list(METRICS)].mean()
        )
        columns = ["pearson_delta", "mse"]
        np.testing.assert_allclose(
            means.loc[expected.index, columns], expected[columns], rtol=1e-5
        )
        assert set(means.index) == {"split_half", "full_size", "noise_free"}


def test_txpert_predicts_targets_that_no_graph_has(adata, bench, graph, tested):
    held = [gene for gene in graph.nodes if gene not in tested(adata)]
    recipe = partial(tx.tl.fit_txpert, graphs=graph.restrict(held), **SMALL)
    with pytest.warns(UserWarning, match="No graph has 3 of the 3 genes"):
        result = bench(adata, {"TxPert": recipe})
    assert result.runs["status"].eq("done").all()
    assert result.scores["pearson_delta"].notna().all()


def test_senseless_arguments_are_refused(adata, bench):
    with pytest.raises(ValueError, match="models is empty"):
        bench(adata, {}, baseline=None)
    with pytest.raises(TypeError, match="maps names to models"):
        bench(adata, ["mean"])
    with pytest.raises(ValueError, match="no baseline 'man'; there are "):
        bench(adata, {"x": "man"})
    with pytest.raises(ValueError, match=r"'kernel' needs graphs: tx.baselines.Kernel"):
        bench(adata, {"x": "kernel"})
    stub = SimpleNamespace(predict=None)
    with pytest.raises(TypeError, match="'x' is a SimpleNamespace that has been fitted before"):
        bench(adata, {"x": stub})
    with pytest.raises(TypeError, match="'x' is a class"):
        bench(adata, {"x": GeneralBaseline})
    with pytest.raises(ValueError, match="no task 'unseen'"):
        bench(adata, None, "unseen")
    with pytest.raises(ValueError, match="n_folds belongs to"):
        bench(adata, n_folds=3)
    with pytest.raises(ValueError, match="split_options belong to a task"):
        bench(adata, split_options={"fractions": (0.5, 0.2, 0.3)})
    with pytest.raises(ValueError, match="seeds must be different"):
        bench(adata, seeds=[1, 1])
    with pytest.raises(ValueError, match="n_jobs must be at least 1 or 'auto'"):
        bench(adata, n_jobs=0)
    del adata.obs["split"]
    with pytest.raises(ValueError, match="There is no split"):
        bench(adata)
    with pytest.raises(KeyError, match="no metric 'r2'"):
        bench(adata, None, "unseen_perturbation").summary("r2")
