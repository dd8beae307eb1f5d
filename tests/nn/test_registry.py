import pytest
import torch

from txpert.nn import make_encoder


def test_unknown_encoders_list_the_known_ones():
    with pytest.raises(ValueError, match=r"no encoder 'gta'; choose from gat"):
        make_encoder("gta", [torch.empty(2, 0, dtype=torch.long)], 3, 2, {})
