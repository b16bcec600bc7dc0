from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_heads import published
from tiny_models import tiny_encoder, tiny_folder
from tiny_training import forward, scored

from xadapt.backbones.encoder.encoder import Encoder
from xadapt.backbones.encoder.pairs import tokenize_pairs
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.tasks.predict import PairScorer
from xadapt.tasks.predict.pair_scorer import scores

PAIRS = [(row.left, row.right) for row in scored(20, seed=3)]


def test_scores_are_on_the_scale_of_the_data() -> None:
    encoder = tiny_encoder()
    torch.manual_seed(0)
    head = Head("pair_scoring", ("score",), encoder.width, scale=(1.0, 5.0))
    found = scores(encoder, head, PAIRS)
    assert found.dtype == np.float32 and found.shape == (20,)
    (pair,) = tokenize_pairs(encoder, [PAIRS[3][0]], [PAIRS[3][1]])
    tokens, mask = encoder.batch([pair.ids])
    with torch.no_grad():
        plain = head.linear(forward(encoder, tokens, mask)[0, 0]).item()
    assert abs(found[3] - (1 + 4 * plain)) < 1e-4
    turned = scores(encoder, head, [(right, left) for left, right in PAIRS])
    assert not np.allclose(turned, found)


def test_each_pair_has_its_own_composition(tmp_path: Path) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    encoder = Encoder.from_pretrained(base, dtype="float32")
    published(tmp_path / "m", encoder, "pair_scoring", 2)
    published(tmp_path / "de", encoder, seed=1)
    scorer = PairScorer.load(
        base,
        f"m={tmp_path}/m",
        f"de={tmp_path}/de",
        compose="by_language(de = de + m, * = m)",
        dtype="float32",
    )
    tags = ["de", "sw"] * 10
    mixed = scorer.score(PAIRS, tags)
    apart = [scorer.score([p], [g])[0] for p, g in zip(PAIRS, tags, strict=True)]
    np.testing.assert_allclose(mixed, apart, atol=1e-5)
    other = scorer.score(PAIRS, ["sw"] * 20)
    assert np.allclose(other[1::2], mixed[1::2], atol=1e-5)
    assert np.abs(other[::2] - mixed[::2]).min() > 1e-3


@pytest.mark.parametrize("wrong", ["ab", ("die katze", "the cat"), ["ab", "cd"], [("a",)]])
def test_text_is_no_pair(tmp_path: Path, wrong: Any) -> None:
    base = str(tiny_folder(tmp_path / "base"))
    published(tmp_path / "m", Encoder.from_pretrained(base, dtype="float32"), "pair_scoring", 2)
    scorer = PairScorer.load(base, tmp_path / "m", dtype="float32")
    with pytest.raises(UserError, match=r"\(left, right\)"):
        scorer.score(wrong)
    assert np.array_equal(scorer.score(PAIRS, "de"), scorer.score(PAIRS, ["de"] * 20))
