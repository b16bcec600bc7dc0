from __future__ import annotations

import random
from itertools import pairwise

import pytest

from xadapt.functional.span_projection import (
    MERGED,
    NO_LINK,
    PUNCTUATION,
    SHORTER,
    count_spans,
    is_punctuation,
    longest_run,
    project_spans,
)

WORDS = [f"w{i}" for i in range(12)]


def test_a_span_follows_its_links():
    found = project_spans([(0, 2, "PER"), (3, 4, "LOC")], [(0, 4), (1, 5), (3, 0), (2, 9)], WORDS)
    assert found.spans == ((0, 1, "LOC"), (4, 6, "PER")) and found.dropped == {}


@pytest.mark.parametrize(
    ("words", "gap", "run"),
    [
        ([3], 1, (3, 4)),
        ([3, 5], 1, (3, 6)),
        ([3, 5], 0, (3, 4)),
        ([3, 6], 1, (3, 4)),
        ([3, 6], 2, (3, 7)),
        ([1, 4, 5], 1, (4, 6)),
        # B I O I: the released code measures 4 words here and joins nothing
        ([0, 1, 3], 1, (0, 4)),
        ([0, 1, 3, 4, 6, 9], 1, (0, 7)),
    ],
)
def test_runs_are_joined_across_gaps(words, gap, run):
    assert longest_run(words, gap) == run


def test_swapped_spans_do_not_collide():
    """The order of the target is another: neighbours in source order overlap in no word."""
    spans = [(0, 1, "PER"), (1, 2, "PER"), (2, 3, "LOC")]
    found = project_spans(spans, [(0, 6), (1, 2), (2, 0)], WORDS)
    assert found.spans == ((0, 1, "LOC"), (2, 3, "PER"), (6, 7, "PER")) and found.dropped == {}


def test_adjacent_spans_of_one_type_stay_two():
    found = project_spans([(0, 1, "PER"), (2, 3, "PER")], [(0, 4), (2, 5)], WORDS)
    assert found.spans == ((4, 5, "PER"), (5, 6, "PER"))


def test_overlapping_spans_of_one_type_become_one():
    spans = [(0, 2, "ORG"), (2, 4, "ORG"), (5, 6, "ORG")]
    found = project_spans(spans, [(0, 1), (1, 2), (2, 2), (3, 3), (5, 8)], WORDS)
    assert found.spans == ((1, 4, "ORG"), (8, 9, "ORG")) and found.dropped == {1: MERGED}
    # one inside another, then a third that only the longer one reaches
    spans = [(0, 1, "A"), (1, 2, "A"), (2, 3, "A")]
    links = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (2, 3), (2, 4)]
    found = project_spans(spans, links, WORDS)
    assert found.spans == ((0, 5, "A"),) and found.dropped == {1: MERGED, 2: MERGED}


def test_the_longer_of_two_types_stays():
    spans = [(0, 1, "LOC"), (1, 2, "ORG"), (3, 4, "PER")]
    found = project_spans(spans, [(0, 5), (1, 4), (1, 5), (3, 9)], WORDS)
    assert found.spans == ((4, 6, "ORG"), (9, 10, "PER")) and found.dropped == {0: SHORTER}
    # of equals, the first in the target
    found = project_spans(spans[:2], [(0, 5), (1, 5)], WORDS)
    assert found.spans == ((5, 6, "LOC"),) and found.dropped == {1: SHORTER}
    # what was merged and loses is dropped whole
    spans = [(0, 1, "A"), (1, 2, "A"), (2, 3, "B")]
    found = project_spans(spans, [(0, 3), (1, 3), (2, 2), (2, 3)], WORDS)
    assert found.spans == ((2, 4, "B"),) and found.dropped == {0: SHORTER, 1: SHORTER}


def test_spans_without_words_are_dropped_with_a_reason():
    target = ["Ada", ",", "«", "York", "。"]
    spans = [(0, 1, "PER"), (1, 2, "LOC"), (2, 3, "LOC"), (3, 5, "LOC")]
    found = project_spans(spans, [(0, 1), (0, 4), (2, 2), (3, 1), (4, 3)], target)
    assert found.spans == ((3, 4, "LOC"),)
    assert found.dropped == {0: PUNCTUATION, 1: NO_LINK, 2: PUNCTUATION}
    assert [is_punctuation(word) for word in ("-", "¿", "、", "€", "A.", "3")] == [True] * 4 + [
        False
    ] * 2


def test_a_span_whose_very_words_stand_in_the_target_may_go_to_them():
    source = "Ada and Ada saw New York".split()  # noqa: SIM905
    target = "Ada und Ada sahen New York".split()  # noqa: SIM905
    spans = [(0, 1, "PER"), (2, 3, "PER"), (4, 6, "LOC")]
    found = project_spans(spans, [(0, 0)], target, source=source)
    assert found.spans == ((0, 1, "PER"), (2, 3, "PER"), (4, 6, "LOC")) and found.dropped == {}
    found = project_spans(spans, [(0, 0)], target[:2], source=source)
    assert found.dropped == {1: NO_LINK, 2: NO_LINK}
    # a link of one word alone, or to a wrong word, does not hold a name back
    assert project_spans(spans[2:], [(4, 4)], target).spans == ((4, 5, "LOC"),)
    assert project_spans(spans[2:], [(4, 3)], target, source=source).spans == ((4, 6, "LOC"),)
    # of two places, the one with a link
    assert project_spans(spans[:1], [(0, 2)], target, source=source).spans == ((2, 3, "PER"),)


def test_identity_links_project_every_span_on_itself_and_outputs_never_overlap():
    rng = random.Random(0)
    for _ in range(500):
        cuts = sorted(rng.sample(range(13), 6))
        spans = [(a, b, rng.choice("AB")) for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
        same = project_spans(spans, [(i, i) for i in range(12)], WORDS)
        assert same.spans == tuple(spans) and not same.dropped
        links = [(rng.randrange(12), rng.randrange(12)) for _ in range(rng.randrange(20))]
        found = project_spans(spans, links, WORDS, gap=rng.randrange(3))
        assert len(found.spans) + len(found.dropped) == len(spans)
        for (_, end, _), (start, _, _) in pairwise(found.spans):
            assert end <= start
        mirrored = project_spans(spans[::-1], links, WORDS, gap=1)
        assert mirrored.spans == project_spans(spans, links, WORDS, gap=1).spans


def test_bad_links_are_refused():
    with pytest.raises(ValueError, match="leaves a target of 12"):
        project_spans([(0, 1, "A")], [(0, 12)], WORDS)
    with pytest.raises(ValueError, match="at least 0"):
        project_spans([(0, 1, "A")], [(0, 1)], WORDS, gap=-1)


def test_counts():
    gold = [(0, 1, "A"), (2, 4, "B")]
    assert count_spans(gold, [(0, 1, "A"), (2, 4, "A"), (5, 6, "B")]) == (1, 3, 2)
