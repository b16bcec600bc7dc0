"""Tables of pairs: headers, columns that are no text, columns that are not used."""

from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.columns import column_numbers, is_number_or_id
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.parallel import read_parallel

EN = ["The house stands near the river", "She bought three red apples", "We will travel tomorrow"]
DE = ["Das Haus steht nahe am Fluss", "Sie kaufte drei rote Äpfel", "Wir reisen morgen"]
ROWS = [(f"{EN[i % 3]} {i}.", f"{DE[i % 3]} {i}.") for i in range(60)]


def read(path, lines, suffix="tsv", **options):
    """The pairs of a table and the lines its reader reported."""
    mark = "\t" if suffix == "tsv" else ","
    path = path / f"a.{suffix}"
    path.write_text("".join(f"{mark.join(cells)}\n" for cells in lines), encoding="utf-8")
    notes = Notes()
    pairs = list(read_parallel(path, lang="de", notes=notes, **options))
    return [(p.pivot, p.text) for p in pairs], notes.lines


@pytest.mark.parametrize("suffix", ["tsv", "csv"])
@pytest.mark.parametrize("names", [("de", "en"), ("German", "English"), ("deu", "en-GB")])
def test_a_header_in_the_other_order_is_followed(tmp_path, suffix, names):
    pairs, lines = read(tmp_path, [names, *((de, en) for en, de in ROWS)], suffix)
    assert pairs == ROWS
    assert lines == [
        f"a.{suffix}: line 1 is a header; column '{names[1]}' is read as en, "
        f"column '{names[0]}' as de"
    ]


@pytest.mark.parametrize("suffix", ["tsv", "csv"])
def test_without_a_header_the_order_is_shown(tmp_path, suffix):
    pairs, lines = read(tmp_path, ROWS, suffix)
    assert pairs == ROWS and lines == [f"a.{suffix}: column 1 is read as en, column 2 as de"]


@pytest.mark.parametrize(
    "names", [("source", "target"), ("SRC", "TGT"), ("sentence1", "sentence2")]
)
def test_a_header_of_usual_names_is_no_pair(tmp_path, names):
    pairs, lines = read(tmp_path, [names, *ROWS])
    assert pairs == ROWS and "line 1 is a header" in lines[0]
    assert read(tmp_path, [names, *ROWS], columns="1,2")[0] == ROWS
    assert len(read(tmp_path, [("Source", "Quelle"), *ROWS])[0]) == 61


def test_a_header_of_other_languages_is_refused(tmp_path):
    with pytest.raises(UserError, match="this header names en and sw, not en and de") as caught:
        read(tmp_path, [("en", "sw"), *ROWS])
    assert caught.value.where.endswith(":1")
    assert len(read(tmp_path, [("en", "sw"), *ROWS], columns="1,2")[0]) == 61
    assert read(tmp_path, [("in", "im"), *ROWS])[0][0] == ("in", "im")


def test_a_header_that_names_a_side_twice_is_refused(tmp_path):
    for options in ({}, {"columns": "en,de"}):
        with pytest.raises(UserError, match="two columns are named 'de'"):
            read(tmp_path, [("en", "de", "de"), *((*row, "x") for row in ROWS)], **options)


@pytest.mark.parametrize("suffix", ["tsv", "csv"])
@pytest.mark.parametrize(
    ("first", "header", "said"),
    [
        (str, None, r"column 1 holds numbers or ids"),
        (str, ("id", "source", "target"), r"column 1 \('id'\) holds numbers or ids"),
        (lambda i: f"sent-{i:04}", None, r"column 1 holds numbers or ids"),
    ],
)
def test_an_id_in_front_is_refused_with_the_columns_to_name(tmp_path, suffix, first, header, said):
    rows = [(first(i), *row) for i, row in enumerate(ROWS)]
    lines = [header, *rows] if header else rows
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path, lines, suffix)
    advice = caught.value.todo.partition("--columns ")[2]
    assert advice == "2,3"
    pairs, told = read(tmp_path, lines, suffix, columns=advice)
    assert pairs == ROWS
    unused = f"a.{suffix}: column {repr('id') if header else 1} is not used"
    assert told[-1] == unused


SCORED = [(f"{1.2 - i * 0.005:.3f}", *row) for i, row in enumerate(ROWS)]


@pytest.mark.parametrize("suffix", ["tsv", "csv"])
def test_a_score_in_front_is_told_apart_and_may_be_a_threshold(tmp_path, suffix):
    pairs, told = read(tmp_path, SCORED, suffix)
    assert pairs == ROWS
    assert told == [
        f"a.{suffix}: column 2 is read as en, column 3 as de (by order)",
        f"a.{suffix}: column 1 holds scores: pairs of all scores are kept; the option min_score "
        "drops some",
    ]
    pairs, told = read(tmp_path, SCORED, suffix, options={"min_score": 1.0})
    assert pairs == ROWS[:41]
    assert told[1:] == [
        f"a.{suffix}: column 1 holds scores",
        f"a.{suffix}: 19 of 60 pairs with a score below 1 are left out",
    ]


def test_a_threshold_on_a_named_column_and_on_another_one(tmp_path):
    rows = [(en, de, score, "x") for score, en, de in SCORED]
    for lines in ([("en", "de", "laser_score", "split"), *rows], rows):
        pairs, told = read(tmp_path, lines, options={"min_score": 1.1})
        assert pairs == ROWS[:21] and told[-1].startswith("a.tsv: 39 of 60 pairs")
    with pytest.raises(UserError, match="min_score is given, and there is no column of scores"):
        read(tmp_path, ROWS, options={"min_score": 1.1})
    with pytest.raises(UserError, match="unknown option 'minscore'; did you mean 'min_score'"):
        read(tmp_path, ROWS, options={"minscore": 1.1})
    rows[7] = (*rows[7][:2], "high", "x")
    _, told = read(tmp_path, rows, options={"min_score": 0.0})
    assert told[-1] == (
        "a.tsv: 1 of 60 rows skipped; the first, a.tsv:8: the score 'high' is no number"
    )


@pytest.mark.parametrize(
    ("name", "turned"),
    [("WikiMatrix.de-en.tsv", True), ("CCMatrix.en-de.tsv", False), ("mined.tsv", False),
     ("Sentence pairs in German-English - 2024-01-01.tsv", True), ("eng_Latn-deu_Latn.tsv", False)],
)  # fmt: skip
def test_the_name_of_a_mined_corpus_tells_the_order(tmp_path, name, turned):
    rows = [(score, *((de, en) if turned else (en, de))) for score, en, de in SCORED]
    path, notes = tmp_path / name, Notes()
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    pairs = list(read_parallel(path, lang="de", notes=notes))
    assert [(p.pivot, p.text) for p in pairs] == ROWS
    assert notes.lines[0].endswith("(by order)" if name == "mined.tsv" else "(by its name)")


def test_the_pairs_that_tatoeba_exports_have_an_id_before_each_text(tmp_path):
    lines = [(str(1276 + i), en, str(77 * i), de) for i, (en, de) in enumerate(ROWS)]
    pairs, told = read(tmp_path, lines)
    assert pairs == ROWS
    assert told == [
        "a.tsv: column 2 is read as en, column 4 as de (by order)",
        "a.tsv: columns 1 and 3 are not used",
    ]


def test_a_name_that_contradicts_the_order_is_told(tmp_path):
    path, notes = tmp_path / "news.de-en.tsv", Notes()
    path.write_text("".join(f"{en}\t{de}\n" for en, de in ROWS), encoding="utf-8")
    assert len(list(read_parallel(path, lang="de", notes=notes))) == 60
    assert notes.lines[1] == (
        "news.de-en.tsv: the name of the file has de first; if that is right, give --columns 2,1"
    )


def test_unused_columns_are_named(tmp_path):
    more = [(*row, "0.5", "", "x") for row in ROWS]
    assert read(tmp_path, more)[1][-1] == "a.tsv: columns 3 and 5 are not used"
    header = ("en", "de", "score", "", "split")
    assert read(tmp_path, [header, *more])[1][-1] == (
        "a.tsv: columns 'score' and 'split' are not used"
    )
    assert len(read(tmp_path, [(*row, "") for row in ROWS])[1]) == 1


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (("Good", ""), "the de side of this row is empty"),
        (("alone",), "column 2 is missing: this row has 1"),
    ],
)
def test_one_bad_row_is_skipped_and_counted(tmp_path, bad, said):
    pairs, lines = read(tmp_path, [*ROWS[:30], bad, *ROWS[30:]])
    assert pairs == ROWS
    assert lines[-1] == f"a.tsv: 1 of 61 rows skipped; the first, a.tsv:31: {said}"


def test_the_file_of_one_side_names_the_command_that_reads_both(tmp_path):
    for lang, side in (("en", 0), ("de", 1)):
        text = "".join(f"{row[side]}\n" for row in ROWS)
        (tmp_path / f"train.{lang}.txt").write_text(text, encoding="utf-8")
    for name in ("train.en.txt", "train.de.txt"):
        with pytest.raises(UserError, match="one side of a Moses pair") as caught:
            list(read_parallel(tmp_path / name, lang="de"))
        source = caught.value.todo.partition("--data ")[2]
        assert [(p.pivot, p.text) for p in read_parallel(source, lang="de")] == ROWS


def test_what_a_number_or_id_is():
    assert all(map(is_number_or_id, ["1", "-0.5", "s12", "a-3-b", "1,000", "٣"]))
    assert not any(map(is_number_or_id, ["", "Haus", "Haus 3", "3 Häuser"]))


def test_column_numbers():
    assert column_numbers(("2", "1")) == (1, 0)
    assert column_numbers(("2", "de")) is None
    assert column_numbers(("²", "1")) is None
    assert column_numbers(("9" * 5000, "1")) is None
