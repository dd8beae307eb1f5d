import pytest

from txpert.data import ConditionTable, ObsKeys
from txpert.data._batches import average_over_batches
from txpert.data._conditions import conditions_of
from txpert.data._screen import Screen
from txpert.evaluation._observations import Observations

KEYS = ObsKeys()


@pytest.fixture
def screen_of():
    """Read a screen, its conditions, and its observations (all of them scored)."""

    def read(adata):
        screen = Screen.from_anndata(adata, KEYS)
        conditions, condition = conditions_of(screen)
        scored = ~conditions["control"].to_numpy()
        return screen, condition, Observations.from_conditions(conditions, scored)

    return read


@pytest.fixture
def delta_of():
    """Take Δ by way of the pseudobulk table."""

    def delta(adata):
        table = ConditionTable.from_screen(Screen.from_anndata(adata, KEYS))
        table = table.subset(~table.obs["control"].to_numpy())
        return average_over_batches(table.delta, table.obs)

    return delta
