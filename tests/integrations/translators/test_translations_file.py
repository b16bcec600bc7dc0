"""Translations from a file: found by text, and refused with file and line where they don't fit."""

from __future__ import annotations

import gzip

import pytest

from xadapt.core.errors import UserError
from xadapt.integrations.translators.protocol import Translator
from xadapt.integrations.translators.translations_file import TranslationsFile


def written(tmp_path, text: str, name: str = "t.tsv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_each_text_gets_its_translation(tmp_path):
    file = TranslationsFile.read(
        written(tmp_path, "a dog\tein Hund\textra\n\n a cat \t eine Katze\n")
    )
    assert file.translate(["a cat", "a dog", " a cat"], "en", "de") == [
        "eine Katze",
        "ein Hund",
        "eine Katze",
    ]
    assert isinstance(file, Translator)


def test_a_compressed_file_is_read(tmp_path):
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\n"))
    assert TranslationsFile.read(path).translate(["a"], "en", "de") == ["b"]


def test_missing_translations_are_counted_and_the_first_is_shown(tmp_path):
    file = TranslationsFile.read(written(tmp_path, "a\tb\n"))
    with pytest.raises(
        UserError, match="2 of 3 texts have no translation from en into de"
    ) as error:
        file.translate(["x", "a", "y", "x"], "en", "de")
    assert "'x'" in str(error.value)


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("a\tb\nno tab\n", ":2", "a tab"),
        ("a\t\n", ":1", "a tab"),
        ("\tb\n", ":1", "a tab"),
        ("a\tb\na\tc\n", ":2", "another translation"),
        ("\n\n", "t.tsv", "holds no translation"),
    ],
)
def test_a_faulty_line_is_named(tmp_path, text, where, said):
    with pytest.raises(UserError, match=said) as error:
        TranslationsFile.read(written(tmp_path, text))
    assert where in str(error.value)


def test_another_content_has_other_facts(tmp_path):
    one = TranslationsFile.read(written(tmp_path, "a\tb\n"))
    other = TranslationsFile.read(written(tmp_path, "a\tc\n"))
    assert one.facts["sha256"] != other.facts["sha256"]
    assert "/" not in one.facts["file"]
