"""TMX: languages and regions, inline codes, hostile and broken XML."""

from __future__ import annotations

import tracemalloc

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.parallel import read_parallel

HEAD = '<?xml version="1.0"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4"><body>\n'
TAIL = "</body></tmx>\n"


def unit(**sides: str) -> str:
    variants = "".join(
        f'<tuv xml:lang="{lang.replace("_", "-")}"><seg>{seg}</seg></tuv>'
        for lang, seg in sides.items()
    )
    return f"<tu>{variants}</tu>\n"


def _read(folder, text: str | bytes, lang: str = "de"):
    path = folder / "memory.tmx"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_parallel(path, lang=lang))


def test_units_with_both_languages_are_taken(tmp_path):
    text = HEAD + unit(en="Good", de="Gut") + unit(en="x", fr="y") + unit(de="Tag", en="Day") + TAIL
    pairs = _read(tmp_path, text)
    assert [(p.pivot, p.text) for p in pairs] == [("Good", "Gut"), ("Day", "Tag")]
    assert [p.origin.rpartition(":")[2] for p in pairs] == ["4", "6"]


def test_regions_and_old_lang_attributes(tmp_path):
    text = (
        HEAD
        + unit(en_US="Color", en_GB="Colour", de_AT="Farbe")
        + '<tu><tuv lang="EN"><seg>Day</seg></tuv><tuv lang="DE-DE"><seg>Tag</seg></tuv></tu>'
        + TAIL
    )
    pairs = _read(tmp_path, text)
    assert [(p.pivot, p.text) for p in pairs] == [("Color", "Farbe"), ("Day", "Tag")]


def test_native_codes_are_left_out_and_highlights_stay(tmp_path):
    codes = '<bpt i="1">&lt;b></bpt><hi>OK</hi><ept i="1">&lt;/b></ept>'
    seg = f"Press {codes} &amp; go<ph>\\n<sub>x</sub></ph>"
    pairs = _read(tmp_path, HEAD + unit(en=seg, de="Los") + TAIL)
    assert pairs[0].pivot == "Press OK & go"


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "utf-8-sig"])
def test_the_encoding_is_the_xml_declarations(tmp_path, encoding):
    head = HEAD.replace('"1.0"', f'"1.0" encoding="{encoding.removesuffix("-sig")}"')
    pairs = _read(tmp_path, (head + unit(en="Greetings", de="Grüße") + TAIL).encode(encoding))
    assert pairs[0].text == "Grüße"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (HEAD + unit(en="a", de="b") + "<tu></tuv>", 5, "not well-formed XML .mismatched tag"),
        (HEAD + unit(en="a", de="b"), 5, "not well-formed XML .no element found"),
        ("Good\tGut\n", 1, "not well-formed XML"),
        (HEAD + unit(en="a", de=" ") + TAIL, 4, "the de side of this row is empty"),
        (HEAD + unit(en="a", de="&nbsp;&#160;x") + TAIL, 4, "no_error"),
        (HEAD.encode() + b"<tu>\xff</tu>", 4, "not well-formed XML"),
        (HEAD.replace('"1.0"', '"1.0" encoding="klingon"') + TAIL, 1, "XML"),
    ],
)
def test_faults_name_their_line(tmp_path, text, line, said):
    if said == "no_error":  # an entity of HTML, though the DTD is not fetched
        assert _read(tmp_path, text)[0].text == "x"
        return
    with pytest.raises(UserError, match=said) as caught:
        _read(tmp_path, text)
    assert caught.value.where == f"{tmp_path / 'memory.tmx'}:{line}"


def test_no_unit_with_both_languages(tmp_path):
    with pytest.raises(UserError, match=r"no unit has both en and sw \(languages: de, en\)"):
        _read(tmp_path, HEAD + unit(en="a", de="b") + TAIL, lang="sw")


def test_entities_are_refused_and_external_parts_never_read(tmp_path):
    bomb = '<!DOCTYPE tmx [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><tmx>&b;</tmx>'
    with pytest.raises(UserError, match="refused"):
        _read(tmp_path, bomb)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    outside = f'<!DOCTYPE tmx [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    with pytest.raises(UserError, match="refused"):
        _read(tmp_path, outside + f"<tmx>{unit(en='&x;', de='b')}</tmx>")


@pytest.mark.parametrize(
    "row",
    [
        "<tu><tuv xml:lang='en'><seg>{}</seg></tuv></tu>",
        "<!-- {} -->",
        "<tu x='{}'></tu>",
    ],
)
def test_a_unit_of_30_megabytes_is_refused_in_bounded_memory(tmp_path, row):
    path = tmp_path / "big.tmx"
    path.write_text(HEAD + unit(en="a", de="b") + row.format("x" * 30_000_000) + TAIL)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="longer than 1,048,576 characters") as caught:
            list(read_parallel(path, lang="de"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24_000_000
    assert caught.value.where == f"{path}:5"


def test_many_units_stream(tmp_path):
    path = tmp_path / "many.tmx"
    path.write_text(HEAD + unit(en="a" * 100, de="b" * 100) * 20_000 + TAIL)
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_parallel(path, lang="de"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 3_000_000


@pytest.mark.parametrize("doctype", ['<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n', ""])
def test_an_entity_never_vanishes(tmp_path, doctype):
    head = HEAD.replace('<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n', doctype)
    text = head + unit(en="One&nbsp;cup of na&iuml;ve tea", fr="Une tasse de th&eacute;") + TAIL
    if doctype:
        (tmp_path / "memory.tmx").write_text(text)
        (pair,) = read_parallel(tmp_path / "memory.tmx", lang="fr", notes=(notes := Notes()))
        assert notes.lines == [
            "memory.tmx: entities of HTML are read as their characters: eacute, iuml and nbsp"
        ]
        assert (pair.pivot, pair.text) == (
            "One\u00a0cup of na\u00efve tea",
            "Une tasse de th\u00e9",
        )
        text = text.replace("&eacute;", "&unheard;")
    with pytest.raises(UserError, match=r"unheard|undefined entity") as caught:
        _read(tmp_path, text, lang="fr")
    assert caught.value.where == f"{tmp_path / 'memory.tmx'}:{4 if doctype else 3}"


def test_an_empty_side_costs_one_unit_and_an_empty_variant_none(tmp_path):
    variants = '<tu><tuv xml:lang="en"><seg>{}</seg></tuv>{}</tu>\n'
    one = '<tuv xml:lang="es_es"><seg>{}</seg></tuv>'
    text = HEAD + "".join(
        variants.format(*row)
        for row in (
            ("One two three", one.format("Uno dos tres")),
            ("Open the file", '<tuv xml:lang="es_es"><seg/></tuv>'),
            ("Close it", one.format("") + one.format("Cierra") + one.format("Cierre")),
            ("Nothing", '<tuv xml:lang="fr"><seg>Rien</seg></tuv>'),
        )
    )
    path, notes = tmp_path / "memory.tmx", Notes()
    path.write_text(text + TAIL)
    pairs = list(read_parallel(path, lang="es", notes=notes))
    assert [(p.pivot, p.text) for p in pairs] == [
        ("One two three", "Uno dos tres"),
        ("Close it", "Cierra"),
    ]
    assert notes.lines == [
        "memory.tmx: 1 of 3 units skipped; the first, memory.tmx:5: the es side of this row is "
        "empty",
        "memory.tmx: 1 units without both en and es are passed over",
    ]
