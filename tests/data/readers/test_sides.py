"""Finding the two sides, and what makes a pair."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.sides import (
    Limits,
    Request,
    find_language,
    find_sides,
    make_pair,
    row_pair,
)


@pytest.mark.parametrize(
    ("names", "tag", "found"),
    [
        (["en", "de"], "de", "de"),
        (["en", "deu"], "de", "deu"),
        (["en_US", "de_DE"], "de", "de_DE"),
        (["de-AT", "de-DE"], "de", "de-DE"),
        (["sw"], "swh", "sw"),
        (["pes"], "fa", "pes"),
        (["nn", "no"], "nb", "no"),
        (["English", "German"], "de", "German"),
        (["de-AT", "de"], "de", "de"),
        (["pt-BR", "pt-PT"], "pt-PT", "pt-PT"),
        (["pt-BR"], "pt-PT", "pt-BR"),
        (["zh-CN", "zh-TW"], "zh-Hant", "zh-TW"),
        (["zh-CN"], "zh-Hant", None),
        (["zh-TW"], "zh", "zh-TW"),
        (["source", "text", "label"], "de", None),
        (["fr", "es"], "de", None),
        ([], "de", None),
        (["", " ", "d", "de--", "x" * 5000], "de", None),
    ],
)
def test_find_language(names, tag, found):
    assert find_language(names, tag) == found


def test_sides_by_language_then_by_role_then_by_columns():
    request = Request("de")
    assert find_sides(("pivot", "text", "en", "de"), request) == ("en", "de")
    assert find_sides(("text", "pivot", "id"), request) == ("pivot", "text")
    assert find_sides(("a", "b"), request) is None
    assert find_sides(("a", "b"), Request("de", columns=("b", "a"))) == ("b", "a")
    assert find_sides(("en", "de"), Request("de", columns=("b", "a"))) is None


def test_regions_of_one_language_are_two_sides_only_where_both_are_there():
    request = Request("en-GB", "en")
    assert find_sides(("en", "en-GB"), request) == ("en", "en-GB")
    assert find_sides(("en-GB",), request) is None


def test_a_pair_is_stripped_and_knows_where_it_came_from():
    pair = make_pair(Request("sw"), text=" Habari ", pivot="\tNews\u3000", where="f:3")
    assert (pair.text, pair.pivot, pair.lang, pair.pivot_lang) == ("Habari", "News", "sw", "en")
    assert pair.origin == "f:3"


@pytest.mark.parametrize(
    ("text", "pivot", "said"),
    [
        ("", "a", "the sw side of this row is empty"),
        ("a", " \t", "the en side of this row is empty"),
        ("a" * 9, "a", "longer than 8"),
        ("\ud800", "a", "surrogate"),
    ],
)
def test_what_is_no_pair(text, pivot, said):
    with pytest.raises(UserError, match=said) as caught:
        make_pair(Request("sw", limits=Limits(chars=8)), text=text, pivot=pivot, where="f:3")
    assert caught.value.where == "f:3"
    assert caught.value.todo


def test_nothing_on_either_side_is_no_row():
    assert make_pair(Request("sw"), text=" ", pivot="", where="") is None


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"translation": {"en": "News", "sw": "Habari"}}, ()),
        ({"en": "News", "swh": "Habari", "score": 1.5}, ()),
        ({"pivot": "News", "text": "Habari"}, ()),
        ({"a": "News", "b": "Habari"}, ("a", "b")),
        ({"x": {"a": "News", "b": {"c": "Habari"}}}, ("x.a", "x.b.c")),
        ({"x.a": "News", "y": "Habari"}, ("x.a", "y")),
        ({"translation": "no mapping", "en": "News", "sw": "Habari"}, ()),
    ],
)
def test_rows_of_known_shapes(row, columns):
    pair = row_pair(row, Request("sw", columns=columns), "f:1")
    assert (pair.pivot, pair.text) == ("News", "Habari")


@pytest.mark.parametrize(
    ("row", "columns", "said"),
    [
        ({"en": "News"}, (), "no columns for 'en' and 'sw' .found: 'en'"),
        ({}, (), "found: none"),
        ({"a": "News"}, ("a", "b"), "no columns for 'a' and 'b'"),
        ({"a": "News", "b": "x"}, ("a", "b.c"), "no columns"),
        ({"en": "News", "sw": 3}, (), "holds int, not text"),
        ({"en": "News", "sw": ["Habari"]}, (), "holds list"),
        ({"en": "News", "sw": None}, (), "the sw side of this row is empty"),
    ],
)
def test_rows_that_lack_a_side(row, columns, said):
    with pytest.raises(UserError, match=said):
        row_pair(row, Request("sw", columns=columns), "f:1")
