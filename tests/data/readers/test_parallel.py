"""The front: picking a format, the same records from every format, and bad bytes in all of them."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.readers.parallel import Part, formats, parse_columns, read_parallel
from xadapt.data.readers.sides import Limits, Request
from xadapt.data.records import ParallelPair

PAIRS = [("Good day", "Guten Tag"), ("Thank you", "Danke schön"), ("1 < 2 & 3", "日本語")]
_TMX = "<tu><tuv xml:lang='en'><seg>{}</seg></tuv><tuv xml:lang='de'><seg>{}</seg></tuv></tu>"


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


AS_TEXT = {
    "tsv": "".join(f"{en}\t{de}\n" for en, de in PAIRS),
    "csv": "".join(f'"{en}","{de}"\n' for en, de in PAIRS),
    "jsonl": "".join(json.dumps({"en": en, "de": de}) + "\n" for en, de in PAIRS),
    "tmx": f"<tmx>{''.join(_TMX.format(_xml(en), de) for en, de in PAIRS)}</tmx>",
    "po": "".join(f'msgid "{en}"\nmsgstr "{de}"\n\n' for en, de in PAIRS),
    "xlf": "<xliff><file source-language='en' target-language='de'><body>"
    + "".join(
        f"<trans-unit><source>{_xml(en)}</source><target>{de}</target></trans-unit>"
        for en, de in PAIRS
    )
    + "</body></file></xliff>",
}
NAMED = {"xlf": "xliff"}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("suffix", AS_TEXT)
def test_every_format_gives_the_same_records(tmp_path, suffix, packed):
    data = AS_TEXT[suffix].encode()
    path = tmp_path / f"data.{suffix}{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(data) if packed else data)
    expected = [ParallelPair(de, en, "de", "en") for en, de in PAIRS]
    assert list(read_parallel(path, lang="deu", pivot_lang="eng")) == expected
    assert list(read_parallel(str(path), lang="de", limits=Limits(pairs=2))) == expected[:2]
    assert list(Part().read(str(path), Request("de"))) == expected
    unnamed = tmp_path / ("data.gz" if packed else "data")
    path.rename(unnamed)
    assert (
        list(read_parallel(unnamed, lang="de", file_format=NAMED.get(suffix, suffix))) == expected
    )


@pytest.mark.parametrize("suffix", AS_TEXT)
@pytest.mark.parametrize("data", [b"", b"\n\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_a_mistake(tmp_path, suffix, data):
    for packed in (False, True):
        path = tmp_path / f"data.{suffix}{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(data) if packed else data)
        with pytest.raises(UserError) as caught:
            list(read_parallel(path, lang="de"))
        assert caught.value.where.startswith(str(path))


@pytest.mark.parametrize("suffix", ["tsv", "csv", "jsonl", "po"])
def test_a_row_of_10_megabytes_is_refused_in_bounded_memory(tmp_path, suffix):
    head = AS_TEXT[suffix].encode()
    row = {
        "tsv": b"Good\t%s\n",
        "csv": b'"Good","%s"\n',
        "jsonl": b'{"en": "Good", "de": "%s"}\n',
        "po": b'msgid "Good"\nmsgstr "%s"\n',
    }[suffix]
    path = tmp_path / f"data.{suffix}"
    path.write_bytes(head + row % (b"x" * 10_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="longer than") as caught:
            list(read_parallel(path, lang="de"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    line = head.count(b"\n") + 1 + row.rstrip().count(b"\n")
    assert caught.value.where == f"{path}:{line}"
    assert peak < 16_000_000


def test_arguments_are_checked_before_anything_is_read():
    for options, said in (
        ({"lang": "xx-not-a-tag"}, "unknown language tag"),
        ({"lang": "de", "pivot_lang": "deu"}, "both sides are de"),
        ({"lang": "de", "columns": "1"}, "not two columns"),
        ({"lang": "de", "file_format": "tvs"}, "unknown format 'tvs'; did you mean 'tsv'"),
        ({"lang": "de"}, "can't tell the format"),
    ):
        with pytest.raises(UserError, match=said):
            read_parallel("no-such-source", **options)


@pytest.mark.parametrize("columns", ["1", "1,1", "0,1", "a,b,c", ",", "a,", ["a"]])
def test_what_are_not_two_columns(columns):
    with pytest.raises(UserError, match="not two columns"):
        parse_columns(columns)


def test_columns():
    assert parse_columns(None) == ()
    assert parse_columns(" 2, 1") == ("2", "1")
    assert parse_columns(["a, b", "c"]) == ("a, b", "c")


def test_formats_found_by_file():
    assert set(formats()) >= {
        *("tsv", "csv", "jsonl", "parquet", "moses", "tmx", "xliff", "po", "hf"),
        *("tatoeba", "language_files"),
    }
    assert "auto" not in formats()


_pieces = {
    "tsv": [b"\t", b"\n", b"\r", b"Good", b"\xff", b"\0", "\u2028é".encode()],
    "csv": [b",", b"\n", b"\r", b'"', b'""', b"en,de\n", b"x", b"\xff", b"\0", "é".encode()],
    "jsonl": [b"{", b"}", b'"en"', b":", b",", b'"de"', b'"\\ud800"', b"[", b"9e999", b"\n"],
    "tmx": [
        b"<tmx>", b"</tmx>", b"<tu>", b"</tu>", b"<tuv xml:lang='en'>", b"<tuv xml:lang='de'>",
        b"</tuv>", b"<seg>", b"</seg>", b"x", b"&lt;", b"&a;", b"<!DOCTYPE a [<!ENTITY a 'b'>]>",
        b"<?xml version='1.0' encoding='shift_jis'?>", b"<ph>", b"</ph>", b"\xff\xfe", b"\0",
    ],
    "po": [
        b'msgid "a"\n', b'msgstr "b"\n', b'msgid ""\n', b'"c\\n"\n', b"#, fuzzy\n", b"#~ x\n",
        b"#|\n", b'#| msgid "a"\n', b'msgstr[0] "b"\n', b'msgstr[9] "b"\n', b'msgid_plural "c"\n',
        b"#:\n", b'msgctxt "d"\n', b'msgid "a\\"\n', b"x", b"\xff", b"\n", b"# \n",
        b'msgid "e" "f"\n',
    ],
    "xlf": [
        b"<xliff version='2.0' srcLang='en' trgLang='de'>", b"<xliff>", b"</xliff>",
        b"<file source-language='en' target-language='de'>", b"</file>", b"<trans-unit>",
        b"</trans-unit>", b"<segment>", b"</segment>", b"<segment state='initial'>", b"<source>",
        b"</source>", b"<target>", b"</target>", b"x", b"<ph>", b"</ph>", b"<cp hex='d800'/>",
        b"<alt-trans>", b"</alt-trans>", b"&a;", b"<!DOCTYPE a [<!ENTITY a 'b'>]>", b"\xff", b"\0",
    ],
}  # fmt: skip


@pytest.mark.parametrize("suffix", [*AS_TEXT, *(f"{suffix}.gz" for suffix in AS_TEXT), "de"])
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_bad_bytes_give_records_or_one_clear_error(tmp_path_factory, suffix, data):
    kind = suffix.removesuffix(".gz")
    pieces = st.lists(st.sampled_from(_pieces.get(kind, [b"\n", b"x", b"\xff"])), max_size=25)
    content = data.draw(st.one_of(pieces.map(b"".join), st.binary(max_size=200), _damaged(kind)))
    if suffix.endswith(".gz") and data.draw(st.booleans()):
        content = gzip.compress(content)
        content = content[: data.draw(st.integers(0, len(content)))]
    folder = Path(tmp_path_factory.getbasetemp()) / "fuzz"
    folder.mkdir(exist_ok=True)
    path = folder / f"data.{suffix}"
    path.write_bytes(content)
    if suffix == "de":
        (folder / "data.en").write_bytes(b"one\ntwo\n")
        path = folder / "data"
    try:
        pairs = list(read_parallel(path, lang="de"))
    except UserError as error:
        assert error.where.startswith(str(path))
        assert "\n" not in str(error)
    else:
        assert pairs
        assert all(p.text.strip() and p.pivot.strip() and p.text.encode() for p in pairs)


def _damaged(kind: str) -> st.SearchStrategy[bytes]:
    """A good file with a few bytes changed."""
    good = AS_TEXT.get(kind, "eins\nzwei\n").encode()

    def change(spots: list[tuple[int, int]]) -> bytes:
        copy = bytearray(good)
        for place, value in spots:
            copy[place] = value
        return bytes(copy)

    spot = st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255))
    return st.lists(spot, max_size=4).map(change)
