import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.data._batches import average_over_batches
from txpert.metrics import pearson_delta
from txpert.metrics._reliability import spearman_brown

METRICS = ["pearson_delta", "retrieval", "retrieval_fast", "mse"]


def screen(X, labels, **obs):
    """A screen of the expression and labels given; "control" means control."""
    frame = pd.DataFrame({"perturbation": labels, **obs}).set_axis(
        [f"c{i}" for i in range(len(labels))], axis=0
    )
    frame["control"] = frame["perturbation"] == "control"
    genes = pd.DataFrame(index=[f"G{i}" for i in range(np.shape(X)[1])])
    return ad.AnnData(np.asarray(X, dtype=np.float32), obs=frame, var=genes)


def stored(adata, name="perturbations"):
    return adata.uns["txpert"]["ceiling"][name]


def noise_screen(seed=0, n_cells=20, n_genes=400, lam=0.5):
    """Counts of ten perturbations without an effect: noise of counting alone."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(["control", *"ABCDEFGHIJ"], [8 * n_cells] + [n_cells] * 10)
    adata = screen(rng.poisson(lam, size=(len(labels), n_genes)), labels)
    tx.pp.normalize(adata)
    return adata


def test_worked_by_hand():
    """Two cells of each kind: however they are halved, the halves are one cell each.

    Δ of A is (a − c, 0.5, 0.25) with a and c of one half, and a is 2 or 4, c is 1 or 2.
    """
    X = [[1, 1, 1.5], [2, 1, 1.5], [2, 1.5, 1.75], [4, 1.5, 1.75]]
    adata = screen(X, ["control", "control", "A", "A"])
    summary = tx.tl.ceiling(adata, split=None, n_repeats=30)
    repeats = stored(adata, "repeats")
    together = np.array([[1.0, 0.5, 0.25], [2.0, 0.5, 0.25]])  # 2 − 1 and 4 − 2
    crossed = np.array([[0.0, 0.5, 0.25], [3.0, 0.5, 0.25]])  # 2 − 2 and 4 − 1
    possible = {
        round(np.mean((first - second) ** 2), 4): np.corrcoef(first, second)[0, 1]
        for first, second in (together, crossed)
    }
    assert set(repeats["mse"].round(4)) == set(possible)
    expected = repeats["mse"].round(4).map(possible)
    np.testing.assert_allclose(repeats["pearson_delta"], expected, atol=1e-5)
    assert repeats["retrieval"].isna().all()
    mean = repeats["pearson_delta"].mean()
    assert summary.loc["split_half", "pearson_delta"] == pytest.approx(mean)
    assert summary.loc["full_size", "pearson_delta"] == pytest.approx(2 * mean / (1 + mean))
    assert summary.loc["noise_free", "pearson_delta"] == pytest.approx(
        np.sqrt(2 * mean / (1 + mean))
    )
    assert summary.loc["full_size", "mse"] == pytest.approx(repeats["mse"].mean() / 2)
    assert summary.loc["noise_free", "mse"] == pytest.approx(repeats["mse"].mean() / 4)
    sd = repeats["pearson_delta"].std()
    assert summary.loc["split_half", "pearson_delta_sd"] == pytest.approx(sd)


def test_data_without_noise_reproduce_perfectly():
    """Batches shift everything; controls matched by batch take the shift away."""
    rng = np.random.default_rng(0)
    profiles = rng.uniform(0, 2, size=(6, 30))
    code, batch = np.tile(np.arange(6), 12), np.repeat(np.arange(3), 24)
    X = profiles[code] + rng.uniform(0, 2, size=(3, 30))[batch]
    adata = screen(X, np.array(["control", *"ABCDE"])[code], batch=batch.astype(str))
    summary = tx.tl.ceiling(adata, split=None, n_repeats=3)
    assert summary["pearson_delta"].to_numpy() == pytest.approx(1, abs=1e-5)
    assert summary["mse"].to_numpy() == pytest.approx(0, abs=1e-10)
    assert summary.loc["split_half", ["retrieval", "retrieval_fast"]].tolist() == [1, 1]


def test_batches_of_unequal_halves_do_not_leak_their_shift():
    """Odd numbers of cells per batch: without matching by batch, halves would differ by it."""
    rng = np.random.default_rng(0)
    profiles = rng.uniform(0, 1, size=(3, 40))
    code = np.tile(np.repeat([0, 1, 2], [4, 1, 3]), 5)
    batch = np.repeat(np.arange(5), 8)
    X = profiles[code] + 5 * rng.uniform(0, 1, size=(5, 40))[batch]
    adata = screen(X, np.array(["control", "A", "B"])[code], batch=batch.astype(str))
    summary = tx.tl.ceiling(adata, split=None, n_repeats=5)
    assert summary.loc["split_half", "pearson_delta"] == pytest.approx(1, abs=1e-5)
    unmatched = tx.tl.ceiling(adata, split=None, n_repeats=5, batch_key=None)
    assert unmatched.loc["split_half", "pearson_delta"] < 0.9


def test_pure_noise_does_not_reproduce():
    adata = noise_screen()
    summary = tx.tl.ceiling(adata, ["split_half", "sampled"], split=None)
    assert list(summary.index) == ["split_half", "full_size", "noise_free", "sampled"]
    assert summary.loc["split_half", "pearson_delta"] == pytest.approx(0, abs=0.05)
    assert summary.loc["split_half", "retrieval"] == pytest.approx(0.5, abs=0.12)
    assert summary.loc["full_size", "pearson_delta"] == pytest.approx(0, abs=0.08)
    assert summary.loc["sampled", "pearson_delta"] == pytest.approx(0.5, abs=0.06)
    negative = stored(adata).query("kind == 'full_size'")["pearson_delta"] < 0
    assert summary.loc["noise_free", "n_undefined"] == negative.sum() > 0


def test_few_cells_are_counted_and_not_dropped(adata):
    """A has one cell, B one in each of two batches: never, and not always, two halves."""
    labels = adata.obs["perturbation"].astype(str)
    a, b = labels[labels != "control"].unique()[:2]
    cells = pd.Series(adata.obs_names, index=adata.obs_names)
    batches = [adata.obs["batch"] == name for name in ("batch_1", "batch_2")]
    kept = [cells[labels == a].iloc[0], *(cells[(labels == b) & x].iloc[0] for x in batches)]
    few = adata[~labels.isin([a, b]) | cells.isin(kept)].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary = tx.tl.ceiling(few, split=None, n_repeats=8)
    assert summary.loc["split_half", ["n_perturbations", "n_undefined"]].tolist() == [12, 1]
    scores = stored(few).query("kind == 'split_half'").set_index("perturbation")
    assert scores.loc[a, ["pearson_delta", "mse"]].isna().all()
    assert scores.loc[b, ["pearson_delta", "mse"]].notna().all()
    once = stored(few, "repeats").query("perturbation == @b")["pearson_delta"]
    assert 0 < once.isna().sum() < 8
    assert scores.loc[b, "pearson_delta"] == pytest.approx(once.mean())


def test_contexts_whose_controls_cannot_be_halved_are_left_out(adata):
    controls = np.flatnonzero(adata.obs["control"] & (adata.obs["batch"] == "batch_2"))
    few = adata[np.setdiff1d(np.arange(adata.n_obs), controls[1:])].copy()
    without = few[few.obs["batch"] == "batch_1"].copy()
    with pytest.warns(UserWarning, match=r"1 of the 2 contexts .* batch 'batch_2'"):
        tx.tl.ceiling(few, n_repeats=2, split=None)
    tx.tl.ceiling(without, n_repeats=2, split=None)
    pd.testing.assert_frame_equal(stored(few)[METRICS], stored(without)[METRICS])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        tx.tl.ceiling(few, "sampled", n_repeats=1, split=None)


def test_a_screen_of_single_cells_has_no_ceiling_and_says_so():
    X = np.random.default_rng(0).uniform(0, 2, size=(5, 9))
    with pytest.warns(UserWarning, match="1 of the 1 contexts have one control cell only"):
        lonely = tx.tl.ceiling(screen(X, ["control", *"AABB"]), split=None, n_repeats=2)
    single = tx.tl.ceiling(screen(X, ["control", "control", *"ABC"]), split=None, n_repeats=2)
    for summary, n in ((lonely, 2), (single, 3)):
        assert summary[METRICS].isna().all(axis=None)
        assert (summary["n_undefined"] == n).all()


def test_only_the_split_is_scored_against_all_others(adata):
    summary = tx.tl.ceiling(adata, n_repeats=2)
    test = set(adata.obs.loc[adata.obs["split"] == "test", "perturbation"])
    assert set(stored(adata)["perturbation"]) == test
    assert (summary["n_perturbations"] == len(test)).all()
    shares = stored(adata, "repeats")["retrieval"] * 11  # 12 perturbations
    np.testing.assert_allclose(shares, shares.round(), atol=1e-9)
    everything = tx.tl.ceiling(adata, n_repeats=2, split=None)
    assert (everything["n_perturbations"] == 12).all()


def test_repeats_have_seeds_of_their_own(adata):
    def scores(**arguments):
        tx.tl.ceiling(adata, ["split_half", "sampled"], **arguments)
        frame = stored(adata, "repeats")
        return frame[frame["repeat"] < 2].set_index(["kind", "repeat", "perturbation"])[METRICS]

    first = scores(n_repeats=2)
    pd.testing.assert_frame_equal(first, scores(n_repeats=2))
    pd.testing.assert_frame_equal(first, scores(n_repeats=3).loc[first.index])
    other = scores(n_repeats=2, seed=1)
    assert not np.isclose(first["mse"], other["mse"]).any()
    assert not np.isclose(first["mse"].xs(0, level=1), first["mse"].xs(1, level=1)).any()


def test_backed_data_give_the_same(adata, tmp_path):
    kinds = ["split_half", "sampled"]
    expected = tx.tl.ceiling(adata, kinds, n_repeats=2)
    adata.write_h5ad(tmp_path / "x.h5ad")
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    assert backed.isbacked
    pd.testing.assert_frame_equal(tx.tl.ceiling(backed, kinds, n_repeats=2), expected)


def test_results_survive_h5ad_beside_the_evaluation(adata, make_model, tmp_path):
    tx.tl.evaluate(adata, make_model(adata))
    tx.tl.ceiling(adata, ["split_half", "sampled"], n_repeats=2)
    tx.tl.ceiling(adata, n_repeats=2, split=None, key_added="all")
    adata.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    for name in ("summary", "perturbations", "repeats"):
        pd.testing.assert_frame_equal(stored(back, name), stored(adata, name), check_dtype=False)
    assert list(back.uns["txpert"]["ceiling"]["params"]["kind"]) == ["split_half", "sampled"]
    assert list(back.uns["all"]["ceiling"]["params"]["split"]) == ["all"]
    tx.pl.scores(back)


def test_sampled_ceiling_rises_with_depth():
    def sampled(depth):
        parameters = tx.datasets.SimulationParameters(depth=depth)
        adata = tx.datasets.simulate(20, 100, 20, n_batches=2, parameters=parameters)
        tx.pp.normalize(adata)
        return tx.tl.ceiling(adata, "sampled", split=None, n_repeats=2)["pearson_delta"].item()

    shallow, middle, deep = (sampled(depth) for depth in (150, 1_000, 20_000))
    assert shallow < middle - 0.02 < deep - 0.03
    assert deep > 0.98


def test_estimates_agree_with_an_experiment_done_twice():
    """One screen dealt out to eleven replicates: one is halved, one repeats it, ten are truth."""
    adata = tx.datasets.simulate(
        30,
        200,
        110,
        n_controls=2_200,
        n_batches=2,
        parameters=tx.datasets.SimulationParameters(effect_scale=0.15, stress_scale=0.1),
    )
    tx.pp.normalize(adata)
    replicate = np.random.default_rng(0).permutation(adata.n_obs) % 11

    def delta(cells):
        table = tx.data.ConditionTable.from_anndata(tx.pp.pseudobulk(adata[cells].copy()))
        rows = table.subset(~table.obs["control"].to_numpy())
        return average_over_batches(rows.delta, rows.obs)[0]

    once, again, many = (delta(x) for x in (replicate == 0, replicate == 1, replicate > 0))
    summary = tx.tl.ceiling(adata[replicate == 0].copy(), split=None)["pearson_delta"]
    actual = pearson_delta(once, again).mean()
    assert 0.2 < summary["split_half"] < actual - 0.05
    assert summary["full_size"] == pytest.approx(actual, abs=0.03)
    # the mean of ten replicates is not the truth yet: allow for the noise that it has
    with_truth = pearson_delta(once, many).mean()
    with_truth /= np.sqrt(spearman_brown(actual, 10))
    assert summary["noise_free"] == pytest.approx(with_truth, abs=0.03)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kind": "thirds"}, ValueError, "no ceiling 'thirds'; there are 'split_half' and"),
        ({"kind": []}, ValueError, "no ceiling"),
        ({"n_repeats": 0}, ValueError, "n_repeats must be a whole number of at least 1, not 0"),
        ({"split": "tset"}, ValueError, "No perturbation is in the split 'tset'"),
        ({"split_key": None}, ValueError, "score all perturbations by split=None"),
        ({"batch_key": "lane"}, KeyError, "no column 'lane'"),
        ({"kind": "sampled", "counts_layer": "raw"}, KeyError, "no layer 'raw'; layers: counts"),
        ({"layer": "counts"}, ValueError, "looks like raw counts"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(adata, arguments, error, message):
    with pytest.raises(error, match=message):
        tx.tl.ceiling(adata, **arguments)
    assert "txpert" not in adata.uns


def test_counts_that_are_none_are_refused(adata):
    adata.layers["counts"] = adata.X
    with pytest.raises(ValueError, match=r"layers\['counts'\] does not hold raw counts"):
        tx.tl.ceiling(adata, "sampled")
    with pytest.raises(ValueError, match="adata is a view"):
        tx.tl.ceiling(adata[:300])
