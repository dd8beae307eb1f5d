"""Columns of batches and cell lines under names that nobody reads."""

import warnings

import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert.data._unread_columns import warn_of_unread_columns

KEYS = {"perturbation": "perturbation", "batch": "batch", "cell_line": "cell_line"}


def obs_with(**columns):
    return pd.DataFrame({"perturbation": ["A", "B"] * 20, **columns}).astype(object)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("gem_group", "batch"),
        ("gemgroup", "batch"),
        ("batch_var", "batch"),
        ("lane", "batch"),
        ("Replicate", "batch"),
        ("HTO", "batch"),
        ("Batch", "batch"),
        ("celltype", "cell_line"),
        ("Cell Type", "cell_line"),
    ],
)
def test_a_column_under_another_name_is_named_with_its_argument(name, what):
    obs = obs_with(**{name: np.arange(40) % 2})
    with pytest.warns(UserWarning, match=f"no column {what!r}.*{what}_key={name!r}") as caught:
        warn_of_unread_columns(obs, KEYS)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("columns", "keys"),
    [
        ({"lane": [1] * 40}, KEYS),  # one value
        ({"lane": range(40)}, KEYS),  # one for each cell
        ({"lane": [1, 2] * 20, "batch": [1, 2] * 20}, KEYS),  # the default is there
        ({"lane": [1, 2] * 20}, KEYS | {"batch": None}),  # not to be read
        ({"lane": [1, 2] * 20}, KEYS | {"batch": "lane"}),
        ({"lane": [1, 2] * 20}, KEYS | {"cell_line": "lane"}),  # read for something else
        ({"total": [1, 2] * 20}, KEYS),
    ],
)
def test_no_warning_without_need(columns, keys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_unread_columns(obs_with(**columns), keys)


def test_the_second_column_counts_where_the_first_says_nothing():
    obs = obs_with(lane=[1] * 40, replicate=[1, 2] * 20)
    with pytest.warns(UserWarning, match="batch_key='replicate'"):
        warn_of_unread_columns(obs, KEYS)


def test_a_report_says_that_gem_groups_are_not_read(adata):
    adata.obs["gem_group"] = adata.obs.pop("batch")
    with pytest.warns(UserWarning, match="batch_key='gem_group'"):
        tx.tl.screen_report(adata)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tx.tl.screen_report(adata, batch_key="gem_group")
        tx.tl.screen_report(adata, batch_key=None)
