"""Gettext catalogues: which entries are translations, and broken ones."""

from __future__ import annotations

import polib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.readers.gettext import Part
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.sides import Limits, Request

CATALOGUE = r"""
# A comment.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"

#: main.c:3
msgctxt "menu"
msgid "Open"
msgstr "Öffnen"

#, fuzzy
#| msgid "Old"
msgid "Close"
msgstr "Schliessen"

msgid "Not yet"
msgstr ""

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

msgid ""
"Two "
"lines\n"
msgstr "Zwei "
"\"Zeilen\"\n"
msgid "No blank before"

msgstr "Keine Leerzeile"

#~ msgid "Gone"
#~ msgstr "Fort"
"""


def _read(folder, text: str, limit: int = 1 << 20):
    path = folder / "de.po"
    path.write_text(text, encoding="utf-8", newline="")
    return list(Part().read(str(path), Request("de", limits=Limits(chars=limit))))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_translated_entries_only(tmp_path, newline):
    pairs = _read(tmp_path, CATALOGUE.replace("\n", newline))
    assert [(p.pivot, p.text) for p in pairs] == [
        ("Open", "Öffnen"),
        ("Two lines", 'Zwei "Zeilen"'),
        ("No blank before", "Keine Leerzeile"),
    ]
    assert [p.origin.rpartition(":")[2] for p in pairs] == ["9", "25", "30"]


def test_separators_inside_strings_do_not_break_lines(tmp_path):
    pairs = _read(tmp_path, 'msgid "a\u2028b"\nmsgstr "c\x85d"\n')
    assert [(p.pivot, p.text) for p in pairs] == [("a b", "c d")]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('msgid "a"\nmsgstr "b"\nGood\tGut\n', 3, "not gettext"),
        ('msgid "a"\nmsgstr "b\n', 2, "not gettext"),
        ('msgid a\nmsgstr "b"\n', 1, "not gettext"),
        ('msgid "a"b"\nmsgstr "c"\n', 1, "not valid gettext .Syntax error"),
        ('msgid "x"\nmsgstr "y"\nmsgid "a"\n', 3, "no msgstr"),
        ('"a"\nmsgid "a"\nmsgstr "c"\n', 2, "not valid gettext"),
        ('msgid "x"\nmsgstr "y"\n\nmsgid "  "\nmsgstr "c"\n', 4, "the en side"),
    ],
)
def test_faults_name_their_line(tmp_path, text, line, said):
    with pytest.raises(UserError, match=said) as caught:
        _read(tmp_path, text)
    assert caught.value.where == f"{tmp_path / 'de.po'}:{line}"


def test_an_entry_of_many_lines_is_bounded(tmp_path):
    text = 'msgid "a"\nmsgstr "b"\n\nmsgid "a"\nmsgstr ""\n' + '"xxxxxxxx"\n' * 100
    with pytest.raises(UserError, match="longer than 200 characters") as caught:
        _read(tmp_path, text, limit=200)
    assert caught.value.where.endswith(":4")


words = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=30
).filter(lambda word: word.strip() == word)


@given(entries=st.dictionaries(words, words, max_size=5))
def test_what_polib_writes_is_read_back(tmp_path_factory, entries):
    catalogue = polib.POFile(wrapwidth=20)
    catalogue.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    for msgid, msgstr in entries.items():
        catalogue.append(polib.POEntry(msgid=msgid, msgstr=msgstr))
    pairs = _read(tmp_path_factory.mktemp("po"), str(catalogue))
    assert {p.pivot: p.text for p in pairs} == entries


def test_a_catalogue_without_a_translation_says_why(tmp_path):
    fuzzy = '#, fuzzy\nmsgid "Close{0}"\nmsgstr "Schliessen"\n\n'
    text = "".join(fuzzy.format(i) for i in range(3)) + 'msgid "Not yet"\nmsgstr ""\n'
    with pytest.raises(UserError, match=r"no entry is translated \(3 fuzzy, 1 untranslated\)"):
        _read(tmp_path, text)


def test_what_is_passed_over_is_counted(tmp_path):
    path, notes = tmp_path / "de.po", Notes()
    path.write_text(CATALOGUE, encoding="utf-8")
    assert len(list(Part().read(str(path), Request("de"), notes))) == 3
    assert notes.lines == [
        "de.po: entries passed over: 1 fuzzy, 1 obsolete, 1 untranslated, 1 with plural forms"
    ]
