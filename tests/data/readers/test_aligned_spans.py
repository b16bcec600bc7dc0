import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.aligned_spans import AlignedSpansReader
from xadapt.data.records import AlignedSpans

ROW = {"src": "The DRM clause", "tgt": "dieu khoan DRM", "spans": [{"src": [1, 1], "tgt": [2, 2]}]}


def read(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return list(AlignedSpansReader().read(str(path), "vi"))


def test_first_and_last_word_become_half_open(tmp_path):
    [row] = read(tmp_path / "a.jsonl", ROW)
    words = ("dieu", "khoan", "DRM"), ("The", "DRM", "clause")
    assert row == AlignedSpans(*words, (((1, 2), (2, 3)),), "vi")
    [row] = read(tmp_path / "a.jsonl", {**ROW, "src": ["The", "DRM"], "spans": [{"src": [1, 1]}]})
    assert row.spans == (((1, 2), (0, 0)),)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spans": []}, "no span"),
        ({"spans": [{"src": [1, 3], "tgt": [0, 0]}]}, "leaves a sentence of 3 words"),
        ({"spans": [{"src": [2, 1], "tgt": [0, 0]}]}, "leaves"),
        ({"spans": [{"src": [0, 1], "tgt": [0, 0]}, {"src": [1, 1], "tgt": [1, 1]}]}, "overlap"),
        ({"spans": [{"tgt": [0, 0]}]}, "another form"),
        ({"spans": [{"src": "x"}]}, "no pair of numbers"),
        ({"src": 3}, "no list of words"),
        ({"tgt": ""}, "no list of words"),
    ],
)
def test_faults_name_the_line(tmp_path, change, said):
    with pytest.raises(UserError, match=said) as fault:
        read(tmp_path / "a.jsonl", {**ROW, **change})
    assert str(fault.value.where).endswith("a.jsonl:1")


def test_a_missing_column_and_a_table_are_refused(tmp_path):
    with pytest.raises(UserError, match="no column 'spans'"):
        read(tmp_path / "a.jsonl", {"src": "a", "tgt": "b"})
    with pytest.raises(UserError, match="no named columns"):
        read(tmp_path / "a.tsv", ROW)
