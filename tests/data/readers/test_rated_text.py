"""Texts with ratings: tables, JSON lines as ``annotate`` writes them, and what is refused."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.rated_text import RatedTexts
from xadapt.data.records import RatedText


def test_rows_of_annotate_are_read(tmp_path):
    path = tmp_path / "ratings.jsonl"
    rows = [{"id": f"p{i}", "lang": "sw", "text": f"habari {i}", "rating": 1 + i} for i in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = list(RatedTexts().read(str(path), "sw"))
    assert [type(row) for row in found] == [RatedText] * 4
    assert [(row.text, row.label, row.lang) for row in found] == [
        (f"habari {i}", str(1 + i), "sw") for i in range(4)
    ]
    named = list(RatedTexts(text="id", label="rating").read(str(path), "sw"))
    assert [row.text for row in named] == ["p0", "p1", "p2", "p3"]


@pytest.mark.parametrize("head", ["", "text\trating\n"])
def test_tables_are_read(tmp_path, head):
    path = tmp_path / "ratings.tsv"
    path.write_text(head + "good morning to you\t3.5\na list of words\t1\n", encoding="utf-8")
    found = list(RatedTexts().read(str(path), "en"))
    assert [(row.text, row.label) for row in found] == [
        ("good morning to you", "3.5"), ("a list of words", "1"),
    ]  # fmt: skip


def test_a_missing_column_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a", "stars": 3}\n', encoding="utf-8")
    with pytest.raises(UserError, match="rating"):
        list(RatedTexts().read(str(path), "en"))
