import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("train_in_processes.py")


@pytest.mark.slow
@pytest.mark.parametrize("held_out", ["validation", "in turn"])
def test_two_processes_train_what_one_does(tmp_path, held_out):
    for n_processes in (1, 2):
        command = [sys.executable, str(SCRIPT), str(n_processes), held_out, str(tmp_path)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    alone, first, second = (np.load(tmp_path / f"{name}.npy") for name in ("1_0", "2_0", "2_1"))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, alone, atol=1e-5)
    alone, both = (json.loads((tmp_path / f"{n}.json").read_text()) for n in (1, 2))
    assert both["n_epochs"] == alone["n_epochs"]
    for kind, weights in alone["weights"].items():
        assert both["weights"][kind] == pytest.approx(weights, abs=1e-4)
