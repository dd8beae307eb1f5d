import numpy as np

from txpert.data import ObsKeys
from txpert.data._conditions import conditions_of
from txpert.data._group_sums import group_sums
from txpert.data._screen import Screen
from txpert.evaluation._observations import Observations

KEYS = ObsKeys()


def test_delta_is_that_of_the_pseudobulk(two_lines, screen_of, delta_of):
    screen, condition, observations = screen_of(two_lines)
    delta, obs = delta_of(two_lines)
    sums = group_sums(screen.X, observations.group[condition], observations.n_groups)
    found = observations.delta(sums, np.bincount(condition))
    np.testing.assert_allclose(found, delta, atol=1e-6)
    assert observations.obs.astype(str).equals(obs.astype(str))


def test_batches_in_and_out_of_the_split_are_apart(two_lines):
    """A perturbation tested in one batch and trained on in another is two observations."""
    label = two_lines.obs["perturbation"][two_lines.obs["split"] == "test"].iloc[0]
    two_lines.obs["split"] = two_lines.obs["split"].astype(str).replace("nan", np.nan)
    cells = two_lines.obs["perturbation"] == label
    first, second = (cells & (two_lines.obs["batch"] == f"k_batch_{b}") for b in (1, 2))
    two_lines.obs.loc[first, "split"] = "train"
    conditions, _ = conditions_of(Screen.from_anndata(two_lines, KEYS))
    scored = (conditions["split"] == "test").to_numpy()
    observations = Observations.from_conditions(conditions, scored)
    rows = observations.obs.assign(scored=observations.scored)
    rows = rows[(rows["perturbation"] == label) & (rows["cell_line"] == "K562")]
    assert rows["scored"].tolist() == [False, True]
    assert rows["n_cells"].tolist() == [first.sum(), second.sum()]
