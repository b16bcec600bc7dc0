"""Rows with markers: by hand, where entities meet, at both ends, and cut."""

from __future__ import annotations

import random

import pytest
from tiny_models import VOCAB, tiny_encoder

from xadapt.backbones.encoder.marked_rows import MARKERS, marked_row
from xadapt.backbones.encoder.text_places import PlacedText, tokenize_places

BOS, EOS = 0, 2


def placed(text):
    """A text whose tokens are its letters; their ids are their codes."""
    ids = (BOS, *map(ord, text), EOS)
    places = [None, *(None if c == " " else (i, i + 1) for i, c in enumerate(text)), None]
    return PlacedText(ids, tuple(places))


def row(text, head, tail, max_length=64, suffix=()):
    return marked_row(
        placed(text), head, tail, first=1000, special={BOS, EOS}, max_length=max_length,
        suffix=suffix,
    )  # fmt: skip


def shown(made):
    marks = {1000: "[", 1001: "]", 1002: "{", 1003: "}", BOS: "^", EOS: "$"}
    return "".join(marks.get(one, chr(one)) for one in made.ids)


@pytest.mark.parametrize(
    ("head", "tail", "wanted"),
    [
        ((0, 1), (3, 4), "^[a]bc{d}$"),  # at the start and at the end
        ((3, 4), (0, 1), "^{a}bc[d]$"),  # the tail first
        ((0, 2), (2, 4), "^[ab]{cd}$"),  # adjacent
        ((0, 4), (1, 2), "^[a{b}cd]$"),  # nested
        ((0, 4), (0, 2), "^[{ab}cd]$"),
        ((2, 4), (0, 4), "^{ab[cd]}$"),
        ((0, 4), (0, 4), "^[{abcd}]$"),  # the same
    ],
)
def test_markers_by_hand(head, tail, wanted):
    made = row("abcd", head, tail)
    assert shown(made) == wanted and made.shortened == 0
    assert made.ids[made.head] == 1000 and made.ids[made.tail] == 1002


def test_types_stand_before_the_last_special_token():
    assert shown(row("ab", (0, 1), (1, 2), suffix=[*map(ord, "|x|y")])) == "^[a]{b}|x|y$"
    short = row("abcdef", (0, 1), (5, 6), max_length=12, suffix=[*map(ord, "|x|y")])
    assert len(short.ids) == 12 and shown(short) == "^[a]b{f}|x|$"


def test_an_entity_without_a_token_has_both_markers():
    made = row("a b", (1, 2), (2, 3))  # the space has no place
    assert shown(made) == "^a []{b}$" and made.head < made.tail


def test_a_long_text_loses_what_is_far_from_both_entities():
    text = "aaaaaHbbbbbbbbbbTccccc"
    made = row(text, (5, 6), (16, 17), max_length=14)
    assert shown(made) == "^aa[H]bbb{T}c$"  # at equal distance the earlier token
    assert len(made.ids) == 14 and made.shortened == len(text) - 8
    long = row("x" * 40 + "y" * 40, (0, 40), (40, 80), max_length=16)
    assert len(long.ids) == 16 and shown(long) == "^[" + "x" * 5 + "]{" + "y" * 5 + "}$"


def test_every_row_has_each_marker_once_and_the_other_tokens_in_order():
    rng = random.Random(0)
    for _ in range(500):
        text = "".join(rng.choices("abc ", k=rng.randint(1, 30)))
        head, tail = (tuple(sorted(rng.sample(range(len(text) + 1), 2))) for _ in range(2))
        longest = rng.randint(7, 40)
        made = row(text, head, tail, longest, suffix=[5] * rng.randint(0, 9))
        assert sorted(one for one in made.ids if one >= 1000) == [1000, 1001, 1002, 1003]
        assert len(made.ids) <= longest
        at = {one: place for place, one in enumerate(made.ids) if one >= 1000}
        assert at[1000] < at[1001] and at[1002] < at[1003]
        words = [one for one in made.ids if one < 1000 and one not in (BOS, EOS, 5)]
        whole = iter(map(ord, text))
        assert all(one in whole for one in words)
        if not made.shortened:
            assert len(words) == len(text)


@pytest.mark.parametrize("family", ["bert", "xlmr"])
def test_a_real_tokenizer(family):
    encoder = tiny_encoder(family)
    text = "the cat sat on the mat " * 30
    [whole] = tokenize_places(encoder, [text], whole=True)
    [cut] = tokenize_places(encoder, [text])
    assert len(cut.ids) == encoder.max_length < len(whole.ids)
    special = set(encoder.tokenizer.all_special_ids)
    start = text.rindex("cat")
    made = marked_row(
        whole, (4, 7), (start, start + 3), first=VOCAB, special=special,
        max_length=encoder.max_length,
    )  # fmt: skip
    assert len(made.ids) == encoder.max_length
    [alone] = tokenize_places(encoder, ["cat"])
    cat = [one for one in alone.ids if one not in special]
    for marker, place in ((VOCAB, made.head), (VOCAB + 2, made.tail)):
        end = place + 1 + len(cat)
        assert made.ids[place] == marker and list(made.ids[place + 1 : end]) == cat
        assert made.ids[end] == marker + 1
    assert len([one for one in made.ids if one >= VOCAB]) == MARKERS
