from __future__ import annotations

import random
from itertools import product

import pytest

from xadapt.backbones.seq2seq.tag_automaton import TagAutomaton, Tags

END = 0
TAGS = Tags({"A": [10], "B": [11]}, {"A": [20], "B": [21]}, END)
LONG = Tags({"P": [7, 8], "PL": [7, 8, 9]}, {"P": [7, 5, 9], "PL": [7, 5, 6]}, END)


def after(automaton: TagAutomaton, *tokens: int) -> set[int]:
    return set(automaton.allowed(automaton.read(tokens), len(tokens)))


def test_what_may_follow_by_hand():
    one = TagAutomaton([[1], [2, 3]], TAGS)
    assert after(one) == {1, 10, 11}
    assert after(one, 10) == {1}, "no empty span"
    assert after(one, 10, 1) == {2, 20}, "only the same tag is closed"
    assert after(one, 10, 1, 20) == {2, 10, 11}, "an adjacent span may begin"
    assert after(one, 1, 2) == {3}, "a word is finished"
    assert after(one, 11, 1, 2) == {3}
    assert after(one, 11, 1, 2, 3) == {21}, "a tag is closed at the end"
    assert after(one, 1, 2, 3) == {END}, "no tag opens where no word is left"
    assert after(one, 1, 2, 3, END) == set()
    assert after(one, 4) == set()


def test_tags_of_several_tokens_share_their_beginning():
    one = TagAutomaton([[1], [2]], LONG)
    assert after(one) == {1, 7}
    assert after(one, 7) == {8}
    assert after(one, 7, 8) == {1, 9}, "P is complete, or PL goes on"
    assert after(one, 7, 8, 1) == {2, 7} and after(one, 7, 8, 9, 1, 7, 5) == {6}
    assert one.spans([7, 8, 1, 7, 5, 9, 7, 8, 9, 2, 7, 5, 6, END]) == ((0, 1, "P"), (1, 2, "PL"))


def test_a_word_that_begins_as_a_tag_is_read_both_ways():
    one = TagAutomaton([[7], [8]], LONG)
    assert after(one, 7) == {8, 7}, "the next word, or a tag; or the rest of a tag"
    assert after(one, 7, 8) == {END, 7, 9}, "both words are copied, or a tag was opened"
    assert one.spans([7, 8, END]) == ()
    assert one.spans([7, 8, 7, 8, 7, 5, 9, END]) == ((0, 2, "P"),)
    # the very word is a tag: the reading with fewer tags counts
    same = TagAutomaton([[7, 8], [7, 5, 9]], LONG)
    assert same.spans([7, 8, 7, 5, 9, END]) == ()


def test_every_output_of_a_small_sentence_is_reached_and_no_other():
    """The automaton against all strings, each parsed by hand."""
    words = [[1], [2]]
    one = TagAutomaton(words, TAGS)

    def parsed(tokens):
        spans, copied, start, name = [], [], 0, None
        for token in tokens:
            if token in (1, 2):
                copied.append(token)
            elif token >= 20:
                if name != "AB"[token - 20] or start == len(copied):
                    return None
                spans.append((start, len(copied), name))
                name = None
            else:
                if name:
                    return None
                start, name = len(copied), "AB"[token - 10]
        return tuple(spans) if copied == [1, 2] and name is None else None

    found = 0
    for length in range(7):
        for tokens in product((1, 2, 10, 11, 20, 21), repeat=length):
            wanted = parsed(tokens)
            assert one.spans([*tokens, END]) == wanted
            assert one.spans(tokens) is None, "an output without its end is none"
            found += wanted is not None
    # no span; one over a, b or both; one over each: with two types
    assert found == 1 + 3 * 2 + 2 * 2


def test_what_is_written_is_read():
    rng = random.Random(0)
    for _ in range(500):
        words = [[rng.randrange(30, 40) for _ in range(rng.randint(1, 3))] for _ in range(6)]
        cuts = sorted(rng.sample(range(7), 4))
        spans = [(cuts[0], cuts[1], "P"), (cuts[2], cuts[3], "PL")]
        spans += [(cuts[1], cuts[2], "PL")] * rng.randint(0, 1)
        one = TagAutomaton(words, LONG)
        tokens = one.write(spans)
        assert one.spans(tokens) == tuple(sorted(spans))
        assert one.spans([*tokens, 3, 3]) == tuple(sorted(spans)), "padding is not read"
        assert len(tokens) <= one.limit


def test_within_a_limit_every_output_ends():
    rng = random.Random(1)
    words = [[1], [2, 3], [4], [6, 6, 6]]
    bare = 8
    for limit in (bare, bare + 1, bare + 5, bare + 6, bare + 11, 99):
        one = TagAutomaton(words, LONG, limit)
        lengths, tagged = set(), 0
        for _ in range(200):
            tokens: list[int] = []
            while ways := one.allowed(one.read(tokens), len(tokens)):
                tokens.append(rng.choice(ways))
            spans = one.spans(tokens)
            assert spans is not None
            lengths.add(len(tokens))
            tagged += bool(spans)
        assert max(lengths) <= one.limit
        assert bool(tagged) == (limit >= bare + 5), "a tag of P and its end are five tokens"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Tags({}, {}, END), "one or more"),
        (lambda: Tags({"A": [1]}, {"B": [2]}, END), "of the same types"),
        (lambda: Tags({"A": []}, {"A": [2]}, END), "no token"),
        (lambda: Tags({"A": [1]}, {"A": [END]}, END), "ends the output"),
        (lambda: Tags({"A": [1], "B": [1]}, {"A": [2], "B": [3]}, END), "A and B have the same"),
        (lambda: TagAutomaton([[1], []], TAGS), "no token"),
        (lambda: TagAutomaton([[END]], TAGS), "ends the output"),
        (lambda: TagAutomaton([[1], [2]], TAGS, 2), "are 3 tokens, not 2"),
        (lambda: TagAutomaton([[1]], TAGS).write([(0, 2, "A")]), "can't be written"),
        (lambda: TagAutomaton([[1]], TAGS).write([(0, 1, "C")]), "can't be written"),
        (lambda: TagAutomaton([[1]], TAGS).write([(0, 1, "A"), (0, 1, "B")]), "can't be written"),
    ],
)
def test_what_can_not_be_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
