import pytest

import txpert as tx
from txpert.data import ConditionTable, ObsKeys
from txpert.data._screen import Screen
from txpert.splits._hash import current_hash, is_current


def table_of(adata):
    return ConditionTable.from_screen(Screen.from_anndata(adata, ObsKeys()))


def test_the_hash_is_that_of_the_record(two_lines):
    assert current_hash(two_lines, ObsKeys(split=None)) is None
    tx.pp.split(two_lines, "unseen_cell_line", test_cell_line="RPE1")
    assert current_hash(two_lines, ObsKeys()) == two_lines.uns["txpert_split"]["sha256"]


@pytest.mark.parametrize("had_split", [True, False])
def test_a_split_written_or_changed_later_is_found(two_lines, had_split):
    if not had_split:
        del two_lines.obs["split"]
    table = table_of(two_lines)
    assert is_current(table, two_lines, ObsKeys())
    tx.pp.split(two_lines, seed=5)
    assert not is_current(table, two_lines, ObsKeys())
    assert is_current(table_of(two_lines), two_lines, ObsKeys())
    del two_lines.obs["split"]
    assert is_current(table, two_lines, ObsKeys()) == (not had_split)
