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
    with pytest.warns(UserWarning, match="look like combinations"):
        tx.pp.split(adata)
    for seed in range(6):
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


def relabelled(names):
    """Return a screen whose labels and genes are called otherwise."""
    adata = tx.datasets.toy()
    del adata.obs["control"]
    adata.obs["perturbation"] = adata.obs["perturbation"].astype(str).replace(names)
    return adata


def test_mouse_genes_are_not_renamed_by_the_beginning_of_their_names():
    adata = relabelled({"GENE11": "Arg1", "GENE18": "Tubg1", "GENE13": "tubg1"})
    adata.var_names = ["Ar", "Tub", "TUB", *adata.var_names[3:]]
    assert tx.pp.harmonize_labels(adata)["new"].to_dict() == {"tubg1": "Tubg1"}


def test_halves_of_an_id_of_two_guides_are_one_gene():
    pair = "GENE11_+_12.23-P1P2|GENE11_-_13.23-P1P2"
    control = "non-targeting_00089|non-targeting_00025"
    adata = relabelled({"GENE11": pair, "control": control})
    assert tx.pp.harmonize_labels(adata)["new"].to_dict() == {pair: "GENE11", control: "control"}
    assert adata.obs["control"].sum() == (adata.obs["perturbation"] == "control").sum() > 0


@pytest.mark.parametrize("pair", ["NegCtrl0_NegCtrl0", "non-targeting|non-targeting", "NT|NT"])
def test_pairs_of_controls_are_controls(pair):
    adata = relabelled({"control": pair, "GENE11": "GENE11_NegCtrl0"})
    new = tx.pp.harmonize_labels(adata)["new"].to_dict()
    assert new == {pair: "control", "GENE11_NegCtrl0": "GENE11"}
    assert adata.obs["control"].any()


def test_pairs_of_a_control_that_the_user_names_are_controls():
    adata = relabelled({"control": "AAVS1", "GENE11": "AAVS1_AAVS1"})
    new = tx.pp.harmonize_labels(adata, controls="AAVS1")["new"].to_dict()
    assert new == {"AAVS1": "control", "AAVS1_AAVS1": "control"}


def test_genes_of_yeast_are_no_controls():
    adata = relabelled({"GENE11": "NTG1", "GENE18": "NTG1+OGG1"})
    assert not len(tx.pp.harmonize_labels(adata))
    assert "NTG1+OGG1" in adata.obs["perturbation"].cat.categories


@pytest.mark.parametrize("label", ["2+ guides", "Negative", "no guide", "*"])
def test_labels_without_a_target_are_left_to_be_refused(label):
    adata = relabelled({"GENE11": label})
    assert not len(tx.pp.harmonize_labels(adata))
    assert not adata.obs.loc[adata.obs["perturbation"] == label, "control"].any()


@pytest.mark.parametrize(
    "form",
    ["p_sg{}_{}", "{}_{}", "{}-gRNA{}", "{}_guide_{}", "{}_pDS{}", "{1}_{0}_P1P2_ENSG00000000001"],
)
def test_guides_are_named_by_their_gene(form):
    genes = ["GENE11", "GENE18", "GENE13"]
    labels = {gene: form.format(gene, number) for number, gene in enumerate(genes)}
    new = tx.pp.harmonize_labels(relabelled(labels))["new"].to_dict()
    assert new == {label: gene for gene, label in labels.items()}
