import gzip
import json

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.memory_records import read_in_memory
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.sides import Request
from xadapt.data.readers.word_alignment import WordAlignmentReader, sides_of
from xadapt.data.records import AlignedWords

WANTED = [
    AlignedWords(("the", "cat"), ("die", "Katze"), ((0, 0), (1, 1)), ((0, 1),), "en", "de"),
    AlignedWords(("yes",), ("ja",), (), (), "en", "de"),
]
TSV = "the cat\tdie Katze\t1-1 0-0\t0-1\n\nyes\tja\t\t\n"


def read(source, notes=None, **options):
    made = WordAlignmentReader(**options).read(str(source), "en", "de", notes=notes)
    return list(made)


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_one_table(tmp_path):
    rows = read(written(tmp_path / "a.tsv", TSV))
    assert rows == WANTED
    assert [row.origin for row in rows] == [f"{tmp_path}/a.tsv:{n}" for n in (1, 3)]
    packed = tmp_path / "a.tsv.gz"
    packed.write_bytes(gzip.compress(TSV.encode()))
    assert read(packed) == WANTED
    assert (
        read(written(tmp_path / "b.tsv", "the cat\tdie Katze\t0-0 1-1 0p1\nyes\tja\t\n")) == WANTED
    )


def test_sentences_and_links(tmp_path):
    pairs = written(tmp_path / "a.txt", "the cat ||| die Katze\nyes ||| ja\n")
    links = written(tmp_path / "a.talp", "0-0 0p1 1-1\n\n")
    assert read(f"{pairs},{links}") == WANTED
    tabs = written(tmp_path / "b.txt", "the cat\tdie Katze\nyes\tja\n")
    ones = written(tmp_path / "b.talp", "1-1 1p2 2-2\n\n")
    assert read(f"{tabs},{ones}", one_based=True) == WANTED


def test_files_of_naacl(tmp_path):
    left = written(tmp_path / "t.e", "<s snum=0001> the cat </s>\n<s snum=0002> yes </s>\n")
    right = written(tmp_path / "t.f", "<s snum=0001> die Katze </s>\n<s snum=0002> ja </s>\n")
    links = written(tmp_path / "t.wa", "0001 1 1 S\n0001 2 2 S\n0001 1 2 P\n")
    assert read(f"{left},{right},{links}") == WANTED
    other = written(tmp_path / "u.wa", "0001 1 1 S\n0009 1 1 S\n")
    with pytest.raises(UserError, match="no sentence pair 9"):
        read(f"{left},{right},{other}")
    swapped = written(tmp_path / "u.f", "<s snum=0002> ja </s>\n<s snum=0001> die Katze </s>\n")
    with pytest.raises(UserError, match="stands beside"):
        read(f"{left},{swapped},{links}")


def test_named_columns_and_memory(tmp_path):
    rows = [
        {"source": "the cat", "target": ["die", "Katze"], "links": "0-0 1-1 0p1"},
        {"source": ["yes"], "target": "ja", "links": []},
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    assert read(written(tmp_path / "a.jsonl", lines)) == WANTED
    given = [{**row, "links": row["links"] or [[0, 0]]} for row in rows]
    found = list(read_in_memory(InMemory(given), "word_alignment", Request("en", "de"), Notes()))
    assert found[0] == WANTED[0] and found[1].sure == ((0, 0),)
    assert list(read_in_memory(InMemory(WANTED), "word_alignment", Request("en", "de"), Notes()))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", None, "no sentence pair"),
        ("\n\n", None, "no sentence pair"),
        ("a b\tc\n", 1, "2 columns"),
        ("a\tb\t0-0\t\t\n", 1, "5 columns"),
        ("a\tb\t0:0\n", 1, "no link"),
        ("a\tb\t0-1\n", 1, "leaves the sentences of 1 and 1 words"),
        ("a\tb\t0-0\t1-0\n", 1, "leaves"),
        (" \tb\t0-0\n", 1, "a sentence is empty"),
    ],
)
def test_faults_name_the_line(tmp_path, text, line, said):
    path = written(tmp_path / "x.tsv", text)
    with pytest.raises(UserError, match=said) as fault:
        read(path)
    assert line is None or fault.value.where == f"{path}:{line}"


def test_single_faults_are_skipped_and_counted(tmp_path):
    text = "a\tb\t0-0\n" * 5 + "a\tb\t7-7\n"
    notes = Notes()
    assert len(read(written(tmp_path / "x.tsv", text), notes)) == 5
    assert "1 of 6 pairs skipped" in notes.lines[0]


def test_files_that_do_not_fit(tmp_path):
    pairs = written(tmp_path / "a.txt", "a ||| b\nc ||| d\n")
    with pytest.raises(UserError, match="differ in number"):
        read(f"{pairs},{written(tmp_path / 'a.talp', '0-0')}")
    with pytest.raises(UserError, match="no link in this file"):
        read(f"{pairs},{written(tmp_path / 'b.talp', '')}")
    with pytest.raises(UserError, match="no such file"):
        read(f"{pairs},{tmp_path / 'none'}")
    with pytest.raises(UserError, match="4 files"):
        read("a,b,c,d")
    lone = written(tmp_path / "c.txt", "a b\n")
    with pytest.raises(UserError, match="no sentence pair"):
        read(f"{lone},{written(tmp_path / 'c.talp', '0-0')}")
    long, short = written(tmp_path / "l", "a\nb\n"), written(tmp_path / "s", "a\n")
    with pytest.raises(UserError, match="differ in length"):
        read(f"{long},{short},{written(tmp_path / 'd.talp', '0-0')}")


def test_the_languages_of_the_sides():
    assert sides_of("ja-en.tsv.gz", "ja", "en") == ("ja", "en")
    assert sides_of("en-fr.tsv", "und", "en") == ("en", "fr")
    assert sides_of("ja-en.tsv", "fr", "en") == ("en", "fr")
    assert sides_of("test.tsv", "sw", "en") == ("en", "sw")
    assert sides_of("test.tsv", "sw", "en", "sw") == ("sw", "en")
    assert sides_of("sw-en.tsv", "sw", "en", "en") == ("en", "sw")
    with pytest.raises(UserError, match="the first sentences are de"):
        sides_of("test.tsv", "sw", "en", "de")
