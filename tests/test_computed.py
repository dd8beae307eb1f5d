"""What is kept on disk by what it was computed from."""

import os
from multiprocessing import get_context

import numpy as np
import pytest

from txpert._computed import FOLDER, LIMIT, computed
from txpert._fingerprint import fingerprint


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TXPERT_CACHE", str(tmp_path))
    monkeypatch.setenv(LIMIT, "1")
    return tmp_path / FOLDER


class Counted:
    """Computes the same array, and counts how often."""

    def __init__(self, size=5):
        self.times, self.size = 0, size

    def __call__(self):
        self.times += 1
        return {"values": np.arange(self.size, dtype=np.float32)}


def test_the_same_is_computed_once(folder):
    compute = Counted()
    found = [computed("squares", fingerprint("a", 1), compute)["values"] for _ in range(3)]
    assert compute.times == 1
    assert all(np.array_equal(values, np.arange(5)) for values in found)
    assert found[-1].dtype == np.float32
    computed("squares", fingerprint("a", 2), compute)
    assert compute.times == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_file_is_computed_again_and_replaced(folder, damage):
    compute = Counted(1_000)
    computed("squares", fingerprint("a"), compute)
    (path,) = folder.glob("*.npz")
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    path.write_bytes({"cut": whole[:-100], "changed": bytes(changed), "empty": b""}[damage])
    found = computed("squares", fingerprint("a"), compute)["values"]
    assert compute.times == 2
    assert np.array_equal(found, np.arange(1_000))
    computed("squares", fingerprint("a"), compute)
    assert compute.times == 2


def test_those_used_least_lately_go(folder, monkeypatch):
    monkeypatch.setenv(LIMIT, "0.00001")  # 10 kB
    compute = Counted(1_000)
    for key in "ab":
        computed("squares", fingerprint(key), compute)
    first, second = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime)
    os.utime(first, (1_000, 1_000))
    os.utime(second, (2_000, 2_000))
    computed("squares", fingerprint("c"), compute)
    assert not first.exists()
    assert second.exists()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 10_000


def test_nothing_is_kept_if_so_asked_or_nothing_can_be(folder, monkeypatch):
    compute = Counted()
    monkeypatch.setenv(LIMIT, "0")
    for _ in range(2):
        computed("squares", fingerprint("a"), compute)
    assert not folder.exists()
    monkeypatch.setenv(LIMIT, "1")
    folder.parent.joinpath("file").write_text("")
    monkeypatch.setenv("TXPERT_CACHE", str(folder.parent / "file"))
    assert len(computed("squares", fingerprint("a"), compute)["values"]) == 5
    assert compute.times == 3


@pytest.mark.parametrize("value", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused(folder, monkeypatch, value):
    monkeypatch.setenv(LIMIT, value)
    with pytest.raises(ValueError, match=f"{LIMIT} is '{value}'"):
        computed("squares", fingerprint("a"), Counted())


def test_digests_tell_content_type_and_order_apart():
    parts = [
        (np.arange(4),),
        (np.arange(4, dtype=np.float32),),
        (np.arange(4).reshape(2, 2),),
        (np.arange(2), np.arange(2, 4)),
        ("ab", "c"),
        ("a", "bc"),
        (1,),
        ("1",),
    ]
    assert len({fingerprint(*of) for of in parts}) == len(parts)


def _compute_in_a_process(_):
    return computed("squares", fingerprint("many"), Counted(100_000))["values"].sum()


def test_two_processes_may_compute_the_same(folder):
    with get_context("fork").Pool(2) as pool:
        sums = pool.map(_compute_in_a_process, range(8))
    assert len(set(sums)) == 1
    assert len(list(folder.iterdir())) == 1
