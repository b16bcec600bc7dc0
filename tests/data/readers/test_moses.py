"""Moses pairs: prefixes and two paths, twins that are missing or shorter."""

from __future__ import annotations

import gzip

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.moses import Part
from xadapt.data.readers.parallel import read_parallel


def _write(folder, **files: str):
    for ending, text in files.items():
        (folder / f"corpus.{ending}").write_text(text, encoding="utf-8")
    return folder / "corpus"


def test_a_prefix(tmp_path):
    prefix = _write(tmp_path, en="Good\n\nDay\n", de="Gut\n\nTag\n", fr="x\n")
    pairs = list(read_parallel(prefix, lang="deu"))
    assert [(p.pivot, p.text, p.origin) for p in pairs] == [
        ("Good", "Gut", f"{prefix}.de:1"),
        ("Day", "Tag", f"{prefix}.de:3"),
    ]


def test_a_prefix_with_dots_and_regional_endings(tmp_path):
    for name, text in (("Books.v1.de-en.en_GB", "Good\n"), ("Books.v1.de-en.de", "Gut\n")):
        (tmp_path / name).write_text(text)
    pairs = list(read_parallel(tmp_path / "Books.v1.de-en", lang="de"))
    assert [(p.pivot, p.text) for p in pairs] == [("Good", "Gut")]


def test_two_paths_are_told_apart_by_their_endings_else_by_order(tmp_path):
    prefix = _write(tmp_path, en="Good\n", de="Gut\n", x="Eins\n", y="One\n")
    for source in (f"{prefix}.en,{prefix}.de", f"{prefix}.de,{prefix}.en"):
        assert next(iter(read_parallel(source, lang="de"))).pivot == "Good"
    assert next(iter(read_parallel(f"{prefix}.y,{prefix}.x", lang="de"))).pivot == "One"


def test_packed_twins(tmp_path):
    for name, data in (("c.en.gz", b"Good\n"), ("c.de.gz", b"Gut\n")):
        (tmp_path / name).write_bytes(gzip.compress(data))
    assert next(iter(read_parallel(tmp_path / "c", lang="de"))).text == "Gut"
    (tmp_path / "c.de").write_text("Besser\n")
    assert next(iter(read_parallel(tmp_path / "c", lang="de"))).text == "Besser"


@pytest.mark.parametrize(("lang", "missing"), [("fr", "fr"), ("de", "en")])
def test_a_missing_twin(tmp_path, lang, missing):
    prefix = _write(tmp_path, de="Gut\n") if missing == "en" else _write(tmp_path, en="Good\n")
    with pytest.raises(UserError, match=f"the {missing} file of this Moses pair is missing"):
        list(read_parallel(prefix, lang=lang))
    with pytest.raises(UserError, match="no such file"):
        list(read_parallel(f"{prefix}.en,{prefix}.de", lang="de"))


@pytest.mark.parametrize("short", ["en", "de"])
def test_unequal_line_counts_name_the_shorter_file(tmp_path, short):
    files = {"en": "a\nb\nc\n", "de": "a\nb\nc\n"}
    files[short] = "a\nb\n"
    prefix = _write(tmp_path, **files)
    pairs = read_parallel(prefix, lang="de")
    assert [next(pairs).text, next(pairs).text] == ["a", "b"]
    with pytest.raises(UserError, match="ends after line 2") as caught:
        next(pairs)
    assert caught.value.where == f"{prefix}.{short}:3"


def test_one_sided_lines(tmp_path):
    prefix = _write(tmp_path, en="a\n\n", de="a\nb\n")
    with pytest.raises(UserError, match="the en side of this row is empty") as caught:
        list(read_parallel(prefix, lang="de"))
    assert caught.value.where == f"{prefix}.de:2"


@pytest.mark.parametrize("source", ["a,b,c", ",", "a,"])
def test_sources_that_do_not_name_two_files(source):
    with pytest.raises(UserError, match="does not name two files"):
        list(read_parallel(source, lang="de"))


def test_the_same_file_is_not_both_sides(tmp_path):
    prefix = _write(tmp_path, en="Good\n")
    with pytest.raises(UserError, match="missing"):
        list(read_parallel(prefix, lang="en-GB"))


def test_an_existing_file_with_a_comma_in_its_name_is_no_pair(tmp_path):
    path = tmp_path / "a,b.tsv"
    path.write_text("Good\tGut\n")
    assert not Part().claims(str(path), None)
    assert next(iter(read_parallel(path, lang="de"))).text == "Gut"
