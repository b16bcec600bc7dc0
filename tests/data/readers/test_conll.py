from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.readers.conll import Conll
from xadapt.data.readers.notes import Notes
from xadapt.data.records import TaggedSentence

TEXT = """-DOCSTART- O

# a comment
John\tB-PER
Smith\tI-PER
lives\tO

#\tO
in NNP x B-LOC
"""


def read(path, text):
    path.write_text(text, encoding="utf-8")
    return list(Conll().read(str(path), "en"))


def test_sentences_with_spans_and_origins(tmp_path):
    rows = read(tmp_path / "a.conll", TEXT)
    assert rows == [
        TaggedSentence(("John", "Smith", "lives"), ((0, 2, "PER"),), "en"),
        TaggedSentence(("#", "in"), ((1, 2, "LOC"),), "en"),
    ]
    assert [row.origin for row in rows] == [f"{tmp_path}/a.conll:{n}" for n in (4, 8)]


def test_packed_and_without_a_last_empty_line(tmp_path):
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"Jo\tB-PER"))
    assert [row.words for row in Conll().read(str(path), "de")] == [("Jo",)]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", None, "no sentence"),
        ("\n\n", None, "no sentence"),
        ("a\tO\nb\n", 2, "no label"),
        ("a\tPER\n", 1, "no BIO label"),
        ("a\tB-\n", 1, "no BIO label"),
        ("a\tO\n" * 10_001, 10_001, "more than 10,000 words"),
    ],
)
def test_faults_name_the_line(tmp_path, text, line, said):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / "x.conll", text)
    assert line is None or str(caught.value.where).endswith(f":{line}")


def noted(path, text, lang="en"):
    path.write_text(text, encoding="utf-8")
    rows = list(Conll().read(str(path), lang, notes := Notes()))
    return [row.words for row in rows], notes.lines


SENTENCE = "Anna B-PER\nlives O\nin O\nKöln B-LOC\n\n"


def test_words_that_begin_with_a_hash_are_words(tmp_path):
    text = "# O\nRiverDay O\nin O\nMombasa B-LOC\n\n# B-MISC\nTag I-MISC\nends O\n\n#Tag O\n"
    rows = read(tmp_path / "a.conll", text)
    assert [row.words for row in rows] == [
        ("#", "RiverDay", "in", "Mombasa"),
        ("#", "Tag", "ends"),
        ("#Tag",),
    ]
    assert rows[1].spans == ((0, 2, "MISC"),)


@pytest.mark.parametrize("mark", ["\t", " "])
@pytest.mark.parametrize(
    "comment",
    ["# a comment", "#comment", "# id 5f3 domain=en", "# text = Vitamin O", "#\thttp://a b", "#"],
)
def test_comments_are_no_words(tmp_path, mark, comment):
    sentence = SENTENCE.replace(" ", mark)
    words = tuple(SENTENCE.split()[::2])
    text = f"{comment}\n{sentence}{comment}\n{comment}\n{sentence}{comment}\n"
    assert noted(tmp_path / "a.conll", text)[0] == [words, words]
    inside = sentence.replace("lives", f"{comment}\nlives")
    if len(comment.split("\t")) == 1 and len(comment.split()) != 2:
        assert noted(tmp_path / "a.conll", inside)[0] == [words]


def test_a_no_break_space_belongs_to_its_word(tmp_path):
    for mark in (" ", "\t"):
        rows = read(tmp_path / "a.conll", f"12\u00a0000{mark}O\nKm\u2009{mark}{mark}O\n")
        assert [row.words for row in rows] == [("12\u00a0000", "Km\u2009")]


def numbered(start, through=False):
    lines, at = [], start
    for sentence in (["Anna", "lives"], ["in", "Köln", "."]):
        at = at if through else start
        for word in sentence:
            lines.append(f"{at}\t{word}\tO")
            at += 1
        lines.append("")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("text", [numbered(1), numbered(0), numbered(1, through=True)])
def test_a_column_that_counts_is_no_word(tmp_path, text):
    words, lines = noted(tmp_path / "a.conll", text)
    assert words == [("Anna", "lives"), ("in", "Köln", ".")]
    assert lines == ["a.conll: column 1 counts the words: column 2 is read as the word"]


def test_numbers_are_words_where_they_do_not_count(tmp_path):
    words, _ = noted(tmp_path / "a.conll", "1 X O\n3 X O\n\n2 X O\nmal X O\n")
    assert words == [("1", "3"), ("2", "mal")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1\tO\n2\tO\n\n1\tO\n2\tO\n3\tO\n", "column 1 holds numbers, where the words should be"),
        ("7\tAnna\tO\n9\tlives\tO\n\n4\tin\tO\n1\tKöln\tO\n4\t.\tO\n", "column 1 holds numbers"),
        ("_\tO\n_\tO\n", "are '_': the texts are withheld"),
        ("1\t_\tO\n2\t_\tO\n", r"\(column 2\) are '_'"),
        ("".join(f"w{i}x O\n\n" for i in range(5)), "every sentence has one word"),
        ("de:Anna\tO\nde:lebt\tO\n", "all words begin with 'de:', but the language is en"),
    ],
)
def test_words_that_cannot_be_words_are_refused(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as caught:
        noted(tmp_path / "a.conll", text)
    assert caught.value.todo


def test_a_language_prefix_is_taken_off(tmp_path):
    text = "de:Anna\tB-PER\nde:Berg\tI-PER\nde:schläft\tO\n\nde:Köln\tB-LOC\n"
    for lang in ("de", "und"):
        words, lines = noted(tmp_path / "a.conll", text, lang)
        assert words == [("Anna", "Berg", "schläft"), ("Köln",)]
        assert lines == ["a.conll: all words begin with 'de:': it is taken off"]
    mixed, lines = noted(tmp_path / "a.conll", "de:Anna\tO\nnote:\tO\n")
    assert mixed == [("de:Anna", "note:")] and not lines


def test_a_header_is_no_sentence(tmp_path):
    words, lines = noted(tmp_path / "a.conll", "word tag\n" + SENTENCE * 2)
    assert len(words) == 2 and words[0] == words[1]
    assert lines == ["a.conll: line 1 is a header: word, tag"]


def test_unused_columns_are_named_and_other_labels_pointed_out(tmp_path):
    _, lines = noted(tmp_path / "a.conll", "Jo NNP I-NP B-PER\nran VBD O O\n")
    assert lines == [
        "a.conll: columns 2 and 3 are not used; column 3 holds BIO labels too, and the last one "
        "is read"
    ]


def test_a_faulty_sentence_is_skipped_and_long_ones_are_counted(tmp_path):
    text = SENTENCE * 3 + "Anna B-PER\nlives\n\n" + "Wort O\n" * 201 + "\n" + SENTENCE
    words, lines = noted(tmp_path / "a.conll", text)
    assert len(words) == 5
    assert lines == [
        "a.conll: 1 of 6 sentences skipped; the first, a.conll:17: this line has no label",
        "a.conll: 1 sentence has more than 200 words (the longest, line 19: 201); a base "
        "that reads less takes them in overlapping windows",
    ]
    withheld, lines = noted(tmp_path / "a.conll", SENTENCE * 3 + "_ O\n_ O\n")
    assert len(withheld) == 3 and "withheld" in lines[0]


PIECES = ("# ", "#", "O\n", "B-X\n", "\t", " ", "\n", "1", "2", "de:", "_", "w", "\u00a0", "-DOC")


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_lines_are_read_or_refused_with_the_place(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("c") / "a.conll"
    path.write_text("".join(pieces), encoding="utf-8")
    try:
        rows = list(Conll().read(str(path), "de", Notes()))
    except UserError as error:
        assert str(error.where).startswith(str(path))
    else:
        assert rows and all(all(row.words) for row in rows)


BIO = ["B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC", "O", "B-PER"]
SAME = {
    "IOB2": BIO,
    "IOB1": ["I-PER", "I-PER", "O", "I-LOC", "B-LOC", "I-LOC", "O", "I-PER"],
    "IOBES": ["B-PER", "E-PER", "O", "S-LOC", "B-LOC", "E-LOC", "O", "S-PER"],
    "BILOU": ["B-PER", "L-PER", "O", "U-LOC", "B-LOC", "L-LOC", "O", "U-PER"],
    "BMES": ["B-PER", "E-PER", "O", "S-LOC", "B-LOC", "E-LOC", "O", "S-PER"],
}
SPANS = ((0, 2, "PER"), (3, 4, "LOC"), (4, 6, "LOC"), (7, 8, "PER"))


@pytest.mark.parametrize("encoding", SAME)
def test_encodings_of_spans_are_told_apart_and_read_as_the_same_spans(tmp_path, encoding):
    labels, spans = SAME[encoding], SPANS
    if encoding == "BMES":
        labels, spans = [*labels, "B-X", "M-X", "E-X"], (*SPANS, (8, 11, "X"))
    text = "".join(f"w{i}\t{label}\n" for i, label in enumerate(labels))
    path, notes = tmp_path / "a.conll", Notes()
    path.write_text(f"{text}\n{text}")
    rows = list(Conll().read(str(path), "de", notes))
    assert [row.spans for row in rows] == [spans, spans]
    if encoding == "IOB2":
        assert notes.lines == []
    elif encoding == "IOB1":
        assert notes.lines == [
            "a.conll: labels are IOB1 (a span begins with I-): they are read as such"
        ]
    else:
        assert notes.lines == [f"a.conll: labels are {encoding}: they are converted to IOB2"]


def test_a_label_of_another_encoding_costs_its_sentence(tmp_path):
    good = "".join(f"w\t{label}\n" for label in SAME["IOBES"])
    path, notes = tmp_path / "a.conll", Notes()
    path.write_text(f"{good}\nx\tU-PER\ny\tO\n\n{good}")
    assert len(list(Conll().read(str(path), "de", notes))) == 2
    assert "'U-PER' is no IOBES label" in notes.lines[-1]
