"""Rows of EntityCS: marks are found and deleted, and rows of one language are read."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.entity_cs import EntityCS, unmarked
from xadapt.data.readers.notes import Notes, RowError

ROWS = [
    {"id": 19, "en_sentence": "The subs enter a <en>coral reef</en> ..", "language": "de",
     "cs_sentence": "The subs enter a <de>Korallenriff</de> .."},
    {"id": 19, "en_sentence": "The subs enter a <en>coral reef</en> ..", "language": "sw",
     "cs_sentence": "The subs enter a <sw>mwamba tumbawe</sw> .."},
    {"id": 20, "en_sentence": "<en>Cats</en> and <en>dogs</en>", "language": "de",
     "cs_sentence": "<de>Katzen</de> and <de></de><de>Hunde</de>"},
]  # fmt: skip


def read(path, lang, rows=ROWS):
    file = path / "cs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    notes = Notes()
    return list(EntityCS().read(str(file), lang, notes)), notes.lines


def test_the_rows_of_a_language_without_marks(tmp_path):
    rows, _ = read(tmp_path, "de")
    assert [r.text for r in rows] == ["The subs enter a Korallenriff ..", "Katzen and Hunde"]
    assert [[r.text[a:b] for a, b, _ in r.mentions] for r in rows] == [
        ["Korallenriff"], ["Katzen", "Hunde"],  # an entity without text is none
    ]  # fmt: skip
    assert all(r.lang == "de" and "<" not in r.text for r in rows)


def test_variants_of_a_sentence_stay_together(tmp_path):
    every, _ = read(tmp_path, "mul")
    assert [r.lang for r in every] == ["de", "sw", "de"]
    english, _ = read(tmp_path, "en")
    assert [r.text for r in english] == ["The subs enter a coral reef ..", "Cats and dogs"]
    groups = [set(r.split_texts()) for r in (every[0], every[1], english[0])]
    assert groups[0] & groups[1] & groups[2]


@pytest.mark.parametrize(
    "marked", ["a <de>b", "a </de>", "<de>a <de>b</de></de>", "<de>a</en>", "<br> b"]
)
def test_broken_marks_are_faults(marked):
    with pytest.raises(RowError):
        unmarked(marked)


def test_faulty_rows_are_skipped_or_refused(tmp_path):
    bad = {"en_sentence": "a", "cs_sentence": "<de>a", "language": "de"}
    rows, notes = read(tmp_path, "de", [*ROWS, bad])
    assert len(rows) == 2 and "1 of" in notes[-1]
    for row, said in (
        ({"cs_sentence": "a"}, "no language"),
        ({"cs_sentence": "a", "language": "??"}, "no language"),
        ({"language": "de"}, "no sentence"),
    ):
        with pytest.raises(UserError, match=said):
            read(tmp_path, "de", [row])
    with pytest.raises(UserError, match="no row is in fr"):
        read(tmp_path, "fr")
    assert not EntityCS().claims("x.jsonl", None)
