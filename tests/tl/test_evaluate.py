"""What evaluate refuses, undefines and warns about."""

import warnings

import anndata as ad
import numpy as np
import pytest

import txpert as tx
from txpert.baselines import GeneralBaseline, MeanBaseline, StoredPrediction


class Shift:
    """The same change of all genes, as computed in single precision."""

    def __init__(self, change, noise=0.0):
        self.change, self.noise = np.float32(change), noise

    def predict(self, perturbations, *, controls):
        obs, context = controls.conditions(perturbations)
        start = controls.mean[context]
        noise = np.random.default_rng(0).normal(scale=self.noise, size=start.shape)
        return controls.prediction(obs, context, (start + self.change + noise).astype("float32"))


@pytest.fixture
def model(adata, make_model):
    return make_model(adata)


@pytest.mark.parametrize("change", [0.3, -0.2, 0.05])
@pytest.mark.parametrize("noise", [0, 1e-7])
def test_a_constant_prediction_is_undefined(adata, model, bench, change, noise):
    row = tx.tl.evaluate(adata, model, baselines={"shift": Shift(change, noise)}).loc["shift"]
    assert row["n_undefined"] == row["n_perturbations"]
    assert np.isnan(row["retrieval"])
    metrics = adata.uns["txpert"]["metrics"]
    reasons = metrics.loc[metrics["model"] == "shift", "undefined"]
    assert (reasons == "the prediction is the same change for all genes").all()
    result = bench(adata, {"shift": lambda *_: Shift(change, noise)})
    shift = result.scores[result.scores["model"] == "shift"]
    assert shift["pearson_delta"].isna().all()
    assert list(shift["undefined"]) == list(reasons)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("ridge/go", ValueError, "cannot be kept in an h5ad file"),
        (1, TypeError, "is a string, not 1"),
        (np.int64(1), TypeError, "is a string"),
        ("", ValueError, "not empty"),
        ("observed", ValueError, "stands for the observed Δ"),
        ("TxPert", ValueError, "Two of the models compared are called 'TxPert'"),
    ],
)
def test_names_that_would_be_lost_are_refused(adata, model, name, error, message):
    before = dict(adata.uns)
    with pytest.raises(error, match=message):
        tx.tl.evaluate(adata, model, baselines={name: MeanBaseline(model.conditions)})
    assert adata.uns.keys() == before.keys()


def test_several_models_by_name(adata, model, make_model, tmp_path):
    other = make_model(adata, epochs=1, setup=False)
    summary = tx.tl.evaluate(adata, {"a": model, "b": other}, baselines={})
    assert list(summary.index) == ["a", "b"]
    alone = tx.tl.evaluate(adata, model, baselines={"b": other})
    np.testing.assert_allclose(alone.to_numpy(), summary.to_numpy())
    adata.write_h5ad(tmp_path / "scored.h5ad")
    stored = ad.read_h5ad(tmp_path / "scored.h5ad").uns["txpert"]
    assert set(stored["delta"]) == {"observed", "TxPert", "b"}
    with pytest.raises(TypeError, match="takes a TxPertModel"):
        tx.tl.evaluate(adata, {"mean": MeanBaseline(model.conditions)})


def test_the_split_is_that_of_the_data_now(adata, model):
    old = set(adata.obs.loc[adata.obs["split"] == "test", "perturbation"])
    for seed in range(1, 9):
        tx.pp.split(adata, seed=seed)
        new = set(adata.obs.loc[adata.obs["split"] == "test", "perturbation"])
        if new != old:
            break
    with pytest.warns(UserWarning, match="The model was trained on"):
        tx.tl.evaluate(adata, model)
    assert set(adata.uns["txpert"]["metrics"]["perturbation"]) == new


def test_other_scales_are_refused(adata, model):
    counts, scaled = adata.copy(), adata.copy()
    counts.X = counts.layers["counts"].copy()
    scaled.X = scaled.X.toarray() - scaled.X.toarray().mean(axis=0)
    for data in (counts, scaled):
        for function in (tx.tl.evaluate, tx.tl.predict):
            with pytest.raises(ValueError, match=r"compared with|All cells must be log1p"):
                function(data, model)


def test_baselines_and_stored_predictions_that_saw_the_test_set(adata, model, tmp_path):
    test = adata.obs.loc[adata.obs["split"] == "test", "perturbation"].unique()
    everything = adata.copy()
    everything.obs["split"] = "train"
    leaky = GeneralBaseline().fit(everything)
    leaky.predict(list(test)).write_h5ad(tmp_path / "leaky.h5ad")
    stored = StoredPrediction(ad.read_h5ad(tmp_path / "leaky.h5ad"))
    for predictor in (leaky, stored):
        with pytest.warns(UserWarning, match="'it' was trained on"):
            tx.tl.evaluate(adata, model, baselines={"it": predictor})
    with pytest.warns(UserWarning, match="The prediction 'it' was trained on"):
        tx.benchmark(adata, {"it": stored}, ceiling_repeats=0)
    observed = tx.pp.pseudobulk(adata[adata.obs["split"].isin(["test"]) | adata.obs["control"]])
    copied = StoredPrediction(observed[~observed.obs["control"].to_numpy()].copy())
    with pytest.warns(UserWarning, match="'it' equals the observed change"):
        tx.tl.evaluate(adata, model, baselines={"it": copied})
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        tx.tl.evaluate(adata, model, baselines={"it": GeneralBaseline().fit(adata)})


def test_a_split_by_batch_is_warned_about(adata, bench):
    adata.obs["split"] = np.where(adata.obs["batch"] == "batch_1", "train", "test")
    with pytest.warns(UserWarning, match="Every model was trained on .* a split by batch"):
        bench(adata)


def test_genes_that_a_line_did_not_measure(two_lines, make_model, bench):
    two_lines.X = two_lines.X.copy()
    rows = (two_lines.obs["cell_line"] == "RPE1").to_numpy()
    two_lines.X[np.ix_(rows, np.arange(60) >= 40)] = 0
    with pytest.warns(UserWarning, match="not measured in a cell line .* 20 in 'RPE1'"):
        result = bench(two_lines)
    assert (result.runs["status"] == "done").all()
    with pytest.warns(UserWarning, match="20 in 'RPE1'"):
        tx.tl.evaluate(two_lines, make_model(two_lines))
