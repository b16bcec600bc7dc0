"""Kept parts: what each parser finds, and what it must leave to the translator."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from xadapt.core.errors import UserError
from xadapt.integrations.protected.spans import KINDS, find_spans, kinds_of, texts_of

FOUND = [
    ("code", "Run this:\n\n```sh\nls -l\n```\n\nThen stop.", ["```sh\nls -l\n```"]),
    ("code", "Use `a` and ``b ` c`` now, but not ` alone.", ["`a`", "``b ` c``"]),
    ("code", "def f(n):\n    return n + 1\n", ["def f(n):\n    return n + 1"]),
    ("code", "Fix it:\nfor i in range(3):\n    print(i)\nThank you", None),
    ("code", "    total = 0\n    for x in y:\n        total += x", None),
    ("code", "\\documentclass{article}\nHi\n\\end{document} is all", None),
    ("math", "Is $x^2 + 1$ or \\(a\\) or $$\\frac{1}{2}$$ more?", ["$x^2 + 1$", "\\(a\\)", None]),
    ("math", "\\begin{align}x&=1\\end{align} holds", ["\\begin{align}x&=1\\end{align}"]),
    ("math", "It is 3 * (4 + 5) = 27 <<3*9=27>> in all\n#### 27", ["3 * (4 + 5) = 27", None, None]),
    ("json", 'Read {"name": "Ada", "n": [1, 2]} and [] now', ['{"name": "Ada", "n": [1, 2]}']),
    ("url", "See https://a.org/b_(c), or mail me@b.org.", ["https://a.org/b_(c)", "me@b.org"]),
    ("url", "[here](/docs/x.html) and ./run.sh", ["/docs/x.html", "./run.sh"]),
    ("markup", "A <b>bold</b> word &amp; more", ["<b>", "</b>", "&amp;"]),
    ("table", "Now:\n\n| a | b |\n|---|---|\n| one | two |\n\nEnd", None),
    ("table", "name\tage\nAda\t36\nend", ["name\tage\nAda\t36"]),
    ("placeholder", "Dear {name}, %s [your name] <<title>>", ["{name}", "%s", "[your name]", None]),
]


@pytest.mark.parametrize(("kind", "text", "wanted"), FOUND)
def test_a_kind_is_found(kind, text, wanted):
    found = texts_of(text, find_spans(text, [kind]))
    assert found
    if wanted is not None:
        assert len(found) == len(wanted)
        assert all(a == b for a, b in zip(found, wanted, strict=True) if b is not None)


PROSE = [
    "I paid $5 or $6 for it, and and/or is fine.",
    "Yes.",
    "If you go, I go. Return to the well-known house (now)!",
    "Names: Ada, Bo - and it's a B grade; he said 'a - no'.",
    "A tab\there.",
    "He is 5. She has [1] and (2).",
    "I am sorry (a bit) about the {} braces.",
]


@pytest.mark.parametrize("text", [*PROSE[:5], PROSE[6]])
def test_prose_is_left_to_the_translator(text):
    assert find_spans(text) == []


def test_overlapping_parts_become_one_of_the_longest_kind():
    text = 'Say:\n\n```\n{"a": "https://b.org"}\n```'
    [span] = find_spans(text)
    assert span.kind == "code" and text[span.start : span.end].startswith("```")


def test_only_the_kinds_that_are_named_are_found():
    text = "`a` $b$ https://c.org"
    assert [s.kind for s in find_spans(text, ["math", "url"])] == ["math", "url"]
    assert kinds_of("url, math") == ("math", "url") and kinds_of("all") == KINDS
    for wrong in ("", "maths", "all,none"):
        with pytest.raises(UserError, match="kind"):
            kinds_of(wrong)


def test_any_text_is_read_and_its_spans_are_in_order():
    rng = random.Random(0)
    bits = [
        *("`", "$", "\\(", "{", "[", '"', "\n", "\n\n", "|", "<b", ">", "x = 1", "\t", "é", "\r"),
        *("\\begin{a}", "https://", "```", "    ", "%", "1", "((", "a"),
    ]  # fmt: skip
    for _ in range(300):
        text = "".join(rng.choices(bits, k=30))
        spans = find_spans(text)
        assert all(0 <= s.start < s.end <= len(text) for s in spans)
        assert all(a.end <= b.start for a, b in pairwise(spans))
