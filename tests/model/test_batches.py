from itertools import chain

import pytest
import torch
from torch.utils.data import BatchSampler, RandomSampler

from txpert.model._batches import ShuffledBatches


@pytest.fixture
def pretend(monkeypatch):
    """Pretend to be one of several processes; the first one's seed is 5."""

    def be(rank, n_processes):
        monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
        monkeypatch.setattr("torch.distributed.get_rank", lambda: rank)
        monkeypatch.setattr("torch.distributed.get_world_size", lambda: n_processes)
        monkeypatch.setattr(
            "torch.distributed.broadcast_object_list",
            lambda objects, src: objects.__setitem__(0, 5),
        )

    return be


@pytest.mark.parametrize("n_rows", [1, 5, 8, 9, 10])
def test_one_process_has_the_minibatches_of_torch(n_rows):
    drop_last = n_rows % 4 == 1 and n_rows > 1
    torch.manual_seed(1)
    expected = list(BatchSampler(RandomSampler(range(n_rows)), 4, drop_last))
    torch.manual_seed(1)
    batches = ShuffledBatches(n_rows, 4)
    assert list(batches) == expected
    assert len(batches) == len(expected)


def test_processes_share_out_every_minibatch(pretend):
    torch.manual_seed(5)
    parts = []
    for rank in range(3):
        pretend(rank, 3)
        torch.rand(rank)  # what else they draw differs
        parts.append(list(ShuffledBatches(20, 8)))
    assert [len(part) for part in parts] == [2, 2, 2]  # the last four rows are too few for three
    shared = [sorted(chain.from_iterable(batch)) for batch in zip(*parts, strict=True)]
    order = torch.randperm(20, generator=torch.Generator().manual_seed(5)).tolist()
    assert shared == [sorted(order[:8]), sorted(order[8:16])]
    assert {len(batch) for part in parts for batch in part} == {2, 3}


@pytest.mark.parametrize(("n_rows", "batch_size"), [(5, 64), (64, 5)])
def test_too_few_rows_for_the_processes(pretend, n_rows, batch_size):
    pretend(0, 3)
    with pytest.raises(ValueError, match=r"Minibatches of 5 rows.*3 processes.*batch_size"):
        ShuffledBatches(n_rows, batch_size)
