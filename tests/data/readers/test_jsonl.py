"""JSONL: lines that are no JSON object are named."""

from __future__ import annotations

import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.jsonl import Part
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
