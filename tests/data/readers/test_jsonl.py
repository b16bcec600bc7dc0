"""JSONL: lines that are no JSON object are named."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.jsonl import Part
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.sides import Request


def _read(folder, text: str, *columns: str):
    path = folder / "data.jsonl"
    path.write_text(text, encoding="utf-8")
    return list(Part().read(str(path), Request("hi", columns=columns)))


def test_known_shapes_may_be_mixed(tmp_path):
    rows = [
        {"translation": {"en": "a", "hi": "क"}},
        {"en": "b", "hin": "ख"},
        {"pivot": "c", "text": "ग"},
    ]
    text = "\n\n".join(json.dumps(row) for row in rows)
    pairs = _read(tmp_path, text)
    assert [(p.pivot, p.text) for p in pairs] == [("a", "क"), ("b", "ख"), ("c", "ग")]
    assert [p.origin.rpartition(":")[2] for p in pairs] == ["1", "3", "5"]


def test_nested_columns(tmp_path):
    pairs = _read(tmp_path, '{"s": {"x": "a"}, "y": "b"}', "s.x", "y")
    assert (pairs[0].pivot, pairs[0].text) == ("a", "b")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"en": "a", "hi": ', "not JSON"),
        ("[" * 100_000, "not JSON .nested too deeply"),
        ('{"en": ' + "9" * 5000 + "}", "not JSON"),
        ("[1, 2]", "holds a JSON list, not an object"),
        ("3", "holds a JSON int"),
        ('{"en": "a"}', "no columns for 'en' and 'hi'"),
        ('{"en": "a", "hi": ""}', "the hi side"),
        ('{"en": "a", "hi": "\\ud800"}', "surrogate"),
        ('{"en": "a", "hi": NaN}', "holds float"),
    ],
)
def test_faults_name_their_line(tmp_path, line, said):
    with pytest.raises(UserError, match=said) as caught:
        _read(tmp_path, '{"en": "a", "hi": "b"}\n' + line)
    assert caught.value.where == f"{tmp_path / 'data.jsonl'}:2"
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_it_claims_by_name():
    assert Part().claims("a.ndjson.gz", Request("hi"))
    assert not Part().claims("a.json", Request("hi"))


@pytest.mark.parametrize("line", ['{"en": "a", "en": "b", "hi": "c"}', '{"x": {"y": 1, "y": 2}}'])
def test_a_key_twice_is_refused(tmp_path, line):
    with pytest.raises(UserError, match=r"this line has the key '(en|y)' twice") as caught:
        _read(tmp_path, '{"en": "a", "hi": "b"}\n' * 9 + line)
    assert caught.value.where.endswith(":10")


def test_rows_without_a_side_are_skipped_and_unused_keys_named(tmp_path):
    path, notes = tmp_path / "data.jsonl", Notes()
    row = {"id": 1, "en": "a", "hi": "b", "score": 0.5}
    rows = [row, {**row, "hi": None}, row, {"en": "a"}, row]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert len(list(Part().read(str(path), Request("hi"), notes))) == 3
    assert notes.lines == [
        "data.jsonl: keys 'id' and 'score' are not used",
        "data.jsonl: 2 of 5 rows skipped; the first, data.jsonl:2: the hi side of this row is "
        "empty",
    ]
    for nested, columns, said in (
        ({"translation": {"en": "a", "hi": "b"}, "domain": "x"}, (), "key 'domain' is not used"),
        ({"a": {"b": "a"}, "c": "b", "d": ""}, ("a.b", "c"), "key 'd' is not used"),
    ):
        path.write_text(json.dumps(nested))
        list(Part().read(str(path), Request("hi", columns=columns), notes := Notes()))
        assert notes.lines == [f"data.jsonl: {said}"]
