import warnings

import numpy as np

import txpert as tx
from txpert._analysis._screen_quality import control_correlations


def test_a_single_batch_has_no_correlations_and_no_warnings(adata):
    adata.obs["batch"] = "one"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table, summary = control_correlations(np.ones((1, 2, 3)), ["one"])
        report = tx.tl.screen_report(adata)
    assert table.empty
    assert np.isnan(summary["median_within"])
    assert report["n_batches"].tolist() == [1]
