from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.memory_records import read_in_memory
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.sides import Request
from xadapt.data.readers.text_pairs import TextPairs
from xadapt.data.records import TextPair

A = TextPair("wer bellt", "der Hund", ("die Katze",), "de")
B = TextPair("wer miaut", "die Katze", (), "de")


def read(path: Path, text: str, notes: Notes | None = None, **options: str) -> list[TextPair]:
    path.write_text(text, encoding="utf-8")
    return list(TextPairs(**options).read(str(path), "de", notes or Notes()))


def memory(data, columns=None, notes: Notes | None = None) -> list[TextPair]:
    table = InMemory(data, columns)
    return list(read_in_memory(table, "text_pairs", Request("de", "en"), notes or Notes()))


def test_columns_by_order(tmp_path: Path) -> None:
    notes = Notes()
    text = "wer bellt\tder Hund\tdie Katze\n\nwer miaut\tdie Katze\t\n"
    found = read(tmp_path / "a.tsv", text, notes)
    assert found == [A, B] and found[1].origin.endswith("a.tsv:3")
    assert notes.lines == ["a.tsv: column '1' is the anchor, '2' the positive; hard negatives: '3'"]
    assert read(tmp_path / "a.csv", '"wer bellt",der Hund,"die Katze"\n') == [A]


@pytest.mark.parametrize("names", ["anchor\tpositive\tnegative", "Query\tanswer\tnegative_1",
                                   "question\tpassage\thard_negative_1"])  # fmt: skip
def test_a_header_of_usual_names_decides(tmp_path: Path, names: str) -> None:
    notes = Notes()
    assert read(tmp_path / "a.tsv", f"{names}\nwer bellt\tder Hund\tdie Katze\n", notes) == [A]
    assert "is a header" in notes.lines[0]


def test_a_header_in_another_order_with_an_unused_column(tmp_path: Path) -> None:
    notes = Notes()
    rows = "id,negative,positive,anchor\n7,die Katze,der Hund,wer bellt\n"
    assert read(tmp_path / "a.csv", rows, notes) == [A]
    assert notes.lines[-1] == "a.csv: column 'id' is not used"


def test_columns_that_the_user_names(tmp_path: Path) -> None:
    text = "frage\tfalsch\tantwort\nwer bellt\tdie Katze\tder Hund\n"
    assert read(tmp_path / "a.tsv", text, columns="frage,antwort,falsch") == [A]
    assert read(tmp_path / "a.tsv", text.splitlines()[1] + "\n", columns="1,3,2") == [A]
    with pytest.raises(UserError, match="did you mean 'antwort'"):
        read(tmp_path / "a.tsv", text, columns="frage,antwrt")
    with pytest.raises(UserError, match="are not the columns of a pair"):
        read(tmp_path / "a.tsv", text, columns="frage")


def test_json_lines_may_hold_lists(tmp_path: Path) -> None:
    row = {"query": "wer bellt", "positive": ["der Hund", "ein Hund"], "negatives": ["die Katze"]}
    found = read(tmp_path / "a.jsonl", json.dumps(row) + "\n")
    assert found == [A, TextPair("wer bellt", "ein Hund", ("die Katze",), "de")]


def test_parquet(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"anchor": ["wer bellt", "wer miaut"], "positive": ["der Hund", "die Katze"],
               "negative": ["die Katze", None]}  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert list(TextPairs().read(str(tmp_path / "a.parquet"), "de")) == [A, B]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no pair"),
        ("\n\n", "there is no pair"),
        ("nur eine\n", "a row has 1 column"),
        ("wer bellt\t\n", "the positive is empty"),
        ("a\tb\n\tc\n\td\n", "the anchor is empty"),
        ("anchor\tpositive\n", "there is no pair"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / "a.tsv", text)
    assert "\n" not in str(caught.value)


def test_a_faulty_row_is_skipped_and_counted(tmp_path: Path) -> None:
    notes = Notes()
    text = "wer bellt\tder Hund\tdie Katze\nwer?\nwer miaut\tdie Katze\n"
    assert read(tmp_path / "a.tsv", text, notes) == [A, B]
    assert "1 of 3 rows skipped" in notes.lines[-1]


def test_missing_named_columns(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no column for the positive"):
        read(tmp_path / "a.jsonl", '{"anchor": "a", "b": "c"}\n')
    with pytest.raises(UserError, match="the positive holds int, not text"):
        read(tmp_path / "a.jsonl", '{"anchor": "a", "positive": 3}\n')


def test_data_in_memory() -> None:
    rows = [("wer bellt", "der Hund", "die Katze"), ("wer miaut", "die Katze", None)]
    assert memory(rows) == [A, B]
    assert memory(
        {"question": ["wer bellt"], "answer": ["der Hund"], "negative": ["die Katze"]}
    ) == [A]
    assert memory(np.array([["wer bellt", "der Hund", "die Katze"]])) == [A]
    assert memory([A, B]) == [A, B]
    named = {"anchor": "q", "positive": "p", "negatives": "n"}
    assert memory([{"q": "wer bellt", "p": "der Hund", "n": ["die Katze"]}], named) == [A]
    with pytest.raises(UserError, match="unknown field 'negtives'"):
        memory([{"q": "a", "p": "b"}], {"anchor": "q", "positive": "p", "negtives": "n"})
    with pytest.raises(UserError, match="the anchor holds nothing, not text"):
        memory([(None, "b")])


def test_it_claims_no_file() -> None:
    assert not TextPairs().claims("a.tsv", None)


def test_answers_rows_and_passages_with_a_title(tmp_path: Path) -> None:
    row = {"query": "wer bellt", "positive": {"title": "Tiere", "text": "der Hund"},
           "negatives": [{"text": "die Katze"}], "answers": ["Hund"], "row_id": 7}  # fmt: skip
    [found] = read(tmp_path / "a.jsonl", json.dumps(row) + "\n")
    wanted = TextPair(
        "wer bellt", "Tiere der Hund", ("die Katze",), "de", row="7", answers=("Hund",)
    )
    assert found == wanted
    notes = Notes()
    text = "query\tpositive\tanswers\nwer bellt\tder Hund\tHund\n"
    [found] = read(tmp_path / "a.tsv", text, notes)
    assert found.answers == ("Hund",) and not found.negatives
    assert not any("not used" in line for line in notes.lines)
