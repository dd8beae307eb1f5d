"""What stands in several files of the project is the same in all."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("CITATION.cff", r"^version: (.+)$"),
        ("docs/scverse_meta.yaml", r"^version: v(.+)$"),
    ],
)
def test_the_version_is_the_same_everywhere(file, pattern):
    (version,) = re.findall(pattern, (ROOT / file).read_text(), re.MULTILINE)
    assert version == PROJECT["version"]


def test_the_hook_runs_the_ruff_that_the_tests_run_on():
    pins = dict(
        re.findall(r"^(\S+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    )
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert f"ruff-pre-commit\n    rev: v{pins['ruff']}\n" in hooks


def test_every_version_of_python_that_we_name_is_tested():
    named = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "Python :: 3." in c}
    workflow = (ROOT / ".github" / "workflows" / "versions.yml").read_text()
    assert set(re.findall(r'python: "(3\.\d+)"', workflow)) == named


def test_files_that_the_readme_links_to_are_there():
    links = re.findall(r"\]\(([^):#]+)\)", (ROOT / "README.md").read_text())
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []
