"""Translations of texts without one: each text once, and nothing without a translator."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.records import TranslatedText
from xadapt.data.transforms.protocol import Services
from xadapt.data.transforms.translate import TranslateTexts

ROWS = [
    TranslatedText("the cat", "a", "en"),
    TranslatedText("the cat", "b", "en"),
    TranslatedText("a dog", "a", "en", "ein Hund"),
    TranslatedText("eine Matte", "a", "de"),
]


def run(rows, into=("de", "fr"), translator=True):
    calls, log = [], []

    def translate(texts, source, target):
        calls.append((list(texts), source, target))
        return [f"{text} ({target})" for text in texts]

    given = {"translate": translate} if translator else {}
    services = Services("en", callables=given, log=log.append)
    return TranslateTexts(tuple(into)).apply(rows, services), calls, log


def test_pivot_texts_into_each_language_and_others_into_the_pivot():
    found, calls, log = run(ROWS)
    assert [row.translation for row in found] == [
        "the cat (de)", "the cat (fr)", "the cat (de)", "the cat (fr)",
        "ein Hund", "eine Matte (en)",
    ]  # fmt: skip
    assert [row.label for row in found] == ["a", "a", "b", "b", "a", "a"]
    assert calls == [
        (["the cat"], "en", "de"), (["the cat"], "en", "fr"), (["eine Matte"], "de", "en"),
    ]  # fmt: skip
    assert log == ["3 of 4 texts translated: 6 pairs"]


def test_without_a_translator_nothing_changes():
    found, _, log = run(ROWS, translator=False)
    assert found == ROWS and log == ["3 of 4 texts have no translation: each is paired with itself"]
    assert run(ROWS[2:3])[1] == []


def test_a_missing_language_is_refused():
    with pytest.raises(UserError, match="no language is named"):
        run(ROWS, into=())
