from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_commands import Place, good
from tiny_models import tiny_encoder
from tiny_tagging import train
from tiny_training import forward, tagged

from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.tasks.predict import Tagger
from xadapt.tasks.predict.tagger import scores


def test_tagger_gives_each_sentence_its_own_composition(
    tmp_path: Path,
    made: tuple[Place, Path],
) -> None:
    place, folder = made
    good(*train(place, folder, tmp_path / "m", "--compose", f"{folder}/de + self"))
    tagger = Tagger.load(str(place.base), f"m={tmp_path}/m", f"de={folder}/de",
                         compose="by_language(de = de + m, * = m)", dtype="float32")  # fmt: skip
    rows = [row.words for row in tagged(10, seed=8)]
    tags = ["de", "sw"] * 5
    mixed = tagger.tag(rows, tags)
    apart = [tagger.tag([row], [tag])[0] for row, tag in zip(rows, tags, strict=True)]
    assert mixed == apart and [len(r) for r in mixed] == [len(r) for r in rows]


def test_tagger_needs_one_head(made: tuple[Place, Path], head: Path) -> None:
    place, folder = made
    with pytest.raises(UserError, match="none of these modules"):
        Tagger.load(str(place.base), f"{folder}/de")
    tagger = Tagger.load(str(place.base), str(head))
    assert len(tagger.tag([row.words for row in tagged(3)])) == 3


def test_scores_are_those_of_each_sentence_alone() -> None:
    encoder = tiny_encoder()
    torch.manual_seed(0)
    own = Head("tagging", ("O", "B-A", "I-A"), encoder.width)
    rows = [row.words for row in tagged(9)]
    found = scores(encoder, own, rows)
    for words, each in zip(rows, found, strict=True):
        (row,) = tokenize_words(encoder, [words])
        tokens, mask = encoder.batch([row.ids])
        with torch.no_grad():
            logs = own(forward(encoder, tokens, mask)[0]).log_softmax(-1)
        assert np.allclose(each, logs[list(row.first)].numpy(), atol=1e-5)


def test_words_beyond_the_base_are_outside() -> None:
    encoder = tiny_encoder()
    own = Head("tagging", ("O", "B-A", "I-A"), encoder.width)
    (found,) = scores(encoder, own, [["katze"] * (encoder.max_length + 5)])
    assert len(found) == encoder.max_length + 5 and found[-1].tolist() == [0, -1e4, -1e4]


@pytest.mark.parametrize("wrong", ["Guten Tag", ["Guten", "Tag"], [["Guten"], "Tag"], [[1]]])
def test_text_that_is_not_cut_into_words_is_refused(
    made: tuple[Place, Path], head: Path, wrong: Any
) -> None:
    tagger = Tagger.load(str(made[0].base), head)
    with pytest.raises(UserError, match="word"):
        tagger.tag(wrong)
    rows = [row.words for row in tagged(3)]
    assert tagger.tag(rows, "de") == tagger.tag(rows, ["de"] * 3)
