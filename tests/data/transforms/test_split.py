"""Splits by groups: equal sentences never on both sides, whatever the order of the rows."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.records import (
    LabelledText,
    ParallelPair,
    Question,
    ScoredPair,
    TaggedSentence,
)
from xadapt.data.transforms.split import group_pairs, normal_key, split_by_group


def make(*rows: tuple[str, str]) -> list[ParallelPair]:
    return [ParallelPair(text, pivot, "de") for text, pivot in rows]


small = st.sampled_from("abcdefghij")
pairs_of_letters = st.lists(st.tuples(small, small), min_size=1, max_size=30).map(
    lambda rows: make(*((f"t{text}", f"p{pivot}") for text, pivot in rows))
)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Hello, World!", "hello world"),
        ("Straße", "STRASSE"),
        ("ＡＢＣ１", "abc1"),
        ("e\u0301a", "éa"),
        ("ﬁn\u200bal", "final"),
        ("a\ufe0fb", "ab"),
        (" … ", "…"),
    ],
)
def test_equal_keys(left, right):
    assert normal_key(left) == normal_key(right) or left.strip() == right.strip()


@pytest.mark.parametrize(
    ("left", "right"), [("कि", "की"), ("!", "?"), ("1", "2"), ("a", "á"), ("กิน", "กัน")]
)
def test_different_keys(left, right):
    assert normal_key(left) != normal_key(right)


@given(st.text())
def test_a_key_is_stable_under_case_and_composition(text):
    assert normal_key(text) == normal_key(f"  {text}. ") or not any(map(str.isalnum, text))


def test_groups_of_a_hand_made_corpus():
    pairs = make(
        ("Gut.", "Good"),  # with 2 by the pivot
        ("Tag", "Day"),
        ("Schön", "good!"),  # with 4 by the text
        ("Nacht", "Night"),
        ("schön", "Beautiful"),
        ("Night", "x"),  # with 3 across the sides
    )
    assert group_pairs(pairs) == [[0, 2, 4], [1], [3, 5]]
    assert group_pairs([]) == []


@given(pairs_of_letters)
def test_groups_equal_a_slow_twin(pairs):
    keys = [{normal_key(p.text), normal_key(p.pivot)} for p in pairs]
    slow: list[set[int]] = []
    for index in range(len(pairs)):
        touching = [g for g in slow if any(keys[index] & keys[other] for other in g)]
        slow = [g for g in slow if g not in touching] + [{index}.union(*touching)]
    assert sorted(map(sorted, slow)) == sorted(group_pairs(pairs))


@given(pairs_of_letters, st.integers(1, 10), st.integers(0, 3), st.randoms())
def test_no_sentence_is_on_both_sides_and_order_does_not_matter(pairs, dev, seed, rng):
    try:
        train, held = split_by_group(pairs, dev=dev, seed=seed)
    except UserError:
        sizes = sorted(map(len, group_pairs(pairs)))
        assert dev >= len(pairs) or 2 * sizes[0] > len(pairs)
        return
    sides = [{normal_key(t) for p in part for t in (p.text, p.pivot)} for part in (train, held)]
    assert not sides[0] & sides[1]
    assert train
    assert held
    assert len(held) <= max(dev, len(pairs) // 2)
    assert sorted(map(repr, train + held)) == sorted(map(repr, pairs))
    mixed = list(pairs)
    rng.shuffle(mixed)
    again = split_by_group(mixed, dev=dev, seed=seed)
    if len(held) <= dev:
        assert sorted(map(repr, again[1])) == sorted(map(repr, held))


def test_the_asked_size_is_met_and_the_seed_matters():
    pairs = make(*((f"text {i}", f"pivot {i}") for i in range(1000)))
    train, held = split_by_group(pairs, dev=100, seed=0)
    assert (len(train), len(held)) == (900, 100)
    assert train == [p for p in pairs if p not in set(held)]
    assert split_by_group(pairs, dev=0.1, seed=0) == (train, held)
    assert split_by_group(pairs, dev=100, seed=1)[1] != held
    # The rows held out are the same in a corpus that has grown, where their hash is still least.
    more = [*pairs, *make(("new", "neu"))]
    assert len(set(split_by_group(more, dev=100, seed=0)[1]) & set(held)) >= 99


def test_a_group_larger_than_asked_stays_in_training():
    pairs = make(*(("same", f"p{i}") for i in range(60)), *((f"t{i}", f"q{i}") for i in range(40)))
    for seed in range(5):
        held = split_by_group(pairs, dev=20, seed=seed)[1]
        assert len(held) == 20
        assert all(p.text != "same" for p in held)


def test_the_smallest_group_is_taken_where_none_fits():
    pairs = make(*(("same", f"p{i}") for i in range(7)), *(("other", f"q{i}") for i in range(3)))
    assert {p.text for p in split_by_group(pairs, dev=1)[1]} == {"other"}


@pytest.mark.parametrize("dev", [0, -1, 10, 11, 0.0, 1.0, -0.5, float("nan"), True])
def test_sizes_that_make_no_sense(dev):
    pairs = make(*((f"t{i}", f"p{i}") for i in range(10)))
    with pytest.raises(UserError, match="can't hold out"):
        split_by_group(pairs, dev=dev)


@pytest.mark.parametrize("count", [0, 1])
def test_one_row_or_none_cannot_be_split(count):
    for dev in (1, 0.5):
        with pytest.raises(UserError, match=f"can't hold out {dev} of {count} rows"):
            split_by_group(make(("a", "b"))[:count], dev=dev)


def test_one_group_cannot_be_split():
    pairs = make(*(("same", f"p{i}") for i in range(10)))
    with pytest.raises(UserError, match="10 of 10 hang together by equal texts"):
        split_by_group(pairs, dev=2)


def test_many_pairs_in_one_chain_are_fast():
    order = list(range(50_000))
    random.Random(0).shuffle(order)
    pairs = make(*((f"t{i}", f"t{i + 1}") for i in order))
    assert len(group_pairs(pairs)) == 1


def test_every_kind_of_record_is_kept_apart_by_its_own_texts():
    pairs = [ScoredPair("a", "b", 1.0, "de", "de"), ScoredPair("c", "A!", 2.0, "de", "de"),
             ScoredPair("d", "e", 3.0, "de", "de")]  # fmt: skip
    assert group_pairs(pairs) == [[0, 1], [2]]
    texts = [
        LabelledText("a", "x", "de"),
        LabelledText("b", "x", "de"),
        LabelledText("A", "y", "de"),
    ]
    assert group_pairs(texts) == [[0, 2], [1]]  # a label is no text
    asked = [Question("q", passage, ((0, "x"),), "de") for passage in ("p", "r", "p", "r")]
    train, held = split_by_group(asked, dev=2)
    assert len(held) == 2 and {q.passage for q in train}.isdisjoint(q.passage for q in held)
    words = [TaggedSentence(tuple(text.split()), (), "de") for text in ("a b", "c", "A b")]
    assert group_pairs(words) == [[0, 2], [1]]
