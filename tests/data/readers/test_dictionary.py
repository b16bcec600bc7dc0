from __future__ import annotations

import gzip

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.dictionary import Dictionary
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.readers.memory_records import read_in_memory
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.sides import Request
from xadapt.data.records import WordPair


def read(path, text, notes=None, **options):
    path.write_text(text, encoding="utf-8")
    return list(Dictionary(**options).read(str(path), "sw", notes))


def test_tabs_further_columns_and_places(tmp_path):
    rows = read(tmp_path / "a.tsv", "dog\tmbwa\tsource\n\njimmy hat\tkifutio\tx\n")
    assert rows == [WordPair("mbwa", "dog", "sw"), WordPair("kifutio", "jimmy hat", "sw")]
    assert [row.origin for row in rows] == [f"{tmp_path}/a.tsv:{n}" for n in (1, 3)]


def test_two_words_with_a_space_and_the_other_order(tmp_path):
    assert read(tmp_path / "a.txt", "dog mbwa\n") == [WordPair("mbwa", "dog", "sw")]
    made = read(tmp_path / "a.txt", "mbwa\tchien\n", first="word", pivot="fr")
    assert made == [WordPair("mbwa", "chien", "sw", "fr")]


def test_packed_a_header_and_repetitions(tmp_path):
    notes = Notes()
    rows = read(tmp_path / "a.tsv", "source\ttarget\ndog\tmbwa\ndog\tmbwa\n", notes)
    assert len(rows) == 1
    assert notes.lines == ["a.tsv: line 1 is a header", "a.tsv: 1 repeated entries left out"]
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"dog\tmbwa\n"))
    assert next(Dictionary().read(str(path), "sw")).word == "mbwa"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n", "no entry"),
        ("dog\n", "one column"),
        ("a dog barks\n", "one column"),
        ("dog\t \n", "empty"),
        ("".join(f"{i}\tw{i}\n" for i in range(20)), "column 1 holds numbers"),
    ],
)
def test_faults(tmp_path, text, said):
    with pytest.raises(UserError, match=said):
        read(tmp_path / "x.tsv", text)


def test_data_in_memory():
    def made(*rows):
        table, notes = InMemory(list(rows)), Notes()
        return list(read_in_memory(table, "dictionary", Request("sw", "en"), notes))

    assert made({"word": "mbwa", "pivot": "dog"}) == [WordPair("mbwa", "dog", "sw")]
    for word in (3, None, " "):
        with pytest.raises(UserError, match="the word is"):
            made({"word": word, "pivot": "dog"})


def test_it_claims_no_file():
    assert not Dictionary().claims("en-sw.tsv", None)
