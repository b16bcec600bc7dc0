from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import FAMILIES, tiny_encoder

from xadapt.backbones.encode import pooled
from xadapt.backbones.packing import Packs, together

ROWS = [[2, 5, 6, 7, 8, 9, 3], [2, 8, 9, 3], [2, 10, 3], [2, 11, 12, 13, 14, 3], [2, 3]]
BOUND = {torch.float32: 1e-5, torch.bfloat16: 0.05}


def test_first_line_with_room_by_hand() -> None:
    """Lengths 7, 6, 4, 3, 2: the 3 fits beside the 4, the 2 nowhere."""
    packs = Packs([7, 4, 3, 6, 2])
    assert (packs.lines, packs.saved) == (4, 1)
    lines, owner = packs.pack(torch.arange(1.0, 36).view(5, 7, 1))
    assert owner.tolist() == [
        [1, 1, 1, 1, 1, 1, 1], [4, 4, 4, 4, 4, 4, 0], [2, 2, 2, 2, 3, 3, 3], [5, 5, 0, 0, 0, 0, 0],
    ]  # fmt: skip
    assert lines[2, :, 0].tolist() == [8, 9, 10, 11, 15, 16, 17]
    assert together(owner)[3].tolist() == [[1, 1, 0, 0, 0, 0, 0]] * 2 + [[0, 0, 1, 1, 1, 1, 1]] * 5


@given(st.lists(st.integers(1, 12), min_size=1, max_size=20))
def test_every_token_comes_back(lengths: list[int]) -> None:
    packs = Packs(lengths)
    assert sum(lengths) / max(lengths) <= packs.lines <= len(lengths)
    hidden = torch.randn(len(lengths), max(lengths), 2)
    lines, owner = packs.pack(hidden)
    back = packs.unpack(lines)
    for row, length in enumerate(lengths):
        assert torch.equal(back[row, :length], hidden[row, :length])
        assert int((owner == row + 1).sum()) == length


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", [f for f in FAMILIES if tiny_encoder(f).family.packs])
def test_packed_is_row_by_row(family: str, dtype: torch.dtype) -> None:
    encoder = tiny_encoder(family)
    encoder.model.to(dtype)
    tokens, mask = encoder.batch(ROWS)
    packs = Packs([len(row) for row in ROWS])
    for start in (0, 1):
        hidden = encoder.embed(tokens, mask)
        lower = encoder.run(hidden, mask, 0, start)
        lines, owner = packs.pack(lower)
        states = packs.unpack(encoder.run(lines, (owner > 0).long(), start, owner=owner))
        found = encoder.pool(states, mask)
        alone = torch.cat([pooled(encoder, [row]) for row in ROWS])
        torch.testing.assert_close(found, alone, rtol=0, atol=BOUND[dtype])


def test_some_families_pack() -> None:
    assert {f for f in FAMILIES if tiny_encoder(f).family.packs} >= {"bert", "roberta", "xlmr"}
