import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import txpert as tx
from txpert.data._matrix import row_digests


@pytest.fixture
def screen():
    """Two cell lines, six singles and three doubles, 4 cells each; every cell its own."""
    rng = np.random.default_rng(0)
    labels = ["control", "A", "B", "C", "D", "E", "F", "A+B", "C+D", "E+F"]
    obs = pd.DataFrame(
        [
            (label, line, batch)
            for line in ("K562", "RPE1")
            for label in labels
            for batch in ("b1", "b2")
            for _ in range(2)
        ],
        columns=["perturbation", "cell_line", "batch"],
    )
    obs["control"] = obs["perturbation"] == "control"
    obs.index = [f"cell{i}" for i in range(len(obs))]
    adata = ad.AnnData(rng.gamma(1.0, size=(len(obs), 8)).astype(np.float32), obs=obs)
    adata.var_names = list("ABCDEFGH")
    parts = {"E": "val", "F": "test", "E+F": "test", "A+B": "train", "C+D": "train"}
    adata.obs["split"] = [
        None if label == "control" else parts.get(label, "train") for label in obs["perturbation"]
    ]
    return adata


def set_split(adata, part, *, label=None, line=None):
    rows = np.ones(adata.n_obs, bool)
    if label is not None:
        rows &= (adata.obs["perturbation"] == label).to_numpy()
    if line is not None:
        rows &= ((adata.obs["cell_line"] == line) & ~adata.obs["control"]).to_numpy()
    adata.obs.loc[rows, "split"] = part


def cell(adata, label, line="K562", i=0):
    rows = (adata.obs["perturbation"] == label) & (adata.obs["cell_line"] == line)
    return np.flatnonzero(rows)[i]


def only(problems):
    """The one problem there is, told."""
    assert len(problems) == 1, problems.to_string()
    return tuple(problems.iloc[0])


def test_a_clean_split_has_no_problems(screen, capsys):
    before = screen.copy()
    problems = tx.pp.check_split(screen, errors="raise")
    assert capsys.readouterr().out == ""
    tx.pp.check_split(screen)
    told = "No problems found in the split 'split' of 9 perturbations.\n"
    assert capsys.readouterr().out == told
    assert problems.shape == (0, 3)
    assert list(problems) == ["kind", "value", "detail"]
    pd.testing.assert_frame_equal(screen.obs, before.obs)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "options",
    [
        {"task": "unseen_perturbation"},
        {"task": "unseen_combination", "fractions": (0.4, 0.2, 0.4)},
        {"task": "unseen_cell_line", "test_cell_line": "RPE1"},
        {"task": "few_shot_cell_line", "test_cell_line": "RPE1", "measured": 3},
    ],
)
def test_own_splits_are_clean(screen, options, seed):
    try:
        tx.pp.split(screen, seed=seed, **options)
    except ValueError as error:
        assert "combinations is in test" in str(error)  # noqa: PT017
        return
    assert tx.pp.check_split(screen).empty


@pytest.mark.parametrize("fold", range(3))
def test_own_folds_are_clean(screen, fold):
    tx.pp.split_fold(screen, fold, n_folds=3)
    assert tx.pp.check_split(screen).empty


def test_test_perturbation_in_training_in_another_line(screen):
    set_split(screen, "train", label="F", line="RPE1")
    set_split(screen, "train", label="E+F", line="RPE1")
    problems = tx.pp.check_split(screen).set_index(["kind", "value"])["detail"]
    assert problems["perturbation_in_training", "F"] == "it is in test, and in train in RPE1"
    assert ("perturbation_in_training", "E+F") in problems
    assert problems["target_in_training", "E"].endswith("E in train by E+F")


def test_held_out_target_in_a_training_combination(screen):
    set_split(screen, "train", label="E+F")
    problems = tx.pp.check_split(screen)
    assert problems["kind"].tolist() == ["target_in_training"] * 2
    assert problems["value"].tolist() == ["E", "F"]
    assert problems["detail"][1] == "it is in test, and F in train by E+F"


def test_combination_of_seen_targets_is_a_leak_for_unseen_genes_only(screen):
    set_split(screen, "test", label="A+B")
    kind, value, detail = only(tx.pp.check_split(screen))
    assert (kind, value) == ("target_in_training", "A+B")
    assert detail == "it is in test, and A and B in train by A, B"
    assert tx.pp.check_split(screen, task="unseen_combination").empty
    screen.uns["txpert_split"] = {"task": "unseen_combination", "sha256": "0"}
    assert tx.pp.check_split(screen)["kind"].tolist() == ["stale_hash"]


def test_held_out_single_in_a_combination_is_a_leak_for_combinations_too(screen):
    set_split(screen, "train", label="E+F")
    problems = tx.pp.check_split(screen, task="unseen_combination")
    assert problems["value"].tolist() == ["E", "F"]


def test_test_target_in_validation(screen):
    set_split(screen, "val", label="E+F")
    kind, value, detail = only(tx.pp.check_split(screen))
    assert (kind, value) == ("target_in_validation", "F")
    assert "F in val by E+F" in detail


def test_test_line_in_training(screen):
    tx.pp.split(screen, task="unseen_cell_line", test_cell_line="RPE1")
    del screen.uns["txpert_split"]
    set_split(screen, "train", label="B", line="RPE1")
    kind, value, detail = only(tx.pp.check_split(screen, task="unseen_cell_line"))
    assert (kind, value) == ("test_cell_line_in_training", "RPE1")
    assert detail == "1 of its perturbations are in train: B"


def test_validation_perturbation_in_training_of_another_line(screen):
    third = screen[screen.obs["cell_line"] == "K562"].copy()
    third.X = third.X + 1
    third.obs["cell_line"] = "HepG2"
    third.obs_names = [f"h{name}" for name in third.obs_names]
    three = ad.concat([screen, third])
    set_split(three, "train", line="K562")
    set_split(three, "train", line="HepG2")
    set_split(three, "test", line="RPE1")
    assert tx.pp.check_split(three, task="unseen_cell_line").empty
    set_split(three, "val", label="G", line="HepG2")
    set_split(three, "val", label="A", line="HepG2")
    kind, value, _ = only(tx.pp.check_split(three, task="unseen_cell_line"))
    assert (kind, value) == ("perturbation_in_training", "A")
    set_split(three, "val", line="HepG2")  # a validation line is no leak
    assert tx.pp.check_split(three, task="unseen_cell_line").empty


@pytest.mark.parametrize(
    ("other", "told"),
    [("train", "3 in test, 1 in train"), (None, "1 in no split, 3 in test")],
)
def test_condition_in_several_splits(screen, other, told):
    screen.obs.iloc[cell(screen, "F"), screen.obs.columns.get_loc("split")] = other
    problems = tx.pp.check_split(screen)
    problem = problems[problems["kind"] == "condition_in_several_splits"]
    assert only(problem)[1:] == ("F", f"its cells in K562: {told}")


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize("source", ["A", "control", "E"])
def test_identical_cells(screen, convert, source):
    original, copy = cell(screen, source), cell(screen, "F", "RPE1")
    screen.X[copy] = screen.X[original]
    screen.X = convert(screen.X)
    kind, value, detail = only(tx.pp.check_split(screen))
    assert (kind, value) == ("identical_cells", f"cell{copy}")
    part = {"A": "train", "control": "control", "E": "val"}[source]
    assert detail == (
        f"a cell of F in test has the expression of 'cell{original}', a cell of {source} in {part}"
    )


def test_identical_cells_within_a_split_and_empty_ones_are_no_problem(screen):
    screen.X[cell(screen, "B")] = screen.X[cell(screen, "A")]
    screen.X[cell(screen, "F", i=1)] = screen.X[cell(screen, "F")]
    screen.X[[cell(screen, "C"), cell(screen, "F", i=2)]] = 0
    assert tx.pp.check_split(screen).empty


def test_identical_cells_in_a_layer_and_on_disk(screen, tmp_path):
    screen.layers["other"] = screen.X.copy()
    screen.layers["other"][cell(screen, "F")] = screen.layers["other"][cell(screen, "A")]
    assert tx.pp.check_split(screen).empty
    assert only(tx.pp.check_split(screen, layer="other"))[0] == "identical_cells"
    screen.X = screen.layers.pop("other")
    screen.write_h5ad(tmp_path / "x.h5ad")
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    assert only(tx.pp.check_split(backed))[0] == "identical_cells"


def test_repeated_names(screen):
    names = screen.obs_names.to_numpy().copy()
    names[cell(screen, "F")] = names[cell(screen, "A")] = "twice"
    names[cell(screen, "C")] = names[cell(screen, "B")] = "both in training"
    screen.obs_names = names
    kind, value, detail = only(tx.pp.check_split(screen))
    assert (kind, value) == ("repeated_name", "twice")
    assert detail == "the name of a cell in test and of one in train"


def test_controls_shared_between_lines(screen):
    for i in range(3):
        screen.X[cell(screen, "control", "RPE1", i)] = screen.X[cell(screen, "control", i=i)]
    kind, value, detail = only(tx.pp.check_split(screen))
    assert (kind, value) == ("shared_controls", "K562, RPE1")
    assert detail.startswith("3 control cells")


def test_controls_in_a_split(screen):
    screen.obs.iloc[cell(screen, "control", "RPE1"), screen.obs.columns.get_loc("split")] = "test"
    assert only(tx.pp.check_split(screen)) == (
        "control_in_split",
        "RPE1",
        "1 control cells are in test",
    )


def test_contexts_without_controls(screen):
    lonely = screen.obs["control"] & (screen.obs["cell_line"] == "RPE1")
    lonely &= screen.obs["batch"] == "b2"
    screen = screen[~lonely].copy()
    assert only(tx.pp.check_split(screen)) == (
        "context_without_controls",
        "RPE1 / b2",
        "18 perturbed cells, no control",
    )
    assert tx.pp.check_split(screen, batch_key=None).empty


def test_graph_made_with_what_is_test_now(screen):
    bulk = tx.pp.pseudobulk(screen)
    seen = bulk[bulk.obs["split"] == "train"]
    made = tx.graph.from_screen(seen, name="effects")
    harmless = tx.datasets.toy_graph()
    assert tx.pp.check_split(screen, graphs=[harmless, made]).empty
    set_split(screen, "test", label="A")
    set_split(screen, "test", label="A+B")
    kind, value, detail = only(tx.pp.check_split(screen, graphs=[harmless, made.top_k(2)]))
    assert (kind, value) == ("graph_from_held_out", "effects")
    assert detail == (
        "learned from 4 held-out conditions: K562|A (test), K562|A+B (test), RPE1|A (test), "
        "RPE1|A+B (test)"
    )
    assert len(tx.pp.check_split(screen, graphs=made)) == 1


def test_graph_of_a_training_line_serves_an_unseen_line(screen):
    tx.pp.split(screen, task="unseen_cell_line", test_cell_line="RPE1")
    bulk = tx.pp.pseudobulk(screen)
    made = tx.graph.from_screen(bulk[bulk.obs["split"] == "train"])
    assert all(name.startswith("K562|") for name in made.learned_from)
    assert tx.pp.check_split(screen, graphs=made).empty
    tx.pp.split(screen, task="unseen_cell_line", test_cell_line="K562")
    assert only(tx.pp.check_split(screen, graphs=made))[0] == "graph_from_held_out"


@pytest.mark.parametrize(
    ("learned_from", "leaks"),
    [("all|F", True), ("HepG2|F", False), ("K562|F", True), ("K562|A", False)],
)
def test_graphs_of_other_data_are_no_leak(screen, learned_from, leaks):
    graph = tx.graph.KnowledgeGraph("g", "AB", [0], [1], [1.0], learned_from=[learned_from])
    assert len(tx.pp.check_split(screen, graphs=graph)) == leaks
    one = screen[screen.obs["cell_line"] == "K562"].copy()
    del one.obs["cell_line"]
    by_label = learned_from.endswith("F")  # without lines, perturbations alone can be compared
    assert len(tx.pp.check_split(one, graphs=graph)) == by_label


def test_genes_chosen_with_what_is_test_now(screen):
    tx.pp.highly_variable_genes(screen, 5)
    assert tx.pp.check_split(screen).empty
    set_split(screen, "test", label="B")
    set_split(screen, "test", label="A+B")
    kind, value, detail = only(tx.pp.check_split(screen))
    assert (kind, value) == ("genes_from_held_out", "var['highly_variable']")
    assert "K562|B (test)" in detail
    del screen.uns["txpert_genes"]
    assert only(tx.pp.check_split(screen))[0] == "genes_of_unknown_origin"


def test_stale_hash(screen, tmp_path):
    tx.pp.split(screen, seed=1)
    screen.write_h5ad(tmp_path / "x.h5ad")
    screen = ad.read_h5ad(tmp_path / "x.h5ad")
    assert tx.pp.check_split(screen).empty
    label = screen.obs.loc[screen.obs["split"] == "val", "perturbation"].iloc[0]
    set_split(screen, "test", label=label)
    assert ("stale_hash", "uns['txpert_split']") in set(
        zip(*(tx.pp.check_split(screen)[name] for name in ("kind", "value")), strict=True)
    )


def test_problems_are_raised_on_request(screen):
    set_split(screen, "train", label="E+F")
    message = r"2 problems: target_in_training \(E: .*, target_in_training \(F: "
    with pytest.raises(ValueError, match=message):
        tx.pp.check_split(screen, errors="raise")


def test_bad_input_is_named(screen):
    with pytest.raises(ValueError, match=r"no task 'x'; the tasks known are 'unseen_pert"):
        tx.pp.check_split(screen, task="x")
    with pytest.raises(ValueError, match="errors must be"):
        tx.pp.check_split(screen, errors="ignore")
    with pytest.raises(KeyError, match=r"no column 'parts'; tx\.pp\.split"):
        tx.pp.check_split(screen, split_key="parts")
    screen.obs["split"] = screen.obs["split"].replace("val", "dev")
    with pytest.raises(ValueError, match="has the value 'dev'"):
        tx.pp.check_split(screen)


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_digests_tell_rows_apart(convert):
    rows = np.array([[0, 1, 2], [1, 0, 2], [0, 1, 2], [0, 0, 0], [-0.0, 0, 0], [0, 2, 1]])
    digests = row_digests(convert(rows))
    assert digests[0] == digests[2]
    assert len(set(digests.tolist())) == 4
    assert (digests[3:5] == 0).all()
    explicit = sparse.csr_matrix(([0.0, 1.0, 2.0], ([0, 0, 0], [0, 1, 2])), shape=(1, 3))
    assert row_digests(explicit)[0] == digests[0]
