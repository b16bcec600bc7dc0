"""Translations of tagged sentences, as words."""

from __future__ import annotations

from xadapt.data.records import TaggedSentence, TranslatedSentence
from xadapt.data.transforms.protocol import Services
from xadapt.data.transforms.translate_words import TranslateWords

ROWS = [
    TaggedSentence(("the", "cat"), ((1, 2, "A"),), "en"),
    TranslatedSentence(("a", "dog"), (), "en", ("ein", "Hund")),
]


def test_words_are_joined_translated_and_split():
    given = {"translate": lambda texts, source, target: [f"{t} ({target})" for t in texts]}
    found = TranslateWords(("de",)).apply(ROWS, Services("en", callables=given))
    assert [row.translation for row in found] == [("the", "cat", "(de)"), ("ein", "Hund")]
    assert found[0].spans == ROWS[0].spans and type(found[0]) is TranslatedSentence


def test_without_a_translator_sentences_have_none():
    found = TranslateWords().apply(ROWS, Services("en"))
    assert [row.translation for row in found] == [(), ("ein", "Hund")]
