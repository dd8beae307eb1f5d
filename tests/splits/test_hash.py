import pytest

import txpert as tx
from txpert.data import ObsKeys
from txpert.splits._hash import current_hash


def test_the_hash_is_that_of_the_record(two_lines):
    assert current_hash(two_lines, ObsKeys(split=None)) is None
    tx.pp.split(two_lines, "unseen_cell_line", test_cell_line="RPE1")
    assert current_hash(two_lines, ObsKeys()) == two_lines.uns["txpert_split"]["sha256"]


@pytest.mark.parametrize("had_split", [True, False])
def test_a_split_written_or_changed_later_changes_the_hash(two_lines, had_split):
    if not had_split:
        del two_lines.obs["split"]
    before = current_hash(two_lines, ObsKeys())
    tx.pp.split(two_lines, seed=5)
    assert current_hash(two_lines, ObsKeys()) not in (before, None)
