from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.conllu import Conllu
from xadapt.data.readers.conllu_trees import ConlluTrees
from xadapt.data.readers.notes import Notes
from xadapt.data.records import TaggedSentence

TEXT = """# text = Zum Haus
1-2\tZum\t_\t_\t_\t_\t_\t_\t_\t_
1\tzu\tzu\tADP\t_\t_\t3\tcase\t_\t_
2\tdem\t_\tDET\t_\t_\t3\tdet\t_\t_
3\tHaus\t_\tNOUN\t_\t_\t0\troot\t_\t_
3.1\tgeht\t_\tVERB\t_\t_\t_\t_\t_\t_

1\tJa\t_\tINTJ\t_\t_\t0\troot\t_\t_
"""


def read(path, text):
    path.write_text(text, encoding="utf-8")
    return list(Conllu().read(str(path), "de"))


def test_each_word_has_its_part_of_speech(tmp_path):
    rows = read(tmp_path / "a.conllu", TEXT)
    spans = ((0, 1, "ADP"), (1, 2, "DET"), (2, 3, "NOUN"))
    assert rows == [
        TaggedSentence(("zu", "dem", "Haus"), spans, "de"),
        TaggedSentence(("Ja",), ((0, 1, "INTJ"),), "de"),
    ]
    assert [row.origin for row in rows] == [f"{tmp_path}/a.conllu:{n}" for n in (3, 8)]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("# nothing\n", None, "no sentence"),
        ("1 a b NOUN\n", 1, "ten columns"),
        ("1\ta\t_\t_\t_\t_\t_\t_\t_\t_\n", 1, "no part of speech"),
    ],
)
def test_faults_name_the_line(tmp_path, text, line, said):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / "x.conllu", text)
    assert line is None or str(caught.value.where).endswith(f":{line}")


def rows(*sentences):
    """CoNLL-U of sentences given as lists of words."""
    return "\n".join(
        "".join(f"{i}\t{w}\t_\tVERB\t_\t_\t{int(i > 1)}\tdep\t_\t_\n" for i, w in enumerate(s, 1))
        for s in sentences
    )


@pytest.mark.parametrize("reader", [Conllu, ConlluTrees])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rows("__", "___", "__"), r"\(column 2\) are '_': the texts are withheld"),
        (rows(*[["_", "_", "_"]] * 2, ["ein", "Haus"]), "the texts are withheld"),
        (rows(["11", "12"], ["13", "14", "15"]), "column 2 holds numbers"),
        (rows(*[["Wort"]] * 5), "every sentence has one word"),
    ],
)
def test_words_that_cannot_be_words_are_refused(tmp_path, reader, text, said):
    path = tmp_path / "a.conllu"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        list(reader().read(str(path), "de"))


@pytest.mark.parametrize("reader", [Conllu, ConlluTrees])
def test_one_faulty_or_withheld_sentence_is_skipped(tmp_path, reader):
    good = [["ein", "_"], ["das", "Haus", "steht"], ["am", "Fluss"]]
    bad = rows(["der", "Weg"]).replace("VERB", "_", 1)
    path = tmp_path / "a.conllu"
    path.write_text("\n".join([rows(*good), bad, rows("__")]), encoding="utf-8")
    found = list(reader().read(str(path), "de", notes := Notes()))
    assert [list(row.words) for row in found] == good
    assert notes.lines == [
        "a.conllu: 2 of 5 sentences skipped; the first, a.conllu:11: this word has no part of "
        "speech (column 4)"
    ]
