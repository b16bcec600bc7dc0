from __future__ import annotations

import random

import pytest

from xadapt.functional.tagged_text import from_tagged_text, to_tagged_text

WORDS = "Ada met Bo in New York".split()  # noqa: SIM905
SPANS = ((0, 1, "PER"), (2, 3, "PER"), (4, 6, "LOC"))
TEXT = "<PER> Ada </PER> met <PER> Bo </PER> in <LOC> New York </LOC>"


def test_spans_stand_in_the_text_and_are_read_back():
    assert to_tagged_text(WORDS, SPANS) == TEXT
    assert from_tagged_text(TEXT, WORDS, ["PER", "LOC"]) == SPANS
    assert from_tagged_text(TEXT.replace("> ", ">"), WORDS, ["PER", "LOC"]) == SPANS
    rng = random.Random(0)
    for _ in range(300):
        cuts = sorted(rng.sample(range(7), rng.choice((2, 4, 6))))
        spans = tuple(
            (a, b, rng.choice(("PER", "LOC"))) for a, b in zip(cuts[::2], cuts[1::2], strict=True)
        )
        assert from_tagged_text(to_tagged_text(WORDS, spans), WORDS, ["PER", "LOC"]) == spans


@pytest.mark.parametrize(
    "text",
    [
        "Ada met Bo in New",  # a word is missing
        "Ada met Bo in New York City",
        "Ada met bo in New York",
        "Ada met Bo in <LOC> New York",  # not closed
        "Ada met Bo in New York </LOC>",
        "Ada met Bo in <LOC> New York </PER>",
        "Ada <LOC> </LOC> met Bo in New York",  # empty
        "<PER> Ada met <LOC> Bo </LOC> </PER> in New York",  # nested
        "<ORG> Ada </ORG> met Bo in New York",  # unknown
        "",
    ],
)
def test_no_tagged_copy(text):
    assert from_tagged_text(text, WORDS, ["PER", "LOC"]) is None


def test_spans_that_can_not_be_written_are_refused():
    for spans in ([(0, 2, "PER"), (1, 3, "PER")], [(4, 9, "LOC")], [(1, 1, "LOC")]):
        with pytest.raises(ValueError, match="overlaps"):
            to_tagged_text(WORDS, spans)
