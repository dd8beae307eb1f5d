import pytest

import txpert as tx


@pytest.fixture
def odd(adata):
    names = {
        "GENE11": "GENE11_2",
        "GENE22": "GENE13|GENE18",
        "GENE38": "gene38",
        "GENE1": "GENE1_NT",
        "GENE24": "non-targeting",
        "GENE47": "GENE47+GENE33",
    }
    labels = adata.obs["perturbation"].astype(str).replace(names)
    cells = adata.obs_names[labels == "GENE11_2"]
    labels[cells[::2]] = "GENE11_1"
    adata.obs["perturbation"] = labels
    return adata


def test_labels_are_rewritten_and_listed(odd):
    table = tx.pp.harmonize_labels(odd)
    assert table["new"].to_dict() == {
        "GENE11_1": "GENE11",
        "GENE11_2": "GENE11",
        "GENE13|GENE18": "GENE13+GENE18",
        "GENE1_NT": "GENE1",
        "GENE47+GENE33": "GENE33+GENE47",
        "gene38": "GENE38",
        "non-targeting": "control",
    }
    kinds = {"GENE11_1": "guide", "gene38": "spelling", "non-targeting": "control"}
    assert table["kind"].to_dict().items() >= kinds.items()
    assert odd.obs.loc[odd.obs["perturbation"] == "control", "control"].all()
    assert not len(tx.pp.harmonize_labels(odd))


def test_guides_may_stay(odd):
    table = tx.pp.harmonize_labels(odd, guides=False)
    assert "GENE11_1" not in table.index


def test_labels_are_flagged_that_the_user_names(adata):
    del adata.obs["control"]
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["perturbation"] = labels.replace({"GENE11": "AAVS1", "GENE22": "GENE22+AAVS1"})
    table = tx.pp.harmonize_labels(adata, controls="AAVS1")
    assert table["new"].to_dict() == {"AAVS1": "control", "GENE22+AAVS1": "GENE22"}
    assert (adata.obs["control"] == (adata.obs["perturbation"] == "control")).all()


def test_flagged_controls_keep_their_label(adata):
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["perturbation"] = labels.replace({"control": "AAVS1"})
    assert not len(tx.pp.harmonize_labels(adata))
    assert (adata.obs["perturbation"] == "AAVS1").any()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"controls": "AAVS2"}, ValueError, "'AAVS2' is no label of the data"),
        ({"perturbation_key": "gene"}, KeyError, "no column 'gene'"),
    ],
)
def test_unusable_arguments_are_refused(adata, options, error, message):
    with pytest.raises(error, match=message):
        tx.pp.harmonize_labels(adata, **options)
    with pytest.raises(ValueError, match="is a view"):
        tx.pp.harmonize_labels(adata[:10], **options)


@pytest.mark.parametrize("sign", ["_", " || ", "|", "&", ",", ";", "__", " and "])
def test_a_split_keeps_a_gene_on_one_side_whatever_the_sign(adata, sign):
    double = f"GENE11{sign}GENE22"
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["perturbation"] = labels.replace({"GENE18": double})
    for seed in range(6):
        with pytest.warns(UserWarning, match="look like combinations"):
            tx.pp.split(adata, seed=seed)
        part = adata.obs.astype(str).groupby("perturbation")["split"].first()
        order = ["train", "val", "test"]
        assert order.index(part[double]) == max(order.index(part[g]) for g in ("GENE11", "GENE22"))


@pytest.mark.parametrize(
    ("test", "train"),
    [
        ("GENE11_1", "GENE11_2"),
        ("GENE11", "gene11"),
        ("GENE11", "GENE11|GENE22"),
        ("sgGENE11-1", "GENE11"),
    ],
)
def test_check_split_finds_a_gene_on_both_sides(adata, test, train, capsys):
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["split"] = adata.obs["split"].astype(object)
    adata.obs.loc[labels.isin(["GENE18"]), "split"] = "test"
    adata.obs.loc[labels.isin(["GENE13"]), "split"] = "train"
    adata.obs["perturbation"] = labels.replace({"GENE18": test, "GENE13": train})
    keep = ~labels.isin(["GENE11", "GENE22"]).to_numpy()
    adata = adata[keep].copy()
    del adata.uns["txpert_split"]
    with pytest.warns(UserWarning, match="harmonize_labels"):
        problems = tx.pp.check_split(adata)
    found = problems[problems["kind"].isin(["perturbation_in_training", "target_in_training"])]
    assert len(found) == 1
    assert repr(test) in found["detail"].iloc[0] or found["value"].iloc[0] == test


def test_the_group_of_a_combination_counts_what_its_guides_stand_for(adata):
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["perturbation"] = labels.replace({"GENE18": "GENE11|GENE22"})
    for seed in range(6):
        tx.pp.split(adata, seed=seed)
        group = adata.obs.loc[adata.obs["perturbation"] == "GENE11|GENE22", "split_group"]
        assert group.isna().all() or group.iloc[0].startswith("seen_")


def test_a_graph_from_held_out_labels_with_bars_is_found(adata, capsys):
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["perturbation"] = labels.where(labels == "control", "guide|" + labels)
    tx.pp.split(adata)
    everything = adata.copy()
    everything.obs["split"] = ["train" if p else None for p in ~everything.obs["control"]]
    table = tx.pp.pseudobulk(everything)
    graph = tx.graph.from_screen(table[table.obs["split"] == "train"])
    kinds = tx.pp.check_split(adata, graphs=graph)["kind"].tolist()
    assert "graph_from_held_out" in kinds


def test_a_target_named_twice_is_no_control():
    adata = tx.datasets.toy()
    labels = adata.obs["perturbation"].astype(str)
    adata.obs["perturbation"] = labels.replace({"GENE18": "GENE18+GENE18"})
    table = tx.pp.harmonize_labels(adata)
    assert table.loc["GENE18+GENE18", ["new", "kind"]].tolist() == ["GENE18", "order"]
