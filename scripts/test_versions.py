"""Run the tests on the newest or lowest versions that the package allows, or on pre-releases.

Makes a virtual environment with the package and its test tools, and calls pytest in it::

    python3.12 scripts/test_versions.py newest
    python3.13 scripts/test_versions.py prerelease
    python3.11 scripts/test_versions.py lowest --environment lowest-env tests/data tests/pp

Torch is a download of up to 3 GB. An environment that exists is used as it is.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def requirements(versions: str) -> tuple[list[str], list[str]]:
    """Return what to install, and constraints that hold our dependencies at their lower bounds.

    cell-eval needs newer ones, so that on the lowest versions the tests against it are skipped.
    """
    if versions != "lowest":
        return ["-e", f"{ROOT}[test]"], []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    tools = [line for line in extras["test"] if not line.startswith(("txpert", "cell-eval"))]
    named = [*project["dependencies"], *extras["dask"]]
    bounds = [re.fullmatch(r"([\w-]+)(?:\[.*\])?>=([\d.]+)", line) for line in named]
    pairs = [bound.groups() for bound in bounds if bound is not None]
    return ["-e", f"{ROOT}[dask]", *tools], [f"{name}=={version}" for name, version in pairs]


def install(environment: Path, versions: str) -> None:
    """Make an environment with the package, as this checkout has it, and what its tests need."""
    wanted, constraints = requirements(versions)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "constraints.txt"
        file.write_text("".join(f"{line}\n" for line in constraints))
        pip = [environment / "bin" / "python", "-m", "pip", "install", "-c", file]
        early = ["--pre"] if versions == "prerelease" else []
        subprocess.run([*pip, *early, *wanted], check=True)


def main() -> int:
    """Read the arguments, make the environment and run pytest in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("versions", choices=["newest", "lowest", "prerelease"])
    parser.add_argument("--environment", type=Path, help="its folder, by default .venv-VERSIONS")
    options, arguments = parser.parse_known_args()
    environment = (options.environment or ROOT / f".venv-{options.versions}").absolute()
    if not environment.exists():
        install(environment, options.versions)
    variables = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", **os.environ}
    pytest = [environment / "bin" / "python", "-m", "pytest", *arguments]
    return subprocess.run(pytest, cwd=ROOT, env=variables).returncode


if __name__ == "__main__":
    sys.exit(main())
