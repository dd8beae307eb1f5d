"""The kind of perturbation, from the obs column to conditions and predictions."""

import warnings

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.baselines import MeanBaseline
from txpert.data import ConditionTable
from txpert.evaluation._scoring import HeldOut
from txpert.evaluation._warnings import warn_of_leak


@pytest.fixture
def mixed(adata):
    """Every perturbation in two modalities in the same batches; controls say nothing."""
    kinds = np.where(np.arange(adata.n_obs) % 2, "CRISPRi", "CRISPRa").astype(object)
    kinds[adata.obs["control"].to_numpy()] = None
    adata.obs["modality"] = kinds
    return adata


def test_conditions_are_apart_and_controls_are_shared(mixed):
    plain = ConditionTable.from_anndata(tx.pp.pseudobulk(mixed, modality_key=None))
    table = ConditionTable.from_anndata(tx.pp.pseudobulk(mixed))
    control = table.obs["control"].to_numpy()
    assert control.sum() == plain.obs["control"].sum()
    assert (~control).sum() == 2 * (~plain.obs["control"]).sum()
    assert (table.obs["modality"][control] == "all").all()
    cells = mixed[(mixed.obs["perturbation"] == "GENE3") & (mixed.obs["modality"] == "CRISPRi")]
    rows = (table.obs["perturbation"] == "GENE3") & (table.obs["modality"] == "CRISPRi")
    assert table.obs["n_cells"][rows].sum() == cells.n_obs
    pooled = table.over_batches().training()
    assert not pooled.obs.duplicated(["perturbation", "modality"]).any()
    assert set(pooled.obs["modality"]) == {"CRISPRi", "CRISPRa"}


def test_a_prediction_has_the_modality_asked_for_or_the_common_one(mixed):
    controls = ConditionTable.from_anndata(tx.pp.pseudobulk(mixed)).controls
    common = controls.obs["modality"].tolist()
    assert set(common) <= {"CRISPRi", "CRISPRa"}
    obs, context = controls.conditions("GENE3")
    assert obs["modality"].tolist() == [common[i] for i in context]
    assert set(controls.conditions("GENE3", modality="knockout")[0]["modality"]) == {"knockout"}
    frame = obs.assign(modality=["CRISPRa", np.nan])
    listed = controls.conditions(frame)[0]["modality"].tolist()
    assert listed == ["CRISPRa", common[context[1]]]
    saved = type(controls).from_dict(controls.to_dict())
    assert saved.obs["modality"].tolist() == common


def test_a_line_with_one_modality_has_that_by_default(two_lines):
    lines = two_lines.obs["cell_line"].astype(str)
    two_lines.obs["modality"] = lines.map({"K562": "CRISPRa", "RPE1": "CRISPRi"})
    table = ConditionTable.from_anndata(tx.pp.pseudobulk(two_lines))
    by_line = dict(
        zip(table.controls.obs["cell_line"], table.controls.obs["modality"], strict=True)
    )
    assert by_line == {"K562": "CRISPRa", "RPE1": "CRISPRi"}
    pooled = table.over_batches().controls.obs
    assert dict(zip(pooled["cell_line"], pooled["modality"], strict=True)) == by_line


def test_modalities_that_nobody_reads_are_warned_about(mixed):
    mixed.obs["Perturbation_Type"] = mixed.obs.pop("modality")
    with pytest.warns(UserWarning, match="modality_key='Perturbation_Type'"):
        tx.TxPertModel.setup_anndata(mixed)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("tech", ["CRISPRi", "CRISPRa"]),
        ("Library", ["knockout", "over-expression"]),
        ("system", ["dCas9-KRAB", "dCas9-VPR"]),
        ("kind_of_cell", ["CRISPR", "drug"]),
    ],
)
def test_modalities_are_known_by_their_values(mixed, name, values):
    kinds = mixed.obs.pop("modality").map(dict(zip(["CRISPRi", "CRISPRa"], values, strict=True)))
    mixed.obs[name] = pd.Categorical(kinds)
    with pytest.warns(UserWarning, match=f"modality_key={name!r}"):
        tx.TxPertModel.setup_anndata(mixed)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("perturbation_type", ["single", "double"]),
        ("perturbation_method", ["CRISPRi", "CRISPR interference"]),
        ("kind", ["CRISPRi", "Perturb-seq"]),
        ("number", [1, 2]),
    ],
)
def test_other_values_are_no_modalities(mixed, name, values):
    kinds = mixed.obs.pop("modality")
    mixed.obs[name] = kinds.map(dict(zip(["CRISPRi", "CRISPRa"], values, strict=True)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        tx.TxPertModel.setup_anndata(mixed)


def test_the_key_reaches_the_model_and_survives_saving(mixed, make_model, tmp_path, recwarn):
    mixed.obs["kind"] = mixed.obs.pop("modality")
    tx.TxPertModel.setup_anndata(mixed, modality_key="kind")
    model = make_model(mixed, setup=False, epochs=1, components="mean")
    assert "modality" in model.conditions.obs
    model.save(tmp_path / "model")
    loaded = tx.TxPertModel.load(tmp_path / "model", mixed)
    frame = loaded.control_profiles.conditions("GENE3")[0].assign(modality="CRISPRa")
    assert loaded.predict(frame).obs["modality"].eq("CRISPRa").all()
    assert not [w for w in recwarn if "several ways" in str(w.message)]


def test_a_perturbed_cell_without_modality_is_refused(mixed):
    perturbed = np.flatnonzero(~mixed.obs["control"])
    mixed.obs.iloc[perturbed[0], mixed.obs.columns.get_loc("modality")] = None
    with pytest.raises(ValueError, match="'modality' is NaN or empty for 1 cells"):
        tx.pp.pseudobulk(mixed)


def test_modalities_are_scored_apart(mixed):
    frame = tx.pp.pseudobulk(mixed)
    held_out = HeldOut.of(
        ConditionTable.from_anndata(frame), (frame.obs["split"] == "test").to_numpy()
    )
    scores = held_out.score(held_out.observed)
    assert len(scores) == 2 * scores["perturbation"].nunique()
    assert isinstance(scores, pd.DataFrame)
    np.testing.assert_allclose(scores["pearson_delta"], 1, atol=1e-6)


def test_a_leak_is_one_of_the_same_modality(mixed, recwarn):
    label = mixed.obs.loc[mixed.obs["split"] == "train", "perturbation"].iloc[0]
    chosen = (
        (mixed.obs["perturbation"] == label) & (mixed.obs["modality"] == "CRISPRa")
    ).to_numpy()
    split = mixed.obs["split"].astype(object)
    split[chosen] = "test"
    mixed.obs["split"] = split
    table = ConditionTable.of(mixed)
    trained_on = MeanBaseline().fit(table).trained_on_
    assert (label, "simulated|CRISPRi") in trained_on
    assert (label, "simulated|CRISPRa") not in trained_on
    held_out = HeldOut.of(table, (table.obs["split"] == "test").to_numpy())
    assert not warn_of_leak(held_out, "It", trained_on)
    for leaked in ((label, "simulated|CRISPRa"), (label, "simulated")):
        with pytest.warns(UserWarning, match=f"trained on 1 of .* {label} in simulated.CRISPRa"):
            assert warn_of_leak(held_out, "It", [leaked])
    assert "condition_in_several_splits" not in set(tx.pp.check_split(mixed)["kind"])
    ignored = tx.pp.check_split(mixed, modality_key=None)
    assert "condition_in_several_splits" in set(ignored["kind"])
