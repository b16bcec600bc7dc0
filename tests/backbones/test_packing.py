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


def test_lines_by_hand() -> None:
    """Lengths 7, 6, 4, 3, 2: on lines of 8 the 2 fits beside the 6 and the 3 beside the 4."""
    packs = Packs([7, 4, 3, 6, 2])
    assert (packs.lines, packs.tokens, packs.saved) == (3, 8, 5 * 7 - 3 * 8)
    lines, owner = packs.pack(torch.arange(1.0, 36).view(5, 7, 1))
    assert owner.tolist() == [[1] * 7 + [0], [4] * 6 + [5] * 2, [2] * 4 + [3] * 3 + [0]]
    assert lines[2, :, 0].tolist() == [8, 9, 10, 11, 15, 16, 17, lines[2, 7, 0]]
    assert together(owner)[1].tolist() == [[1] * 6 + [0] * 2] * 6 + [[0] * 6 + [1] * 2] * 2


def test_a_line_is_longer_than_its_longest_row_only_where_that_saves_more_than_it_costs() -> None:
    assert (Packs([9] * 6).lines, Packs([9] * 6).tokens) == (6, 9)
    short = Packs([20, 12, 12, 12, 12, 12])  # 6 lines of 20, or 4 of 25
    assert (short.lines, short.tokens) == (4, 25)
    assert Packs([200, 120, 120, 120, 120, 120]).tokens == 200


@given(st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_every_token_comes_back(lengths: list[int]) -> None:
    packs = Packs(lengths)
    assert sum(lengths) <= packs.lines * packs.tokens <= len(lengths) * max(lengths)
    hidden = torch.randn(len(lengths), max(lengths), 2)
    lines, owner = packs.pack(hidden)
    assert lines.shape[:2] == owner.shape == (packs.lines, packs.tokens)
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
