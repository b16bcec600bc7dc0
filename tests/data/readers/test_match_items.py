from __future__ import annotations

import pytest
from tiny_graphs import lines, write

from xadapt.core.errors import UserError
from xadapt.data.readers.match_items import Item, read_items, read_matches


def test_every_form(tmp_path):
    write(
        tmp_path,
        {
            "texts.tsv": "t1\tMany  cases\nt2\tFew\n",
            "rows.tsv": "ID\tcountry\tcases\nr1\tKenya\t12\nr2\tChad\t\n",
            "rows.jsonl": lines(
                {"id": "r1", "country": "Kenya", "cases": 12}, {"id": "r2", "text": "x"}
            ),
            "gold.tsv": "t1\tr1\nt1\tr2\n\nt2\tr1\n",
        },
    )
    assert read_items(f"{tmp_path}/texts.tsv") == [
        Item("t1", (("", "Many cases"),)), Item("t2", (("", "Few"),))
    ]  # fmt: skip
    rows = read_items(f"{tmp_path}/rows.tsv")
    assert rows == [
        Item("r1", (("country", "Kenya"), ("cases", "12"))),
        Item("r2", (("country", "Chad"),)),
    ]
    assert rows[0].text == "country: Kenya; cases: 12"
    assert read_items(f"{tmp_path}/rows.jsonl") == [rows[0], Item("r2", (("", "x"),))]
    assert read_matches(f"{tmp_path}/gold.tsv") == {"t1": {"r1", "r2"}, "t2": {"r1"}}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.tsv", "t1\n", "1 cells"),
        ("a.tsv", "t1\ta\tb\n", "3 cells"),
        ("a.tsv", "\ta\n", "no id"),
        ("a.tsv", "t1\t\n", "no text"),
        ("a.tsv", "id\t\n", "has no name"),
        ("a.tsv", "id\ta\nr1\tx\ty\n", "3 cells"),
        ("a.tsv", "id\ta\n", "no item"),
        ("a.tsv", "t1\ta\nt1\tb\n", "two items"),
        ("a.jsonl", lines({"id": "r1"}), "no text"),
        ("a.jsonl", lines({"text": "x"}), "id is no text"),
        ("a.jsonl", lines({"id": "r1", "a": [1]}), "a is no text"),
        ("a.jsonl", lines({"id": "r1", "a": True}), "a is no text"),
    ],
)
def test_faults_are_named(tmp_path, name, text, said):
    write(tmp_path, {name: text})
    with pytest.raises(UserError, match=said):
        read_items(f"{tmp_path}/{name}")


def test_faulty_pairs(tmp_path):
    for text, said in (("t1\n", "no pair of ids"), ("t1\t\n", "no pair"), ("\n", "is no pair")):
        write(tmp_path, {"gold.tsv": text})
        with pytest.raises(UserError, match=said):
            read_matches(f"{tmp_path}/gold.tsv")
