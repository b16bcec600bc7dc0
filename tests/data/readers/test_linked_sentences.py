"""Linked mentions: sentences of articles, overlaps, and faults."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.loading.records import digest
from xadapt.data.readers.linked_sentences import LinkedSentences, apart, cut
from xadapt.data.readers.notes import Notes


def read(path, rows, lang="en", **options):
    file = path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    notes = Notes()
    return list(LinkedSentences(**options).read(str(file), lang, notes)), notes.lines


def mention(text, name, entity):
    start = text.index(name)
    return {"start": start, "end": start + len(name), "id": entity, "text": name}


TEXT = "Title\n\nBerlin is in Germany. Mr. Smith went to New York City. He stayed.\nIt rained."
ARTICLE = {
    "text": TEXT,
    "labels": [
        mention(TEXT, "Berlin", "Q64"), mention(TEXT, "Germany", "Q183"),
        mention(TEXT, "New York City", "Q60"), mention(TEXT, "New York", "Q1384"),
        mention(TEXT, "It", "QUANTITY"), mention(TEXT, "Title", "Q9"),
    ],
    "evaluation_span": [7, len(TEXT)],
}  # fmt: skip


def test_articles_are_cut_into_sentences_with_their_mentions(tmp_path):
    rows, _ = read(tmp_path, [ARTICLE])
    found = [(r.text, [(r.text[a:b], i) for a, b, i in r.mentions]) for r in rows]
    assert found == [
        ("Berlin is in Germany.", [("Berlin", "Q64"), ("Germany", "Q183")]),
        ("Smith went to New York City.", [("New York City", "Q60")]),
        ("It rained.", [("It", "QUANTITY")]),
    ]
    rows, _ = read(tmp_path, [ARTICLE], sentences=False)
    assert len(rows) == 1 and len(rows[0].mentions) == 4


def test_sentences_of_an_article_stay_together_wherever_the_file_lies(tmp_path):
    keys = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        rows, _ = read(folder, [ARTICLE])
        assert len({row.row for row in rows}) == 1
        keys.append(digest(rows))
    assert keys[0] == keys[1]


def test_ids_that_are_no_entities_are_left_out(tmp_path):
    text = "Berlin in 1990"
    dated = {
        "sentence": text,
        "mentions": [mention(text, "Berlin", "Q64"), mention(text, "1990", "DATETIME")],
    }
    rows, _ = read(tmp_path, [dated])
    assert rows[0].mentions == ((0, 6, "Q64"),)
    rows, _ = read(tmp_path, [dated], ids="")
    assert len(rows[0].mentions) == 2


def test_the_longest_of_overlapping_mentions_stays():
    assert apart([(0, 8, "a"), (0, 13, "b"), (9, 13, "c"), (20, 22, "d")]) == [
        (0, 13, "b"), (20, 22, "d"),
    ]  # fmt: skip


def test_no_sentence_ends_inside_a_mention():
    text = "The band St. Vincent plays. Then more."
    assert [text[a:b] for a, b in cut(text, [(9, 20, "Q")], 0, len(text))] == [
        "The band St. Vincent plays.", "Then more.",
    ]  # fmt: skip


def test_the_language_of_the_texts_may_differ_from_that_of_the_run(tmp_path):
    rows, _ = read(tmp_path, [ARTICLE], "de", text_lang="en")
    assert {row.lang for row in rows} == {"en"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"mentions": []}, "no text"),
        ({"text": "a"}, "no list of mentions"),
        ({"text": "a", "mentions": "b"}, "no list of mentions"),
        ({"text": "abc", "mentions": [{"start": 1, "end": 9}]}, "not inside the text"),
        ({"text": "abc", "mentions": [{"start": True, "end": 2}]}, "not inside the text"),
        ({"text": "abc", "mentions": [7]}, "not inside the text"),
        ({"text": "abc", "mentions": [], "evaluation_span": [1]}, "not two numbers"),
    ],
)
def test_faults_are_one_line(tmp_path, row, said):
    with pytest.raises(UserError, match=said):
        read(tmp_path, [row])


def test_a_file_without_mentions_is_refused(tmp_path):
    with pytest.raises(UserError, match="no text in this file has a linked mention"):
        read(tmp_path, [{"text": "abc", "mentions": []}])
    assert not LinkedSentences().claims("x.jsonl", None)
