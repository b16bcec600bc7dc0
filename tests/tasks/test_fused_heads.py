"""The partners of texts for heads of FILTER."""

from __future__ import annotations

import pytest
from tiny_models import tiny_encoder

from xadapt.core.errors import UserError
from xadapt.heads.head import Head
from xadapt.tasks.fused_heads import given_translations, partner_ids, with_partners
from xadapt.tasks.protocol import Request


def head(fused=(1, 2)):
    made = Head("classification", ("a", "b"), 8)
    made.fused = fused
    return made


def test_partners_follow_their_texts_through_windows():
    encoder = tiny_encoder()
    the, cat = encoder.tokenize(["the mat", "cat"])
    ids, owners = [the, the[:3], cat], [0, 0, 1]
    assert partner_ids(encoder, head(None), ids, owners, ["", ""]) is None
    assert partner_ids(encoder, head(), ids, owners) == ids
    [park] = encoder.tokenize(["park"])
    assert partner_ids(encoder, head(), ids, owners, ["park", ""]) == [park, park, cat]


def test_translations_for_another_head_are_refused():
    assert given_translations(head(None), None, 2) is None
    with pytest.raises(UserError, match="reads no translations"):
        given_translations(head(None), ["a", "b"], 2)
    with pytest.raises(UserError, match="reads no translations"):
        with_partners([], Request("mini", "x.tsv"), False, "apertium")
    with pytest.raises(UserError, match="needs the language"):
        with_partners([], Request("mini", "x.tsv"), True, "apertium")
