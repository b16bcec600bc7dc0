from __future__ import annotations

import gzip
import random

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.conllu_trees import ConlluTrees
from xadapt.data.records import ParsedSentence

TEXT = """# text = Zum Haus
1-2\tZum\t_\t_\t_\t_\t_\t_\t_\t_
1\tzu\tzu\tADP\t_\t_\t3\tcase\t_\t_
2\tdem\t_\tDET\t_\t_\t3\tdet\t_\t_
3\tHaus\t_\tNOUN\t_\t_\t0\troot\t_\t_
3.1\tgeht\t_\tVERB\t_\t_\t_\t_\t_\t_

1\tJa\t_\tINTJ\t_\t_\t0\troot\t_\t_
"""


def row(number, head, word="a", upos="NOUN", relation="dep"):
    return f"{number}\t{word}\t_\t{upos}\t_\t_\t{head}\t{relation}\t_\t_\n"


def read(path, text):
    path.write_text(text, encoding="utf-8")
    return list(ConlluTrees().read(str(path), "de"))


def test_words_stand_in_trees(tmp_path):
    rows = read(tmp_path / "a.conllu", TEXT)
    assert rows == [
        ParsedSentence(
            ("zu", "dem", "Haus"),
            ("ADP", "DET", "NOUN"),
            (3, 3, 0),
            ("case", "det", "root"),
            "de",
        ),
        ParsedSentence(("Ja",), ("INTJ",), (0,), ("root",), "de"),
    ]
    assert [one.origin for one in rows] == [f"{tmp_path}/a.conllu:{n}" for n in (3, 8)]


def test_packed_files_say_the_same(tmp_path):
    (tmp_path / "a.conllu.gz").write_bytes(gzip.compress(TEXT.encode()))
    assert list(ConlluTrees().read(f"{tmp_path}/a.conllu.gz", "de")) == read(
        tmp_path / "a.conllu", TEXT
    )


def test_a_long_chain_is_a_tree(tmp_path):
    (found,) = read(tmp_path / "a.conllu", "".join(row(i, i - 1) for i in range(1, 3001)))
    assert found.heads == tuple(range(3000))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("# nothing\n", None, "no sentence"),
        ("1 a b NOUN\n", 1, "ten columns"),
        (row(1, 0, upos="_"), 1, "no part of speech"),
        (row(1, "_"), 1, "head .* is no number"),
        (row(1, "-1"), 1, "head .* is no number"),
        (row(1, "²"), 1, "head .* is no number"),
        (row(1, 0, relation="_"), 1, "no relation"),
        (row(1, 0) + row(2, 3), 2, "word 3 of 2"),
        (row(1, 0) + row(2, 2), 2, "circle"),
        (row(1, 0) + row(2, 3) + row(3, 4) + row(4, 2), 2, "circle"),
        (row(1, 0) + row(3, 1), 2, "word 2 of its sentence, and is numbered '3'"),
        (row(1, 0) + row(1, 0), 2, "empty line"),
    ],
)
def test_faults_name_the_line(tmp_path, text, line, said):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / "x.conllu", text)
    told = f"{caught.value} {caught.value.todo}"
    assert told and (line is None or str(caught.value.where).endswith(f":{line}"))


def test_damaged_rows_are_read_or_refused(tmp_path):
    chance = random.Random(0)
    for _ in range(200):
        text = list(TEXT)
        for _ in range(3):
            text[chance.randrange(len(text))] = chance.choice("\t\n0123456789-._aÄ")
        try:
            found = read(tmp_path / "x.conllu", "".join(text))
        except UserError as error:
            assert error.where
        else:
            assert all(max(one.heads) <= len(one.words) for one in found)
