from __future__ import annotations

import json

import pytest
from tiny_graphs import lines, write

from xadapt.core.errors import UserError
from xadapt.data.readers.mentions import AROUND, Mention, is_mention_table, read_mentions


def read(path):
    return list(read_mentions(str(path)))


def test_a_table_of_texts(tmp_path):
    path = write(tmp_path, {"a.tsv": "angina  pectoris\tC1\n\ncefalea\n"}) / "a.tsv"
    assert read(path) == [Mention("1", "angina pectoris", ("C1",)), Mention("3", "cefalea")]
    assert not is_mention_table(str(path))


def test_a_table_of_sentences(tmp_path):
    rows = (
        "es\tM/1\tNada aquí.\t\t\t\t\n"
        "es\tM/2\tDolor de cabeza fuerte.\t0\t15\tDolor de cabeza\tC1\n"
        "es\tM/2\tDolor de cabeza fuerte.\t0\t15\tDolor de cabeza\tC2\n"
        "es\tM/2\tDolor de cabeza fuerte.\t9\t15\tcabeza\tC3\n"
    )
    path = write(tmp_path, {"es.tsv": rows}) / "es.tsv"
    assert read(path) == [
        Mention("es/M/2:0-15", "Dolor de cabeza", ("C1", "C2"), "es", "", " fuerte."),
        Mention("es/M/2:9-15", "cabeza", ("C3",), "es", "Dolor de ", " fuerte."),
    ]
    assert is_mention_table(str(path))


def test_context_is_cut(tmp_path):
    sentence = "a" * 200 + "X" + "b" * 200
    path = write(tmp_path, {"a.tsv": f"en\td\t{sentence}\t200\t201\tX\tC1\n"}) / "a.tsv"
    [mention] = read(path)
    assert (mention.before, mention.after) == ("a" * AROUND, "b" * AROUND)


def test_brat(tmp_path):
    folder = write(
        tmp_path / "brat",
        {
            "sub/a.ann": "T1\tDISO 0 6\tangina\nT2\tDISO 10 15;20 24\tdolor fuerte\n"
            "N1\tReference T1 UMLS:C1\tangina\n#1\tAnnotatorNotes T2\tC2, C3\nR1\tRel Arg1:T1\n",
            "sub/a.txt": "angina y dolor muy fuerte\n",
            "b.ann": "T1\tDISO 0 3\tpie\n",
        },
    )
    assert read(folder) == [
        Mention("b:T1", "pie"),
        Mention("sub/a:T1", "angina", ("C1",), None, "", " y dolor muy fuerte"),
        Mention("sub/a:T2", "dolor fuerte", ("C2", "C3"), None, "angina y d", "e"),
    ]
    assert [one.id for one in read(folder / "sub" / "a.ann")] == ["a:T1", "a:T2"]


def test_bigbio(tmp_path):
    document = {
        "document_id": "d", "passages": [{"text": ["angina y dolor"]}],
        "entities": [
            {"id": "e1", "text": ["angina"], "offsets": [[0, 6]],
             "normalized": [{"db_id": "C1,C2"}]},
            {"text": ["dolor"], "offsets": [[9, 14]], "normalized": []},
        ],
    }  # fmt: skip
    alone = {"text": ["pie"], "normalized": [{"db_name": "x", "db_id": "C3"}]}
    path = write(tmp_path, {"a.jsonl": lines(document, alone)}) / "a.jsonl"
    first, second, third = read(path)
    assert first == Mention("e1", "angina", ("C1", "C2"), None, "", " y dolor")
    assert (second.id, second.text, second.before) == ("d:1", "dolor", "angina y ")
    assert (third.text, third.concepts) == ("pie", ("C3",))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.tsv", "a\tb\tc\n", "3 columns"),
        ("a.tsv", "\tC1\n", "no text"),
        ("a.tsv", "es\td\tabc\t2\t9\tc\tC1\n", "no span"),
        ("a.tsv", "es\td\tabc\tx\t2\tc\tC1\n", "no span"),
        ("a.tsv", "es\td\tabc\t2\t1\tc\tC1\n", "no span"),
        ("a.tsv", "not a tag\td\tabc\t0\t1\ta\tC1\n", "tag"),
        ("a.tsv", "\n", "no mention"),
        ("a.ann", "T1\tDISO\tangina\n", "no mention of BRAT"),
        ("a.ann", "T1\tDISO 5\tangina\n", "no mention of BRAT"),
        ("a.ann", "R1\tx\n", "no mention"),
        ("a.jsonl", json.dumps({"text": 3}), "no text"),
        ("a.jsonl", json.dumps({"entities": [3]}), "no list of objects"),
        ("a.jsonl", json.dumps({"text": ["a"], "normalized": ["C1"]}), "no list of objects"),
        (
            "a.jsonl",
            json.dumps({"passages": [{"text": "x"}], "text": "a", "offsets": [3]}),
            "spans",
        ),
    ],
)
def test_faults_are_named(tmp_path, name, text, said):
    path = write(tmp_path, {name: text}) / name
    with pytest.raises(UserError, match=said):
        read(path)


def test_an_empty_folder_and_a_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"no \.ann file"):
        read(tmp_path)
    with pytest.raises(UserError, match="no such file"):
        read(tmp_path / "a.tsv")
