"""The shuffled-pairs control: no text keeps a known translation, nothing else changes."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.records import ParallelPair, TextPair
from xadapt.data.transforms.shuffle import of_pairs, shuffle_pairs, shuffled
from xadapt.data.transforms.split import group_pairs, normal_key

small = st.sampled_from("abcdef")
rows_of_letters = st.lists(st.tuples(small, small), min_size=1, max_size=7)


def make(rows) -> list[ParallelPair]:
    return [
        ParallelPair(f"t{text}", f"p{pivot}", "de", origin=str(i))
        for i, (text, pivot) in enumerate(rows)
    ]


def known(pairs) -> set[tuple[str, str]]:
    return {(normal_key(p.text), normal_key(p.pivot)) for p in pairs}


@given(rows_of_letters, st.integers(0, 5))
def test_either_every_translation_goes_or_it_cannot_be_done(rows, seed):
    pairs = make(rows)
    true = known(pairs)
    pivots = [p.pivot for p in pairs]
    possible = any(
        all((p.text, other) not in true for p, other in zip(pairs, order, strict=True))
        for order in permutations(pivots)
    )
    if not possible:
        with pytest.raises(UserError, match="to be shuffled"):
            shuffle_pairs(pairs, seed=seed)
        return
    shuffled = shuffle_pairs(pairs, seed=seed)
    assert not known(shuffled) & true
    assert [(p.text, p.lang, p.origin) for p in shuffled] == [
        (p.text, p.lang, p.origin) for p in pairs
    ]
    assert Counter(p.pivot for p in shuffled) == Counter(pivots)
    assert shuffle_pairs(pairs, seed=seed) == shuffled


def test_pivots_come_from_other_groups():
    rows = [(f"{i // 3}", f"{i}") for i in range(300)]
    pairs = make(rows)
    group_of = {i: g for g, group in enumerate(group_pairs(pairs)) for i in group}
    place = {p.pivot: i for i, p in enumerate(pairs)}
    for index, pair in enumerate(shuffle_pairs(pairs, seed=1)):
        assert group_of[place[pair.pivot]] != group_of[index]


def test_the_seed_matters_and_nothing_stays_in_order():
    pairs = make((f"{i}x", f"{i}y") for i in range(500))
    first, second = shuffle_pairs(pairs, seed=0), shuffle_pairs(pairs, seed=1)
    assert first != second
    steps = Counter(
        int(new.pivot[1:-1]) - int(old.pivot[1:-1]) for new, old in zip(first, pairs, strict=True)
    )
    assert max(steps.values()) < 20


def test_one_group_of_half_the_pairs_is_still_taken_apart():
    pairs = make([("same", f"{i}") for i in range(50)] + [(f"{i}t", f"{i}p") for i in range(50)])
    assert not known(shuffle_pairs(pairs)) & known(pairs)


def test_a_chain_is_one_group_but_can_be_shuffled():
    rows = [(f"{(i + 1) // 2}", f"{i // 2}") for i in range(400)]
    pairs = make(rows)
    assert len(group_pairs(pairs)) == 1
    assert not known(shuffle_pairs(pairs)) & known(pairs)


def test_a_copy_is_never_made():
    pairs = [ParallelPair(t, p, "de") for t, p in [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")]]
    assert all(p.text != p.pivot for p in shuffle_pairs(pairs))


def test_mixed_pivot_languages_stay_with_their_texts():
    pairs = [ParallelPair(f"t{i}", f"p{i}", "sw", "en" if i % 2 else "fr") for i in range(20)]
    languages = {p.pivot: p.pivot_lang for p in pairs}
    assert all(languages[p.pivot] == p.pivot_lang for p in shuffle_pairs(pairs))


def test_nothing_to_shuffle():
    assert shuffle_pairs([]) == []
    with pytest.raises(UserError, match="1 pairs share too many"):
        shuffle_pairs(make([("a", "b")]))


def test_impossible_data_is_refused_quickly():
    with pytest.raises(UserError):
        shuffle_pairs(make([("same", f"{i}") for i in range(20_000)]))


def test_pairs_of_one_language_lose_every_positive() -> None:
    rows = [TextPair(f"q{i // 2}", f"p{i}", (f"n{i}",), "de") for i in range(10)]
    known = {(row.anchor, row.positive) for row in rows}
    found = shuffled(rows, seed=1)
    assert [row.anchor for row in found] == [row.anchor for row in rows]
    assert sorted(row.positive for row in found) == sorted(row.positive for row in rows)
    assert not known & {(row.anchor, row.positive) for row in found}
    assert all(row.negatives == (row.positive.replace("p", "n"),) for row in found)
    assert found == shuffled(rows, seed=1) != shuffled(rows, seed=2)
    assert of_pairs(rows) and not of_pairs([])
    pairs = [ParallelPair(row.anchor, row.positive, "de") for row in rows]
    assert shuffled(pairs, seed=1) == shuffle_pairs(pairs, seed=1)
