"""Questions with translations: both sides, a side without answers, none, and bad rows."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.translated_squad import TranslatedSquad
from xadapt.data.records import TranslatedQuestion

OWN = {
    "context": "Anna lacht",
    "question": "Wer?",
    "answers": [{"text": "Anna", "answer_start": 0}],
}
SAID = {"context": "It is Anna", "question": "Who?"}
ANSWER = {"answers": [{"text": "Anna", "answer_start": 6}]}


def read(path, *rows):
    file = path / "a.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return list(TranslatedSquad().read(str(file), "de", Notes()))


def test_both_sides_one_side_and_none(tmp_path):
    full, half, bare = read(
        tmp_path,
        {**OWN, "translation": {**SAID, **ANSWER}},
        {**OWN, "translation": SAID},
        {**OWN, "translation": None},
    )
    own = ("Wer?", "Anna lacht", ((0, "Anna"),), "de")
    assert full == TranslatedQuestion(*own, ("Who?", "It is Anna"), ((6, "Anna"),))
    assert half == TranslatedQuestion(*own, ("Who?", "It is Anna"), ())
    assert bare == TranslatedQuestion(*own) == read(tmp_path, OWN)[0]


def test_bad_rows_are_one_line(tmp_path):
    answer = {"text": "no", "answer_start": 0}
    for wrong in ("text", {"context": "x"}, {**SAID, "answers": [answer]}):
        with pytest.raises(UserError, match="the translation has no question"):
            read(tmp_path, {**OWN, "translation": wrong})
