"""Translations of questions: passage and answers, and answers that are lost."""

from __future__ import annotations

from xadapt.data.records import Question, TranslatedQuestion
from xadapt.data.transforms.protocol import Services
from xadapt.data.transforms.translate_questions import TranslateQuestions

SAID = {"who?": "wer?", "the cat": "die Katze", "cat": "katze", "dog": "Hund"}
SAID["the dog"] = "ein Tier"
ROWS = [
    Question("who?", "the cat", ((4, "cat"),), "en"),
    Question("who?", "the dog", ((4, "dog"),), "en"),
]


def run(rows, translator=True):
    log = []
    given = {"translate": lambda texts, *_: [SAID[text] for text in texts]} if translator else {}
    services = Services("en", callables=given, log=log.append)
    return TranslateQuestions(("de", "nl")).apply(rows, services), log


def test_answers_stand_in_the_translated_passage_or_are_lost():
    found, log = run(ROWS)
    assert [row.translation for row in found] == [("wer?", "die Katze")] * 2 + [
        ("wer?", "ein Tier")
    ] * 2
    assert [row.translated_answers for row in found] == [((4, "Katze"),)] * 2 + [()] * 2
    assert "2 of 2 questions translated: 4 pairs, 2 of them without" in log[0]


def test_without_a_translator_nothing_is_translated():
    found, _ = run(ROWS, translator=False)
    assert found == [TranslatedQuestion("who?", r.passage, r.answers, "en") for r in ROWS]
