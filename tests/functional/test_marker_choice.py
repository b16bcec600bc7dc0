"""Choices by hand: where to look, which candidate to take, which spans collide."""

from __future__ import annotations

import pytest

from xadapt.functional.marker_choice import (
    Candidate,
    choose,
    collisions,
    likeliest,
    opening_words,
    similarity,
)

FLAT = [-1.0] * 14


def changed(**at):
    made = list(FLAT)
    for place, value in at.items():
        made[int(place[1:])] -= value
    return made


def test_words_near_a_large_change_are_looked_at():
    starts = [0, 2, 3, 6, 9, 12]  # 13 tokens in 6 words, and the end
    # a seed inside the word of tokens 6 to 8; one neighbour, one too weak, one too far away
    marked = changed(p7=0.5, p2=0.1, p3=0.09, p1=0.4)
    assert opening_words(marked, FLAT, starts) == {1, 3}
    assert opening_words(FLAT, marked, starts) == {1, 3}, "the size of a change counts"
    assert opening_words(changed(p7=0.49), FLAT, starts) == set(range(6)), "no seed: all words"
    assert opening_words(changed(p0=0.5), FLAT, starts) == {0}
    # five tokens away is near, six is not; the end is a seed, but no word begins there
    assert opening_words(changed(p0=0.7, p5=0.1, p6=0.1), FLAT, starts) == {0, 2}
    assert opening_words(changed(p13=0.9, p12=0.2), FLAT, starts) == {5}
    assert opening_words(changed(p13=0.9), FLAT, starts) == set(range(6))
    with pytest.raises(ValueError, match="13 and 14 scores"):
        opening_words(FLAT[1:], FLAT, starts)


def test_similarity_is_of_letters_in_any_case():
    assert similarity("BRITAIN", "britain") == 1.0
    assert similarity("abcd", "bcde") == pytest.approx(0.75)
    assert similarity("", "x") == 0.0


def test_unlike_candidates_are_dropped_for_training():
    far = Candidate("de ye", 5.0, 0.5)
    assert choose([far]) is None and choose([far], strict=False) == 0
    assert choose([]) is None
    assert choose([far, Candidate("ye", 4.9, 0.0)]) == 1
    assert choose([far, Candidate("ye", 9.0, 0.51)]) == 1


def test_the_most_similar_one_is_taken_and_the_lowest_back_score_of_equals():
    rows = [Candidate("a", 1.0, 0.89), Candidate("b", 3.0, 0.95), Candidate("c", 2.0, 0.95)]
    assert choose(rows) == 2
    assert choose(rows[:2]) == 1
    # without similarity the first one stays: no other lies in it
    assert choose(rows, strict=False) == 0


def test_a_part_of_the_likeliest_one_with_a_lower_back_score_is_taken():
    rows = [
        Candidate("in New York,", 3.0, 0.6),
        Candidate("New York", 2.0, 0.6),
        Candidate("York", 1.5, 0.6),
        Candidate("Yor", 0.1, 0.6),
        Candidate("on Monday", 0.2, 0.6),
    ]
    assert choose(rows) == 2, "part of a word is no part"
    assert choose(rows, strict=False) == 2
    assert choose(rows, spaced=False) == 3
    assert choose([rows[0], Candidate("New York", 3.5, 0.6)]) == 0
    assert choose([Candidate("Bo, Ada", 2.0, 0.6), Candidate("Bo", 1.0, 0.6)]) == 1


def test_runs_that_share_words():
    runs = [(0, 2), (4, 6), (1, 3), (6, 7)]
    assert collisions(runs) == [0, 2]
    assert collisions([(0, 2), (2, 3)]) == [] == collisions([])
    assert collisions([(3, 4), (3, 4)]) == [0, 1]
    assert likeliest(runs, [-2.0, -1.0, -1.5, -9.0]) == [1, 2, 3]
    assert likeliest([(0, 9), (0, 1), (8, 9)], [-1.0, -1.0, -0.5]) == [1, 2]
    assert likeliest([(0, 2), (1, 3)], [-1.0, -1.0]) == [0], "of equals the first"
