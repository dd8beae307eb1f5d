"""Time of ``import txpert`` against ``import scvi``, each in a fresh process, in turn.

python benchmarks/import_time.py [--runs 7]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from statistics import median

from _common import store

CODE = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def seconds(package: str) -> float:
    command = [sys.executable, "-c", CODE.format(package)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(out.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    seconds("txpert")  # fills the file cache
    rows = [{name: seconds(name) for name in ("scvi", "txpert")} for _ in range(runs)]
    store("import_time", rows)
    for name in ("scvi", "txpert"):
        times = [row[name] for row in rows]
        print(f"{name:7} median {median(times):.2f} s ({min(times):.2f} to {max(times):.2f})")
    print(f"ratio, median of pairs: {median(r['txpert'] / r['scvi'] for r in rows):.2f}")


if __name__ == "__main__":
    main()
