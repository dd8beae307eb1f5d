"""Files are written whole or not at all, and what is damaged is found."""

import io
import os
import random
import stat
import time

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import txpert as tx
from txpert import _files, _stored
from txpert._csv import csv_bytes, read_csv
from txpert._files import file_name, replacing, replacing_in
from txpert._stored import read_json, read_set, write_json, write_set

OLD, NEW = {"a.csv": b"old\n" * 9, "b.csv": b"1\n"}, {"a.csv": b"new\n" * 7, "b.csv": b"2\n"}


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with replacing(path) as part:
        assert part.parent == path.parent
        assert part.suffix == ".txt"
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, RuntimeError])
def test_what_is_interrupted_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write():
        with replacing(path) as part:
            part.write_text("ne")
            raise error("stop")

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_names_it(tmp_path, full_disk):
    path = tmp_path / "file.txt"
    path.write_text("old")
    message = r"file\.txt could not be written \(.*\); what was there before is unchanged"
    with full_disk(), pytest.raises(OSError, match=message) as error, replacing(path) as part:
        part.write_bytes(b"x" * 10_000)
    assert error.value.errno
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_links_and_permissions_stay(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    with replacing(link) as part:
        part.write_text("new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_places_that_cannot_be_written_are_named(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"),
        replacing(tmp_path / "nowhere" / "file"),
    ):
        pass
    with (
        pytest.raises(IsADirectoryError, match="cannot be written: a folder"),
        replacing(tmp_path),
    ):
        pass


def test_leftovers_of_killed_processes_go_after_a_day(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as part:
        part.write_text("")
        young, old = part.with_suffix(".part1"), part.with_suffix(".part2")
        for leftover in (young, old):
            leftover.write_text("")
    os.utime(old, (0, 0))
    with replacing(path) as part:
        part.write_text("")
    assert young.exists()
    assert not old.exists()


def test_folders_left_by_killed_processes_go_after_a_day(tmp_path):
    with replacing_in(tmp_path / "m") as part:
        leftover = part.with_name(part.name + "1")
        leftover.mkdir()
        (leftover / "file").write_text("")
    os.utime(leftover, (0, 0))
    with replacing_in(tmp_path / "m") as part:
        (part / "file").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_damaged_record_is_named(tmp_path):
    path = tmp_path / "run.json"
    content = {"name": "m", "values": [0.25, 1e-9, float("inf")], "text": "Δ"}
    write_json(path, content, version=3)
    assert read_json(path, "a run", version=3) == content
    whole = path.read_bytes()
    damaged = [whole[:n] for n in range(len(whole))]
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        damaged.append(bytes(flipped))
    damaged += [b"[" * 100_000, b"null", b"{}", b'{"format": 3, "sha256": "", "content": 1}']
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"run\.json (is not a run, or|has format)"):
            read_json(path, "a run", version=3)


def test_a_later_format_asks_for_an_update(tmp_path):
    write_json(tmp_path / "run.json", 1, version=4)
    with pytest.raises(ValueError, match=r"has format 4, and this version .* up to 3: update"):
        read_json(tmp_path / "run.json", "a run", version=3)


def read(folder):
    about, files = read_set(folder / "index.json", list(OLD), "a set", version=1)
    return about["what"], files


@pytest.mark.parametrize("stop", range(6))
def test_a_set_is_the_old_or_the_new_one_wherever_it_stops(tmp_path, monkeypatch, stop):
    write_set(tmp_path / "index.json", OLD, {"what": "old"}, version=1)
    steps = []

    def step(function):
        def counted(*args, **kwargs):
            if len(steps) == stop:
                raise SystemExit
            steps.append(function.__name__)
            return function(*args, **kwargs)

        return counted

    # A kill runs nothing of ours: neither do these errors.
    monkeypatch.setattr(_stored, "replacing", step(replacing))
    monkeypatch.setattr(_stored.Path, "replace", step(_stored.Path.replace))
    monkeypatch.setattr(_stored.Path, "unlink", lambda *_, **__: None)
    try:
        write_set(tmp_path / "index.json", NEW, {"what": "new"}, version=1)
    except SystemExit:
        assert len(steps) == stop
    monkeypatch.undo()
    assert read(tmp_path) in (("old", OLD), ("new", NEW))
    write_set(tmp_path / "index.json", OLD, {"what": "old"}, version=1)
    assert read(tmp_path) == ("old", OLD)
    assert not list(tmp_path.glob(".?.csv.*.new"))


def test_a_file_of_a_set_that_changed_is_named(tmp_path):
    write_set(tmp_path / "index.json", OLD, {"what": "old"}, version=1)
    (tmp_path / "a.csv").write_bytes(OLD["a.csv"][:-4])
    with pytest.raises(ValueError, match=r"a\.csv is cut off, damaged or changed \(8 lines\)"):
        read(tmp_path)
    (tmp_path / "a.csv").unlink()
    with pytest.raises(ValueError, match=r"a\.csv is missing"):
        read(tmp_path)


def test_a_full_disk_leaves_the_old_set(tmp_path, full_disk):
    write_set(tmp_path / "index.json", OLD, {"what": "old"}, version=1)
    before = sorted(path.name for path in tmp_path.iterdir())
    with full_disk(), pytest.raises(OSError, match=r"b\.csv"):
        write_set(tmp_path / "index.json", {**NEW, "b.csv": b"x" * 9_000}, {}, version=1)
    assert read(tmp_path) == ("old", OLD)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_killed_graph_save_leaves_a_whole_graph(tmp_path, killed_while):
    graphs = [tx.datasets.toy_graph(seed) for seed in (0, 1)]
    path = tmp_path / "graph.npz"
    graphs[0].save(path)
    draw = random.Random(0)
    for _ in range(12):
        killed_while(lambda: [graph.save(path) for graph in graphs], draw.uniform(0.005, 0.06))
        assert tx.graph.KnowledgeGraph.load(path) in graphs


def test_a_killed_result_save_leaves_a_whole_result(tmp_path, killed_while):
    def result(n):
        scores = pd.DataFrame({"model": ["m"] * n, "seed": 0, "pearson_delta": 0.5})
        return tx.BenchmarkResult(scores, scores[:2], scores[:1], baseline=f"of {n}")

    results = [result(3_000), result(2_000)]
    results[0].save(tmp_path)
    draw = random.Random(0)
    for _ in range(12):
        killed_while(lambda: [r.save(tmp_path) for r in results], draw.uniform(0.005, 0.08))
        loaded = tx.BenchmarkResult.load(tmp_path)
        assert loaded.baseline == f"of {len(loaded.scores)}"


def test_only_one_process_holds_a_lock(tmp_path):
    pytest.importorskip("fcntl")
    log = tmp_path / "log"
    child = os.fork()
    with _files.locked(tmp_path), log.open("a") as file:
        file.write("in ")
        file.flush()
        time.sleep(0.1)
        file.write("out ")
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert log.read_text() == "in out in out "


@pytest.mark.parametrize("name", ["../../x", "a/b\\c", "基" * 90, "", "...", "<b>", "$x^$", "=1"])
def test_file_names_are_short_and_stay_in_their_folder(tmp_path, name):
    short = file_name(name)
    assert len(short.encode()) <= 80
    assert not short.startswith(".")
    (tmp_path / f"{short}-0123456789abcdef.json").write_text("")
    assert len(list(tmp_path.iterdir())) == 1


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ODD = st.sampled_from(["=1+1", "'=x", "''", "'", "-1", "+A", "@x", "NA", "\r", "a,b", 'q"', "<b>"])


@given(st.lists(st.tuples(TEXTS | ODD, TEXTS | ODD), min_size=1, max_size=5))
def test_names_come_back_from_csv_and_are_no_formulas(rows):
    table = pd.DataFrame(rows, columns=["model", "perturbation"])
    data = csv_bytes(table)
    assert read_csv(data).equals(table)
    plain = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)
    assert not plain["model"].str.startswith(("=", "+", "-", "@")).any()
