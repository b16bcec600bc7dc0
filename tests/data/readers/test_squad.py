from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xadapt.core.errors import UserError
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
def test_faults_name_the_line(tmp_path, row, said):
    text = f"{json.dumps(ROW)}\n{json.dumps(row)}\n"
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / "x.jsonl", text)
    assert str(caught.value.where).startswith(f"{tmp_path}/x.jsonl:2")


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
