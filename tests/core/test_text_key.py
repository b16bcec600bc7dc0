from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xadapt.core.text_key import normal_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Good day!", "good  day"),
        ("STRASSE", "straße"),
        ("ﬁn", "fin"),
        ("e\u0301t\u00e9", "été"),
        ("„Ja“, 12", "ja 12"),
        ("１２", "12"),
        ("!!", " !! "),
    ],
)
def test_texts_that_count_as_equal(one, other):
    assert normal_key(one) == normal_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("वह जाता है", "वह जाती है"),
        ("मैं", "मे"),
        ("schon", "schön"),
        ("1.2", "13"),
        ("!", "?"),
        ("กา", "กี"),
    ],
)
def test_texts_that_do_not(one, other):
    assert normal_key(one) != normal_key(other)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(categories=["L", "Nd", "P", "Zs"]), max_size=20))
def test_a_key_is_its_own_key(text):
    assert normal_key(normal_key(text)) == normal_key(text)
    assert normal_key(text) == normal_key(f" {text} ")
