import torch

from txpert.nn._messages import in_float32


def count(index, values):
    return values.new_zeros(1).index_add_(0, index, values)


def test_sums_do_not_end_at_256():
    index, ones = torch.zeros(1_000, dtype=torch.long), torch.ones(1_000, dtype=torch.bfloat16)
    assert count(index, ones).item() == 256
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total = in_float32(count, index, ones)
    assert total.item() == 1_000
    assert total.dtype == torch.float32


def test_without_mixed_precision_nothing_is_cast():
    values = torch.ones(3, dtype=torch.float64)
    assert in_float32(torch.cumsum, values, 0).dtype == torch.float64
