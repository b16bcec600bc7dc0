from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.languages.tags import display_name, normalise, script


@pytest.mark.parametrize(
    ("given_tag", "tag"),
    [
        ("deu", "de"),
        ("de", "de"),
        (" EN ", "en"),
        ("zh_hant", "zh-Hant"),
        ("PT-br", "pt-BR"),
        ("swa", "sw"),
        ("rus", "ru"),
        ("yor", "yo"),
    ],
)
def test_tags_come_to_their_shortest_form(given_tag, tag):
    assert normalise(given_tag) == tag
    assert normalise(tag) == tag


@pytest.mark.parametrize("tag", ["", "  ", "und", "english", "zz-zz-zz-zz", "d", "1", "qqqq", "xx"])
def test_no_tag_is_refused(tag):
    with pytest.raises(UserError, match="unknown language tag"):
        normalise(tag)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=12))
def test_any_text_gives_a_stable_tag_or_a_user_error(text):
    try:
        tag = normalise(text)
    except UserError:
        return
    assert normalise(tag) == tag and display_name(tag) and len(script(tag)) == 4


def test_names_and_scripts():
    assert (display_name("sw"), script("ru"), script("hi")) == ("Swahili", "Cyrl", "Deva")
