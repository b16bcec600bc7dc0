from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.composition.text import parse, show
from xadapt.composition.values import ByLanguage, Composition, Fuse, Mix, Route, Stack, names
from xadapt.core.errors import UserError

NAMES = st.one_of(
    st.from_regex(r"[a-z][a-z0-9_.-]{0,6}(:[a-z]{1,3})?", fullmatch=True), st.text(min_size=1)
)


def nested(inner):
    parts = st.lists(inner, min_size=1, max_size=3)
    weight = st.floats(allow_nan=False, allow_infinity=False)
    return st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda p: Stack(*p)),
        st.dictionaries(inner, weight, min_size=1, max_size=3).map(Mix),
        st.tuples(NAMES, parts).map(lambda p: Route(*p)),
        st.tuples(NAMES, parts).map(lambda p: Fuse(*p)),
        st.dictionaries(st.one_of(NAMES, st.just("*")), inner, min_size=1, max_size=3).map(
            ByLanguage
        ),
    )


@given(st.recursive(st.one_of(st.none(), NAMES), nested, max_leaves=12))
def test_what_is_printed_is_parsed_to_an_equal_value(composition):
    assert parse(show(composition)) == composition
    assert show(parse(show(composition))) == show(composition)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ner", "ner"),
        ("none", None),
        ('"none"', "none"),
        (
            "lang:swh + mix(align-a:.7, align-b:.3) + ner",
            Stack("lang:swh", Mix({"align-a": 0.7, "align-b": 0.3}), "ner"),
        ),
        ("a+(b+c)", Stack("a", "b", "c")),
        ("mix((a + b):1, none:-2e-1)", Mix({Stack("a", "b"): 1.0, None: -0.2})),
        ("mix(lang:swh:.5,lang:hau:.5)", Mix({"lang:swh": 0.5, "lang:hau": 0.5})),
        (" route( r1 ; a , b + c ) ", Route("r1", ["a", Stack("b", "c")])),
        ("fuse(f; a)", Fuse("f", ["a"])),
        (
            "by_language(swh = lang-swh + ner, * = none)",
            ByLanguage({"swh": Stack("lang-swh", "ner"), "*": None}),
        ),
        ("mix + route", Stack("mix", "route")),
        ('"my runs/de" + ./runs/x.1/de', Stack("my runs/de", "./runs/x.1/de")),
        ("org/name@v2", "org/name@v2"),
    ],
)
def test_forms(text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "name is missing"),
        ("a +", "name is missing"),
        ("a b", "too much"),
        ("mix(a:.5, a:.5)", "twice"),
        ("mix(a:.5, b)", "':' is missing"),
        ("mix(a, b:.5)", "')' is missing"),
        ("mix(a, a)", "twice"),
        ("mix(a: x)", "weight is missing"),
        ("mix(a:1e999)", "weight is missing"),
        ("mix()", "name is missing"),
        ("route(r, a)", "';' is missing"),
        ("by_language(de=a, de=b)", "twice"),
        ("(a", "')' is missing"),
        ('"a', "name is missing"),
        ('""', "empty"),
        ('"\\q"', "malformed"),
        ("(" * 5000 + "a", "deep"),
        ("mix(" * 5000 + "a", "deep"),
        ("(" * 65 + "a" + ")" * 65, "more than 64 deep"),
        (" + ".join(["sw"] * 5000), "more than 1000 parts"),
        ("mix(" + ", ".join(f"m{n}:.1" for n in range(20_000)) + ")", "more than 1000 parts"),
        ("a" * 2_000_000, "longer than 1048576"),
    ],
)
def test_mistakes_are_one_line_that_shows_where(text, said):
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        parse(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


@given(st.text(alphabet='abm ix():;,=+*"\\.1-none', max_size=40))
def test_any_text_parses_or_is_refused(text):
    with contextlib.suppress(UserError):
        assert parse(show(parse(text))) == parse(text)


def test_names_of_all_modules_in_order():
    value = Stack("l", Mix({"a": 1.0, Stack("b", "l"): 2.0}), Route("r", ["c", None]))
    assert names(value) == ["l", "a", "b", "r", "c"]
    assert names(ByLanguage({"de": Fuse("f", ["x"]), "*": "y"})) == ["f", "x", "y"]


def test_a_module_may_have_any_name_even_that_of_all_others():
    for value in ("*", Route("*", [None]), Stack("*", "a"), ByLanguage({"*": "*", "sw": "a"})):
        assert parse(show(value)) == value


def test_the_most_parts_and_the_deepest_are_read_and_shown_at_once():
    began = time.monotonic()
    for text in (
        " + ".join(["sw"] * 1000),
        "mix(" + ", ".join(f"m{n}" for n in range(1000)) + ")",
        "by_language(" + ", ".join(f"x{n} = a" for n in range(1000)) + ")",
        "mix(" * 64 + "a" + ")" * 64,
    ):
        assert parse(show(parse(text))) == parse(text)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"C:\runs\de", r"C:\runs\de"),
        ("C:/runs/de + x", Stack("C:/runs/de", "x")),
        (r"mix(C:\a:.7, b\c:.3)", Mix({r"C:\a": 0.7, r"b\c": 0.3})),
        (r'"C:\\my runs\\de"', r"C:\my runs\de"),
        ("lang:swh", "lang:swh"),
    ],
)
def test_folders_as_windows_writes_them(text: str, found: Composition) -> None:
    assert parse(text) == found and parse(show(found)) == found
