"""XLIFF 1.2 and 2: sides, states, inline codes, hostile and broken XML."""

from __future__ import annotations

import tracemalloc

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.parallel import read_parallel

OLD = (
    '<?xml version="1.0"?>\n<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">\n'
    '<file original="a" source-language="en" target-language="{}" datatype="plaintext"><body>\n{}'
    "</body></file></xliff>"
)
NEW = (
    '<?xml version="1.0"?>\n<xliff version="2.0" xmlns="urn:oasis:names:tc:xliff:document:2.0"\n'
    'srcLang="en" trgLang="{}"><file id="f"><unit id="u">\n{}</unit></file></xliff>'
)


def old(source: str, target: str | None, state: str = "") -> str:
    state = f' state="{state}"' if state else ""
    inner = "" if target is None else f"<target{state}>{target}</target>"
    return f'<trans-unit id="1"><source>{source}</source>{inner}</trans-unit>\n'


def new(source: str, target: str | None, state: str = "") -> str:
    state = f' state="{state}"' if state else ""
    inner = "" if target is None else f"<target>{target}</target>"
    return f"<segment{state}><source>{source}</source>{inner}</segment>\n"


def read(folder, text: str, lang: str = "de", **options):
    path, notes = folder / "a.xlf", Notes()
    path.write_text(text, encoding="utf-8")
    pairs = list(read_parallel(path, lang=lang, notes=notes, **options))
    return pairs, notes.lines


@pytest.mark.parametrize(("form", "unit"), [(OLD, old), (NEW, new)])
def test_translated_units_are_taken_and_the_others_counted(tmp_path, form, unit):
    units = [
        unit("Open &amp; close", "Öffnen &amp; schließen", "translated"),
        unit("Not yet", None),
        unit("Draft", "Entwurf", "initial" if unit is new else "needs-translation"),
        unit("Save", " Speichern "),
        unit("Empty", ""),
    ]
    pairs, told = read(tmp_path, form.format("de-DE", "".join(units)))
    assert [(p.pivot, p.text) for p in pairs] == [
        ("Open & close", "Öffnen & schließen"),
        ("Save", "Speichern"),
    ]
    assert [p.origin.rpartition(":")[2] for p in pairs] == ["4", "7"]
    assert told == ["a.xlf: units passed over: 3 untranslated"]


@pytest.mark.parametrize(("form", "unit"), [(OLD, old), (NEW, new)])
def test_either_side_may_be_the_pivot(tmp_path, form, unit):
    pairs, _ = read(tmp_path, form.format("de", unit("Day", "Tag")), lang="en", pivot_lang="de")
    assert [(p.pivot, p.text) for p in pairs] == [("Tag", "Day")]
    with pytest.raises(UserError, match=r"between en and sw \(languages: de, en; 1 in other"):
        read(tmp_path, form.format("de", unit("Day", "Tag")), lang="sw")


def test_codes_are_left_out_and_marked_text_stays(tmp_path):
    code = '<bpt id="1">&lt;b></bpt><g id="2">now</g><ept id="1">&lt;/b></ept><x id="3"/>'
    unit = old(f"Go {code} &amp; <ph id='4'>\\n<sub>x</sub></ph>on", "Los")
    assert read(tmp_path, OLD.format("de", unit))[0][0].pivot == "Go now & on"
    code = '<pc id="1">now</pc><ph id="2"/><mrk id="3">!</mrk><cp hex="001b"/>'
    assert read(tmp_path, NEW.format("de", new(code, "Los")))[0][0].pivot == "now!"


def test_proposals_and_what_lies_between_segments_are_not_read(tmp_path):
    unit = (
        old("One", "Eins")
        .replace(
            "</trans-unit>",
            "<alt-trans><source>Two</source><target>Zwei</target></alt-trans></trans-unit>",
        )
        .replace("<target>", "<seg-source><mrk>Three</mrk></seg-source><target>")
    )
    pairs, _ = read(tmp_path, OLD.format("de", unit))
    assert [(p.pivot, p.text) for p in pairs] == [("One", "Eins")]
    aside = "<ignorable><source> </source></ignorable>" + new("One", "Eins")
    matches = "<mtc:matches><mtc:match><source>Two</source><target>Zwei</target></mtc:match>"
    text = NEW.format("de", f"{matches}</mtc:matches>{aside}").replace(
        "<xliff", "<xliff xmlns:mtc='m'"
    )
    assert [(p.pivot, p.text) for p in read(tmp_path, text)[0]] == [("One", "Eins")]


def test_no_named_target_language_is_told(tmp_path):
    text = OLD.replace(' target-language="{}"', "{}").format("", old("Day", "Tag"))
    pairs, told = read(tmp_path, text)
    assert len(pairs) == 1
    assert told == ["a.xlf: no target language is named: it is taken to be of en and de"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OLD.format("de", "<trans-unit></source>"), r"not well-formed XML \(mismatched tag"),
        (OLD.format("de", old("Day", "Tag"))[:-20], "not well-formed XML"),
        ("Good\tGut\n", "not well-formed XML"),
        ('<!DOCTYPE x [<!ENTITY a "ha">]><xliff>&a;</xliff>', "defines the entity 'a'"),
        ('<!DOCTYPE x SYSTEM "x.dtd">' + OLD.format("de", old("&unheard;", "b"))[22:],
         "the entity 'unheard' is not defined"),
        (OLD.format("de", ""), "no unit is translated between en and de"),
    ],
)  # fmt: skip
def test_faults_name_their_place(tmp_path, text, said):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path, text)
    assert caught.value.where.startswith(str(tmp_path / "a.xlf")) and caught.value.todo


def test_many_units_stream_and_a_large_one_is_refused(tmp_path):
    path = tmp_path / "a.xlf"
    path.write_text(OLD.format("de", old("a" * 100, "b" * 100) * 20_000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_parallel(path, lang="de")) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000
    path.write_text(OLD.format("de", old("a" * 8_000_000, "b")))
    with pytest.raises(UserError, match="longer than 1,048,576 characters"):
        list(read_parallel(path, lang="de"))
