"""The code of docs/data.md works as written."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
CALLS = """cell_barcode,num_features,feature_call,num_umis
CELL0-1,1,NT_1,5
CELL1-1,1,STAT1_2,7
CELL3-1,2,STAT1_1|KLF1_1,3|4
"""
MADE = {
    "scPerturb": {"control", "KLF1", "AHR+KLF1"},
    "pertpy": {"control", "STAT1"},
    "GEARS": {"control", "KLF1", "AHR+KLF1"},
    "PerturBench": {"control", "KLF1", "AHR+KLF1"},
    "Guide calls of Cell Ranger": {"control", "STAT1"},
}


def test_every_block_makes_the_columns(publish, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("protospacer_calls_per_cell.csv").write_text(CALLS)
    labels = ["control", "AHR", "control", "AHR"]
    publish("norman_2019", ["control", "KLF1", "AHR_KLF1"], gemgroup=[1, 1, 2])
    for name in ("k562_genome_wide", "rpe1_essential"):
        publish(f"replogle_2022_{name}", labels, batch=[1, 1, 2, 2])
    publish("nadig_2025_jurkat", labels, batch=[1, 1, 2, 2])
    names, found = {}, {}
    for section in re.split(r"^#+ ", PAGE.read_text(), flags=re.MULTILINE):
        for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL):
            exec(code, names)
        if "adata" in names:
            obs = names["adata"].obs
            found[section.splitlines()[0]] = set(obs["perturbation"])
            assert list(obs["control"]) == list(obs["perturbation"] == "control")
    assert MADE.items() <= found.items()
    assert names["table"].n_obs == 4
    assert found["Public screens"] == {"control", "AHR"}
