from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import FAMILIES, tiny_encoder

from xadapt.backbones.encoder.encode import pooled
from xadapt.backbones.encoder.packing import PackedSequences, together

ROWS = [[2, 5, 6, 7, 8, 9, 3], [2, 8, 9, 3], [2, 10, 3], [2, 11, 12, 13, 14, 3], [2, 3]]
BOUND = {torch.float32: 1e-5, torch.bfloat16: 0.05}


def test_lines_by_hand() -> None:
    """220 tokens: 3 lines of 80 cost less than 2 of 120, 4 of 70, or 5 of 70."""
    lengths = [70, 40, 30, 60, 20]
    packs = PackedSequences(lengths)
    assert (packs.lines, packs.tokens, packs.saved) == (3, 80, 5 * 70 - 3 * 80)
    lines, segment_ids = packs.pack(torch.arange(350.0).view(5, 70, 1))
    assert segment_ids.tolist() == [
        [1] * 70 + [0] * 10,
        [4] * 60 + [5] * 20,
        [2] * 40 + [3] * 30 + [0] * 10,
    ]
    assert lines[2, :70, 0].tolist() == [*range(70, 110), *range(140, 170)]


def test_a_token_attends_to_its_own_row() -> None:
    one, two = [1, 1, 0, 0, 0], [0, 0, 1, 1, 0]
    assert together(torch.tensor([[1, 1, 2, 2, 0]])).tolist() == [
        [one, one, two, two, [0, 0, 0, 0, 1]]
    ]


def test_lines_are_no_longer_than_they_may_be() -> None:
    assert (PackedSequences([90] * 6).lines, PackedSequences([90] * 6).tokens) == (6, 90)
    long = PackedSequences([200, 90, 80, 120, 90])
    assert (long.lines, long.tokens, long.saved) == (3, 200, 400)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_every_token_comes_back(lengths: list[int]) -> None:
    packs = PackedSequences(lengths)
    assert sum(lengths) <= packs.lines * packs.tokens <= len(lengths) * max(lengths)
    hidden = torch.randn(len(lengths), max(lengths), 2)
    lines, segment_ids = packs.pack(hidden)
    assert lines.shape[:2] == segment_ids.shape == (packs.lines, packs.tokens)
    back = packs.unpack(lines)
    for row, length in enumerate(lengths):
        assert torch.equal(back[row, :length], hidden[row, :length])
        assert int((segment_ids == row + 1).sum()) == length


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", [f for f in FAMILIES if tiny_encoder(f).family.packs])
def test_packed_is_row_by_row(family: str, dtype: torch.dtype) -> None:
    encoder = tiny_encoder(family)
    encoder.model.to(dtype)
    tokens, mask = encoder.batch(ROWS)
    packs = PackedSequences([len(row) for row in ROWS])
    for start in (0, 1):
        hidden = encoder.embed(tokens, mask)
        lower = encoder.run(hidden, mask, 0, start)
        lines, segment_ids = packs.pack(lower)
        real = (segment_ids > 0).long()
        states = packs.unpack(encoder.run(lines, real, start, segment_ids=segment_ids))
        found = encoder.pool(states, mask)
        alone = torch.cat([pooled(encoder, [row]) for row in ROWS])
        torch.testing.assert_close(found, alone, rtol=0, atol=BOUND[dtype])


def test_some_families_pack() -> None:
    assert {f for f in FAMILIES if tiny_encoder(f).family.packs} >= {"bert", "roberta", "xlmr"}
