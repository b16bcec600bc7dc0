"""Tokens with their characters, in every family with a fast tokenizer."""

from __future__ import annotations

import pytest
from tiny_models import FAMILIES, tiny_encoder

from xadapt.backbones.encoder.text_places import tokenize_places


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokens_of_a_span_are_those_whose_characters_overlap(family):
    encoder = tiny_encoder(family)
    text = "die katze  sitzt, hund"
    [row] = tokenize_places(encoder, [text])
    assert list(row.ids) == list(encoder.tokenize([text])[0])
    for word in ("katze", "hund"):
        start = text.index(word)
        own = row.find(start, start + len(word))
        covered = {c for at in own for c in range(*row.places[at])}
        assert covered == set(range(start, start + len(word)))
    assert row.reach == len(text) and row.find(0, len(text) + 1) == []
    special = set(encoder.tokenizer.all_special_ids) - {encoder.tokenizer.unk_token_id}
    assert all(place is None for token, place in zip(row.ids, row.places, strict=True)
               if token in special)  # fmt: skip


def test_a_row_that_is_cut_reaches_less_far():
    encoder = tiny_encoder("bert")
    text = "katze " * encoder.max_length
    [row] = tokenize_places(encoder, [text])
    assert len(row.ids) == encoder.max_length and row.reach < len(text) - 10
    assert row.find(0, 5) and row.find(row.reach - 2, row.reach + 2) == []
    assert tokenize_places(encoder, []) == []
