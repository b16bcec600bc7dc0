from __future__ import annotations

import pytest
from tiny_models import tiny_encoder

from xadapt.backbones.encoder.label_prefix import LabelPrefix, fitting


@pytest.fixture(scope="module", params=["bert", "t5", "xlmr"])
def tokenizer(request):
    return tiny_encoder(request.param).tokenizer


def test_each_label_stands_after_a_mark(tokenizer):
    labels = ["katze", "der hund sitzt", "park"]
    prefix = LabelPrefix.of(tokenizer, labels)
    starts = [*prefix.marks, len(prefix) - 1]
    assert len({prefix.ids[at] for at in prefix.marks}) == 1
    for label, begin, end in zip(labels, starts, starts[1:], strict=False):
        pieces = tokenizer.encode(label, add_special_tokens=False)
        assert list(prefix.ids[begin + 1 : end]) == pieces and pieces
    assert prefix.ids[-1] in (tokenizer.sep_token_id, tokenizer.eos_token_id)


def test_a_row_keeps_its_own_tokens(tokenizer):
    prefix = LabelPrefix.of(tokenizer, ["katze"])
    row = prefix.before([7, 8, 9, 6], 1)
    assert row == (7, *prefix.ids, 8, 9, 6) and row[1 + len(prefix)] == 8


def test_labels_without_room_are_left_out(tokenizer):
    labels = ["katze sitzt", "hund", "park", "matte"]
    whole = LabelPrefix.of(tokenizer, labels)
    assert fitting(tokenizer, labels, len(whole)) == whole
    fewer = fitting(tokenizer, labels, len(whole) - 1)
    assert fewer == LabelPrefix.of(tokenizer, labels[:3])
    assert fitting(tokenizer, labels, 1) == LabelPrefix.of(tokenizer, labels[:1])
