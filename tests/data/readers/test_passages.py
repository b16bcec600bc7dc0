from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.passages import Passage, read_by_id, read_passages


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("p.tsv", "1\tone\n\n2\ttwo\n", [Passage("1", "", "one"), Passage("2", "", "two")]),
        ("p.tsv", "id\ttitle\ttext\n1\tT\tone\n2\t\ttwo\n",
         [Passage("1", "T", "one"), Passage("2", "", "two")]),
        ("p.jsonl", '{"_id": 7, "title": "T", "text": "one"}\n{"_id": "8", "text": "two"}\n',
         [Passage("7", "T", "one"), Passage("8", "", "two")]),
    ],
)  # fmt: skip
def test_passages_of_every_form(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert list(read_passages(str(tmp_path / name))) == expected


def test_the_title_stands_in_front_of_the_text():
    assert Passage("1", "Title", "text").whole == "Title text"
    assert Passage("1", "", "text").whole == "text"


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("p.tsv", "", "no passage"),
        ("p.tsv", "one column\n", "1 columns"),
        ("p.tsv", "1\ta\n2\tb\tc\n", "3 columns"),
        ("p.tsv", "1\ta\n1\tb\n", "twice"),
        ("p.tsv", "1\t \n", "empty"),
        ("p.jsonl", '{"text": "x"}\n', "the id holds nothing"),
        ("p.jsonl", '{"id": "1", "text": 3}\n', "int, not text"),
    ],
)
def test_faulty_passages_are_one_line(tmp_path, name, text, fault):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=fault):
        list(read_passages(str(tmp_path / name)))


@pytest.mark.parametrize("text", ["", "a\n", "a\t\n", "a\tb\tc\n"])
def test_faulty_queries_are_one_line(tmp_path, text):
    (tmp_path / "q.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="query"):
        list(read_by_id(str(tmp_path / "q.tsv")))
