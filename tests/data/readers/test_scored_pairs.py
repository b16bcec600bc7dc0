from __future__ import annotations

import gzip

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.scored_pairs import ScoredPairs
from xadapt.data.records import ScoredPair


def read(path, text, *langs):
    path.write_text(text, encoding="utf-8")
    return list(ScoredPairs().read(str(path), *langs or ("de",)))


def test_pairs_with_and_without_an_index(tmp_path):
    wanted = [ScoredPair("a b", "c", 3.8, "de", "de"), ScoredPair("1", "2", 0.0, "de", "de")]
    for text in ("a b\tc\t3.8\n\n1\t2\t0\n", "0\ta b\tc\t3.8\n\n2\t1\t2\t0\r\n"):
        rows = read(tmp_path / "a.tsv", text)
        assert rows == wanted
        assert [row.origin for row in rows] == [f"{tmp_path}/a.tsv:{n}" for n in (1, 3)]


def test_two_languages_and_packed(tmp_path):
    (row,) = read(tmp_path / "a.tsv", "a\tb\t1\n", "de", "en")
    assert (row.left_lang, row.right_lang) == ("de", "en")
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\t-1.5"))
    assert next(ScoredPairs().read(str(path), "de")).score == -1.5


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("\n", None, "no pair"),
        ("a\tb\n", 1, "2 columns"),
        ("a\tb\tc\td\t5\n", 1, "5 columns"),
        ("a\tb\t5\n0\ta\tb\t5\n", 2, "4 columns, and those above have 3"),
        ("sentence1\tsentence2\tscore\n", None, "no pair"),
        ("first\tsecond\tscore\na\tb\t1\n", 1, "'score' is no number"),
        ("a\tb\tnan\n", 1, "no number"),
        ("a\tb\tinf\n", 1, "no number"),
        ("a\tb\t1\na\t \t1\n", 2, "empty"),
    ],
)
def test_faults_name_the_line(tmp_path, text, line, said):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / "x.tsv", text)
    assert line is None or str(caught.value.where).endswith(f":{line}")


def noted(path, text):
    path.write_text(text, encoding="utf-8")
    rows = list(ScoredPairs().read(str(path), "de", notes=(notes := Notes())))
    return rows, notes.lines


ROWS = "".join(f"ein Haus {i}\teine Tür {i}\t{i % 6}\n" for i in range(20))


def test_a_header_is_no_pair_and_an_index_is_named(tmp_path):
    rows, lines = noted(tmp_path / "a.tsv", "sentence1\tsentence2\tscore\n" + ROWS)
    assert len(rows) == 20
    assert lines == ["a.tsv: line 1 is a header: sentence1, sentence2, score"]
    indexed = "".join(f"{i}\t{row}\n" for i, row in enumerate(ROWS.splitlines()))
    assert noted(tmp_path / "a.tsv", indexed)[1] == ["a.tsv: column 1 is the number of the row"]


def test_one_bad_line_is_skipped_and_numbers_for_texts_are_refused(tmp_path):
    rows, lines = noted(tmp_path / "a.tsv", ROWS + "a\tb\tunknown\n")
    assert len(rows) == 20
    assert lines == [
        "a.tsv: 1 of 21 lines skipped; the first, a.tsv:21: the score 'unknown' is no number"
    ]
    for text in ("{}\ta b\t1\n", "a b\ts{}\t1\n"):
        with pytest.raises(UserError, match="texts are numbers or ids"):
            noted(tmp_path / "a.tsv", "".join(text.format(i) for i in range(9)))
