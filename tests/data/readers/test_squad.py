from __future__ import annotations

import gzip
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.squad import Squad
from xadapt.data.records import Question

CONTEXT = "\ufeffDie Katze sitzt."
ROW = {
    "article": 0,
    "context": CONTEXT,
    "qas": [
        {"id": "1", "question": " Wer? ", "answers": [{"text": "Katze", "answer_start": 5}]},
        {
            "id": "2",
            "question": "Was?",
            "answers": [
                {"text": "sitzt", "answer_start": 11},
                {"text": "Die Katze", "answer_start": 1},
            ],
        },
    ],
}
WANTED = [
    Question("Wer?", CONTEXT, ((5, "Katze"),), "de"),
    Question("Was?", CONTEXT, ((11, "sitzt"), (1, "Die Katze")), "de"),
]


def read(path, value):
    text = value if isinstance(value, str) else json.dumps(value)
    path.write_text(text, encoding="utf-8")
    return list(Squad().read(str(path), "de"))


def test_a_passage_a_line_with_a_byte_order_mark_that_counts(tmp_path):
    rows = read(tmp_path / "a.jsonl", "\n" + json.dumps(ROW) + "\n")
    assert rows == WANTED
    assert rows[1].origin == f"{tmp_path}/a.jsonl:2 qas[1]"
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(ROW, ensure_ascii=False).encode()))
    assert list(Squad().read(str(packed), "de")) == WANTED


def test_squad_as_one_file(tmp_path):
    data = {"version": "1.1", "data": [{"title": "x", "paragraphs": [ROW]}]}
    rows = read(tmp_path / "a.json", data)
    assert rows == WANTED
    assert rows[0].origin == f"{tmp_path}/a.json:data[0].paragraphs[0] qas[0]"


def changed(**changes):
    question = {**ROW["qas"][0], **changes}
    return {"context": CONTEXT, "qas": [ROW["qas"][1], question]}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (changed(answers=[]), "no answer"),
        (changed(answers=[{"text": "Katze", "answer_start": 4}]), "does not stand at character 4"),
        (changed(answers=[{"text": "Katze", "answer_start": -9}]), "does not stand"),
        (changed(answers=[{"text": "", "answer_start": 4}]), "does not stand"),
        (changed(answers=[{"text": "Katze", "answer_start": True}]), "'answer_start'"),
        (changed(answers=[{"text": "Katze"}]), "'answer_start'"),
        (changed(answers=["Katze"]), "'text'"),
        (changed(question=" "), "question is empty"),
        (changed(question=None), "'question'"),
        ({"context": 3, "qas": []}, "'context'"),
        ({"context": CONTEXT, "qas": {}}, "'qas'"),
        ([], "'context'"),
    ],
)
def test_a_faulty_question_is_skipped_and_counted_and_alone_refused(tmp_path, row, said):
    path, notes = tmp_path / "x.jsonl", Notes()
    path.write_text(f"{json.dumps(ROW)}\n{json.dumps(row)}\n{json.dumps(ROW)}\n")
    rows = list(Squad().read(str(path), "de", notes))
    assert len(rows) >= 4 and rows[:2] == WANTED == rows[-2:]
    (line,) = notes.lines
    assert line.startswith(f"x.jsonl: 1 of {len(rows) + 1} questions skipped; the first, x.jsonl:2")
    assert re.search(said, line)
    row = {**row, "qas": row["qas"][1:]} if isinstance(row, dict) and row["qas"] else row
    with pytest.raises(UserError, match=said) as caught:
        read(path, f"\n{json.dumps(row)}\n")
    assert str(caught.value.where).startswith(f"{path}:2")


def test_one_bad_row_of_1395_costs_one_question(tmp_path):
    rows = [{"context": f"Haus {i}", "qas": [{"question": "Wo?", "answers": [
        {"text": "Haus", "answer_start": int(i == 700)}]}]} for i in range(1395)]  # fmt: skip
    path, notes = tmp_path / "a.jsonl", Notes()
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert len(list(Squad().read(str(path), "de", notes))) == 1394
    assert notes.lines == [
        "a.jsonl: 1 of 1,395 questions skipped; the first, a.jsonl:701 qas[0]: the answer 'Haus' "
        "does not stand at character 1 of the passage"
    ]


def test_questions_that_say_they_have_no_answer_are_passed_over(tmp_path):
    row = {"context": CONTEXT, "qas": [*ROW["qas"], {"is_impossible": True, "answers": []}] * 5}
    path, notes = tmp_path / "a.jsonl", Notes()
    path.write_text(json.dumps(row))
    assert len(list(Squad().read(str(path), "de", notes))) == 10
    assert notes.lines == ["a.jsonl: 5 questions without an answer are passed over"]


def test_questions_without_an_answer_are_kept_by_option(tmp_path):
    none = {"question": "Warum?", "is_impossible": True, "answers": []}
    row = {"context": CONTEXT, "qas": [*ROW["qas"], none, {"is_impossible": True}]}
    path, notes = tmp_path / "a.jsonl", Notes()
    path.write_text(json.dumps(row))
    rows = list(Squad(unanswerable="train").read(str(path), "de", notes))
    assert rows == [*WANTED, Question("Warum?", CONTEXT, (), "de")]
    assert notes.lines == ["a.jsonl: 2 questions without an answer are kept"]


def test_rows_of_one_question_as_datasets_has_them(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    pa = pytest.importorskip("pyarrow")
    answers = [{"text": ["Katze"], "answer_start": [5]}, {"text": [], "answer_start": []}]
    rows = [
        {"context": CONTEXT, "question": q, "answers": a}
        for q, a in zip(["Wer?", "Warum?"], answers, strict=True)
    ]
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        notes = Notes()
        assert list(Squad().read(str(tmp_path / name), "de", notes)) == WANTED[:1]
        assert notes.lines == [f"{name}: 1 questions without an answer are passed over"]


def test_a_key_twice_is_refused(tmp_path):
    for name, text in (("a.jsonl", '{"context": "a", "context": "b", "qas": []}'),
                       ("a.json", '{"data": [], "data": []}')):  # fmt: skip
        with pytest.raises(UserError, match=r"has the key '(context|data)' twice"):
            read(tmp_path / name, text)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", "", "no question"),
        ("a.jsonl", "{", "not JSON"),
        ("a.json", "{", "not JSON"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.json", "[]", "'data'"),
        ("a.json", '{"data": [{}]}', "'paragraphs'"),
        ("a.json", '{"data": []}', "no question"),
    ],
)
def test_files_that_are_none(tmp_path, name, text, said):
    with pytest.raises(UserError, match=said):
        read(tmp_path / name, text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 20) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["context", "qas", "question", "answers", "text"]), inner)
    ),
    max_leaves=8,
)


@given(JSON)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_json_is_read_or_refused_in_words(tmp_path, value):
    try:
        read(tmp_path / "a.jsonl", value if isinstance(value, dict) else {"context": value})
    except UserError as error:
        assert str(error.where)
