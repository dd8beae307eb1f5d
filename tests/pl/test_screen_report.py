import numpy as np
import pandas as pd
import pytest

import txpert as tx
from txpert._analysis._replicates import METRICS, REPRESENTATIONS


@pytest.mark.parametrize(("n", "n_lines"), [(1, 1), (20, 5), (2_000, 1)])
def test_drawn_whole(n, n_lines, adata, check_figure):
    rng = np.random.default_rng(0)
    lines = [f"line_{i}_$x^2$_of_a_long_name" for i in range(n_lines)]
    names = ("effect_size", "n_de", "remaining", "r_mean_own", "r_mean_other", "batch_v")
    table = pd.DataFrame({name: rng.random(n * n_lines) for name in (*names, "batch_fdr")})
    table["cell_line"] = np.repeat(lines, n)
    kinds = np.tile(["within", "across"], 10)
    controls = pd.DataFrame({"kind": kinds, "r": rng.random(20), "cell_line": lines[0]})
    grid = [(r, m) for r in REPRESENTATIONS for m in METRICS]
    retrieval = pd.DataFrame(grid, columns=["representation", "metric"]).assign(mean=0.7, n=n)
    units = [retrieval.assign(unit=unit, quantile_90=0.9) for unit in ("pseudobulk", "cell")]
    adata.uns["txpert_screen_report"] = {
        "perturbations": table,
        "controls": controls,
        "summary": pd.DataFrame({"controls_p_value": rng.random(n_lines)}),
        "retrieval": pd.concat(units, ignore_index=True),
        "mean_effect_r": pd.DataFrame(rng.random((n_lines, n_lines)), lines, lines),
        "lines": lines,
    }
    check_figure(lambda: tx.pl.screen_report(adata), "dark_background" if n == 20 else "default")


def test_a_screen_of_one_batch_is_drawn(adata, check_figure):
    adata.obs["batch"] = "one"
    tx.tl.screen_report(adata)
    check_figure(lambda: tx.pl.screen_report(adata))


def test_what_is_missing_is_named(adata):
    with pytest.raises(KeyError, match=r"run tx\.tl\.screen_report"):
        tx.pl.screen_report(adata)
