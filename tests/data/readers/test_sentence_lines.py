import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.sentence_lines import read_sentence_lines


def read(path, text, columns=(1, 2)):
    path.write_text(text, encoding="utf-8")
    return list(read_sentence_lines(str(path), columns))


def test_every_line_gives_a_pair(tmp_path):
    text = "the cat\tdie Katze\tsource\n\n\tja\n"
    assert read(tmp_path / "a.tsv", text) == [
        (["the", "cat"], ["die", "Katze"]),
        ([], []),
        ([], ["ja"]),
    ]
    assert read(tmp_path / "a.tsv", "a b\tc\n", (2, 1)) == [(["c"], ["a", "b"])]
    assert read(tmp_path / "a.txt", "a b ||| c\n") == [(["a", "b"], ["c"])]


def test_two_files_and_json_lines(tmp_path):
    for name, text in (("a.en", "the cat\n\n"), ("a.de", "die Katze\nja\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    both = f"{tmp_path / 'a.en'},{tmp_path / 'a.de'}"
    assert list(read_sentence_lines(both)) == [(["the", "cat"], ["die", "Katze"]), ([], ["ja"])]
    line = '{"source": "the cat", "target": ["足利", "義満"]}\n\n'
    assert read(tmp_path / "a.jsonl", line) == [(["the", "cat"], ["足利", "義満"]), ([], [])]


def test_faults(tmp_path):
    with pytest.raises(UserError, match="1 column") as fault:
        read(tmp_path / "a.tsv", "a\tb\nno tab\n")
    assert str(fault.value.where).endswith("a.tsv:2")
    with pytest.raises(UserError, match="no such file"):
        list(read_sentence_lines(str(tmp_path / "none.tsv")))
    with pytest.raises(UserError, match="no text and no list"):
        read(tmp_path / "a.jsonl", '{"source": 3, "target": "x"}\n')
    (tmp_path / "l").write_text("a\nb\n")
    (tmp_path / "s").write_text("a\n")
    with pytest.raises(UserError, match="differ in length"):
        list(read_sentence_lines(f"{tmp_path / 'l'},{tmp_path / 's'}"))
