from __future__ import annotations

import random

import pytest
from tiny_models import tiny_tokenizer

from xadapt.objectives.masking import Masking, require_mask


def test_shares_of_tokens_by_hand():
    tokenizer = tiny_tokenizer()
    special, plain = tokenizer.cls_token_id, 20
    ids = [special, *[plain] * 5000, special]
    shown, chosen = Masking(0.2, 0.8, 0.1).mask(ids, random.Random(0), tokenizer)
    assert shown[0] == shown[-1] == special and 0 not in chosen
    assert len(chosen) / 5000 == pytest.approx(0.2, abs=0.02)
    hidden = sum(shown[at] == tokenizer.mask_token_id for at in chosen)
    kept = sum(shown[at] == plain for at in chosen)
    assert hidden / len(chosen) == pytest.approx(0.8, abs=0.04)
    assert kept / len(chosen) == pytest.approx(0.1, abs=0.03)
    assert all(shown[at] == plain for at in range(1, 5001) if at not in set(chosen))


def test_one_token_is_always_chosen_if_there_is_one():
    tokenizer = tiny_tokenizer()
    masking = Masking(1e-9, 1.0, 0.0)
    assert masking.mask([2, 20, 3], random.Random(0), tokenizer)[1] == [1]
    assert masking.choose([], random.Random(0)) == []


@pytest.mark.parametrize("shares", [(0, 0.8, 0.1), (0.2, 0.8, 0.3), (0.2, -1, 0.1)])
def test_wrong_shares_are_refused(shares):
    with pytest.raises(ValueError, match="must be"):
        Masking(*shares)


def test_a_base_with_a_mask_token_passes():
    require_mask(tiny_tokenizer())
