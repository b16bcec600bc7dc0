from __future__ import annotations

import pytest

from xadapt.composition.by_language import choices, entry, for_language, lacks, opened
from xadapt.composition.text import parse
from xadapt.composition.values import ByLanguage
from xadapt.core.errors import UserError


@pytest.mark.parametrize(
    ("text", "tag", "opened"),
    [
        ("by_language(sw = a + ner, * = ner)", "swh", "a + ner"),
        ("by_language(sw = a + ner, * = ner)", "fr", "ner"),
        ("by_language(sw = a)", "fr", "none"),
        ("by_language(sw = a) + ner", "fr", "ner"),
        ("by_language(sw = a) + by_language(de = b)", "fr", "none"),
        ("by_language(sw = a, de = b + c) + ner", "de", "b + c + ner"),
        ("mix(by_language(sw = a, * = b):.5, b:.25)", "sw", "mix(a:0.5, b:0.25)"),
        ("mix(by_language(sw = a, * = b):.5, b:.25)", "de", "mix(b:0.75)"),
        ("route(r; a, by_language(de = b))", "sw", "route(r; a, none)"),
        ("fuse(f; by_language(* = x), y)", "sw", "fuse(f; x, y)"),
        ("by_language(* = by_language(sw = x, * = y))", "sw", "x"),
        ("a + b", "sw", "a + b"),
        ("none", "sw", "none"),
    ],
)
def test_opened_for_a_language(text, tag, opened):
    assert for_language(parse(text), tag) == parse(opened)


def test_an_equal_tag_goes_before_one_that_means_the_same():
    assert entry(ByLanguage({"zh": "a", "zh-Hans": "b"}), "zh-Hans") == "b"


def test_what_lacks_a_language_is_known():
    value = parse("by_language(sw = a, de = b) + by_language(sw = c, * = none)")
    assert not lacks(value, "swh") and lacks(value, "fr") and not lacks(parse("a + b"), "fr")
    nested = parse("by_language(de = by_language(sw = a), sw = b)")
    assert [len(choice.parts) for choice in choices(nested)] == [2, 1]


def test_all_that_it_can_be():
    value = parse("by_language(sw = a, de = none) + by_language(de = b, * = c)")
    assert opened(value) == [parse("a + c"), "b", "c"]
    assert opened(parse("a + b")) == [parse("a + b")]


def test_no_language_tag_is_refused():
    with pytest.raises(UserError):
        for_language(parse("by_language(sw = a)"), "not a tag!")
