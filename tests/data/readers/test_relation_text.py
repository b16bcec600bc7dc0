"""Texts with tags: the files of SemEval-2010, KBP37 and RELX, by hand-computed offsets."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.relation_text import RelationText
from xadapt.data.records import RelationExample

WANTED = RelationExample("The bowl holds rice.", (4, 8), (15, 19), "Content(e2,e1)", "en", row="7")
TAGGED = "The <e1>bowl</e1> holds <e2>rice</e2>."
SPACED = "The <e1> bowl </e1> holds <e2> rice </e2>."


def read(tmp_path, content, name="a.tsv"):
    (tmp_path / name).write_text(content, encoding="utf-8")
    notes = Notes()
    return list(RelationText().read(str(tmp_path / name), "en", notes)), notes.lines


@pytest.mark.parametrize(
    "content",
    [
        f"7\t{TAGGED}\tContent(e2,e1)\n",
        f"7\t{SPACED}\tContent(e2,e1)\n",
        f"id\ttext\trelation\n7\t{TAGGED}\tContent(e2,e1)\n",
        f'7\t"{TAGGED}"\nContent(e2,e1)\nComment:\n\n',
        f'7\t" {SPACED} "\n Content(e2,e1)\nComment: one\n\n',
        "7\tThe <H>bowl</H> holds <T>rice</T>.\tContent(e2,e1)\n",
        "7\tThe <b>bowl</b> holds <i>rice</i>.\tContent(e2,e1)\n",
    ],
)
def test_every_form(tmp_path, content):
    [found], lines = read(tmp_path, content)
    assert found == WANTED and found.row == "7" and not lines
    assert found.text[4:8] == "bowl" and found.text[15:19] == "rice"


def test_at_both_ends_adjacent_nested_and_without_id(tmp_path):
    rows = [
        "<e2>a</e2> to <e1>b</e1>", "<e1>a</e1><e2>b</e2>", "<e1>a <e2>b</e2></e1> c",
        '"<e1>a</e1>" and "<e2>b</e2>"',
    ]  # fmt: skip
    found, _ = read(tmp_path, "".join(f"{row}\tx\n" for row in rows))
    assert [(row.text, row.head, row.tail) for row in found] == [
        ("a to b", (5, 6), (0, 1)), ("ab", (0, 1), (1, 2)), ("a b c", (0, 3), (2, 3)),
        ('"a" and "b"', (1, 2), (9, 10)),
    ]  # fmt: skip
    assert {row.row for row in found} == {""}


def test_no_line_of_a_long_file_is_lost(tmp_path):
    found, _ = read(tmp_path, "".join(f"{n}\t{TAGGED}\tx\n" for n in range(57)))
    assert [row.row for row in found] == [str(n) for n in range(57)]
    blocks = "".join(f'{n}\t"{TAGGED}"\nx\nComment:\n\n' for n in range(57))
    found, _ = read(tmp_path, blocks, "a.txt")
    assert [row.row for row in found] == [str(n) for n in range(57)]


def test_faulty_rows_are_skipped_and_counted(tmp_path):
    bad = ("The <e1>bowl</e1> holds rice.\tx", "The <e1>bowl holds <e2>rice</e2>\tx",
           "<e1> </e1> <e2>b</e2>\tx", "no tags\tx")  # fmt: skip
    good = [f"{TAGGED}\tx"] * 5
    found, lines = read(tmp_path, "\n".join([*good, *bad]) + "\n")
    assert len(found) == 5
    assert lines == ["a.tsv: 4 of 9 texts skipped; the first, a.tsv:6: a tag is missing"]
    found, lines = read(tmp_path, "\n".join([*good, TAGGED]) + "\n")
    assert len(found) == 5 and "there is no relation" in lines[0]


@pytest.mark.parametrize("content", ["", "a\tb\n" * 3, "word\n" * 30])
def test_a_file_without_tags_is_refused(tmp_path, content):
    with pytest.raises(UserError, match="no text with tags"):
        read(tmp_path, content)
