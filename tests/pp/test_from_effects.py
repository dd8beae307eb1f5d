"""Effects as input: the table that comes back, and the way through the package."""

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.data import ConditionTable

GENES = [f"G{i}" for i in range(20)]
LABELS = [f"G{i}" for i in range(15)]


def table(seed=0, genes=GENES):
    values = np.random.default_rng(seed).normal(size=(len(LABELS), len(genes)))
    return pd.DataFrame(values, index=LABELS, columns=genes)


def test_delta_is_the_table_with_what_was_not_measured():
    frame = table()
    frame.iloc[2, 3] = np.nan
    adata = tx.pp.from_effects(frame, cell_line="K562", n_cells=np.arange(1, 16))
    for made in (ConditionTable.of(adata), ConditionTable.from_anndata(tx.pp.pseudobulk(adata))):
        rows = made.obs[~made.obs["control"]]
        order = made.obs["perturbation"].astype(str).isin(LABELS).to_numpy()
        delta = pd.DataFrame(made.delta[order], rows["perturbation"].astype(str), GENES)
        np.testing.assert_allclose(delta.loc[LABELS], frame, rtol=1e-6)
        cells = rows.set_index(rows["perturbation"].astype(str))["n_cells"]
        assert cells[LABELS].tolist() == list(range(1, 16))
        assert made.controls.of_effects


def test_lines_and_modalities_are_put_together_with_other_genes():
    one = tx.pp.from_effects(table(), cell_line="K562", modality="CRISPRi")
    two = tx.pp.from_effects(table(1), cell_line="K562", modality="CRISPRa")
    other = tx.pp.from_effects(table(2, GENES[5:]), cell_line="RPE1", modality="CRISPRi")
    joined = ad.concat([one, two, other], join="outer")
    made = ConditionTable.from_anndata(tx.pp.pseudobulk(joined))
    pooled = made.over_batches()
    assert len(pooled.training().obs) == 45  # modalities stay apart
    in_rpe1 = (pooled.obs["cell_line"] == "RPE1").to_numpy() & ~pooled.obs["control"].to_numpy()
    lacks = ~pooled.genes.isin(GENES[5:])
    assert np.isnan(pooled.delta[in_rpe1][:, lacks]).all()
    assert np.isfinite(pooled.delta[in_rpe1][:, ~lacks]).all()
    assert np.isfinite(pooled.delta[(pooled.obs["cell_line"] == "K562").to_numpy()]).all()


@pytest.mark.parametrize("components", ["mean", ("mean", "gaussian_process")])
def test_effects_go_through_the_package(graph, components):
    labels = [f"GENE{i}" for i in range(1, 16)]
    parts = [
        tx.pp.from_effects(
            table(seed).set_axis(labels, axis=0), cell_line="yeast", modality=modality
        )
        for seed, modality in enumerate(["deletion", "induction"])
    ]
    adata = ad.concat(parts)
    tx.pp.split(adata)
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, graph, components=components)
    model.train()
    predicted = model.predict(["GENE1", "GENE2"])
    assert sorted(predicted.obs["modality"].unique()) == ["deletion", "induction"]
    scores = tx.tl.evaluate(adata, model)
    n_test = (adata.obs["split"] == "test").sum()
    assert scores["n_perturbations"].tolist() == [n_test, n_test]
    assert scores["n_undefined"].tolist() == [0, 0]
    result = tx.benchmark(adata, {"mean": "mean"}, task=None, seeds=[0])
    assert result.runs["status"].tolist() == ["done", "done"]


def test_what_is_no_table_of_effects_is_refused():
    frame = table()
    with pytest.raises(TypeError, match="to_df"):
        tx.pp.from_effects(ad.AnnData(frame))
    with pytest.raises(TypeError, match="'name' of the effects holds no numbers"):
        tx.pp.from_effects(frame.assign(name="x"))
    with pytest.raises(ValueError, match="'G0' on 'G1' is infinite"):
        tx.pp.from_effects(frame.replace(frame.iloc[0, 1], np.inf))
    with pytest.raises(ValueError, match="No gene was measured for 1 perturbations, 'G3'"):
        tx.pp.from_effects(frame.mask(frame.index.to_series() == "G3"))
    with pytest.raises(ValueError, match="controls whose effects are not zero"):
        tx.pp.from_effects(frame.rename(index={"G0": "control"}))
    with pytest.raises(ValueError, match="'G0' is a column of the effects more than once"):
        tx.pp.from_effects(frame.rename(columns={"G1": "G0"}))
    with pytest.raises(ValueError, match="cell_line is a series with another index"):
        tx.pp.from_effects(frame, cell_line=pd.Series(["K562"] * 15))
    with pytest.raises(ValueError, match="n_cells are whole numbers"):
        tx.pp.from_effects(frame, n_cells=0)
    with pytest.raises(ValueError, match="modality is one value, or one for each of the 15"):
        tx.pp.from_effects(frame, modality=["CRISPRi"])


def test_negative_values_without_zero_controls_are_refused_as_before(adata):
    adata.X = adata.X.toarray() - 1
    with pytest.raises(ValueError, match="negative"):
        tx.TxPertModel.setup_anndata(adata)


def test_a_perturbation_in_two_rows_has_two_names_without_a_warning():
    frame = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=["G", "G"], columns=["a", "b"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tx.pp.from_effects(frame).obs_names.is_unique


def test_columns_of_several_levels_are_refused():
    frame = pd.DataFrame([[1.0]], index=["G"], columns=pd.MultiIndex.from_tuples([("a", "b")]))
    with pytest.raises(TypeError, match="several levels"):
        tx.pp.from_effects(frame)
