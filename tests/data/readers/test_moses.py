"""Moses pairs: prefixes and two paths, twins that are missing or shorter."""

from __future__ import annotations

import gzip

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.moses import Part, is_pair, may_be_pair, other_file
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.parallel import read_parallel
from xadapt.data.readers.sides import Request


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
    with pytest.raises(UserError, match=rf"corpus.{short}( has)? 2\b") as caught:
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


def test_languages_inside_the_names_tell_the_sides(tmp_path):
    for left, right in (
        ("train.en.txt", "train.de.txt"),
        ("en-de.en.txt", "en-de.de.txt"),
        ("train_en.txt", "train_de.txt"),
        ("en/a.txt", "de/a.txt"),
        ("x.en-GB", "x.deu"),
        ("x.en", "other"),
        ("other", "x.de"),
    ):
        for name, text in ((left, "Good\n"), (right, "Gut\n")):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        for one, other in ((left, right), (right, left)):
            (pair,) = read_parallel(f"{tmp_path / one},{tmp_path / other}", lang="de")
            assert (pair.pivot, pair.text) == ("Good", "Gut"), (one, other)


def test_what_is_read_as_what_is_reported(tmp_path):
    prefix = _write(tmp_path, en="Good\n", de="Gut\n", x="Eins\n", y="One\n")
    for source, line in (
        (f"{prefix}", "corpus.en: this file is read as en, corpus.de as de"),
        (f"{prefix}.de,{prefix}.en", "corpus.en: this file is read as en, corpus.de as de"),
        (f"{prefix}.y,{prefix}.x", "corpus.y: this file is read as en, corpus.x as de (by order)"),
    ):
        list(read_parallel(source, lang="de", notes=(notes := Notes())))
        assert notes.lines == [line]


def test_a_prefix_of_txt_files(tmp_path):
    _write(tmp_path, **{"en.txt": "Good\n", "de.txt": "Gut\n"})
    assert next(iter(read_parallel(tmp_path / "corpus", lang="de"))).text == "Gut"
    (tmp_path / "corpus.de").write_text("Besser\n")
    assert next(iter(read_parallel(tmp_path / "corpus", lang="de"))).text == "Besser"


@pytest.mark.parametrize("name", ["en", "de", "en.txt"])
def test_the_advice_for_a_missing_twin_works_when_it_is_done(tmp_path, name):
    prefix = _write(tmp_path, **{name: "Hallo\n"})
    with pytest.raises(UserError, match="is missing") as caught:
        list(read_parallel(prefix, lang="de"))
    file, _, source = caught.value.todo.removeprefix("Put its lines into ").partition(
        ", or name both files: --data "
    )
    other = tmp_path / "elsewhere.x"
    other.write_text("Welt\n")
    both = source.replace("PIVOT_FILE", str(other)).replace("LANGUAGE_FILE", str(other))
    (pair,) = read_parallel(both, lang="de")
    assert {pair.text, pair.pivot} == {"Hallo", "Welt"}
    (tmp_path / file).write_text("Welt\n")
    assert list(read_parallel(prefix, lang="de")) == [pair]


def test_the_advice_for_a_source_of_no_known_format_works(tmp_path):
    with pytest.raises(UserError, match="can't tell the format") as caught:
        read_parallel(tmp_path / "news", lang="de")
    for file in caught.value.todo.partition("the files ")[2].split(" and "):
        (tmp_path / file).write_text("Hallo\n")
    assert len(list(read_parallel(tmp_path / "news", lang="de"))) == 1


def test_an_empty_line_on_one_side_costs_one_pair(tmp_path):
    prefix = _write(
        tmp_path, en="one line\n\nthree lines\n", de="eine Zeile\nallein\ndrei Zeilen\n"
    )
    pairs = list(read_parallel(prefix, lang="de", notes=(notes := Notes())))
    assert [(p.pivot, p.text) for p in pairs] == [
        ("one line", "eine Zeile"),
        ("three lines", "drei Zeilen"),
    ]
    assert notes.lines[1:] == [
        "corpus.de: 1 of 3 lines skipped; the first, corpus.de:2: the en side of this row is empty"
    ]


def test_paths_with_commas_of_their_own(tmp_path):
    _write(tmp_path, **{"a,b.en": "Good\n", "a,b.de": "Gut\n"})
    left, right = (tmp_path / f"corpus.a,b.{lang}" for lang in ("en", "de"))
    assert next(iter(read_parallel(f"{left},{right}", lang="de"))).text == "Gut"


def test_pairs_and_tables():
    request = Request("de")
    assert is_pair(["a.en", "a.de"], request) and is_pair(["de/x", "en/x"], request)
    for paths in (["a.en"], ["a.x", "a.y"], ["a.en", "b.en"], ["a.en.tsv", "a.de.tsv"]):
        assert not is_pair(paths, request)
    assert may_be_pair(["a.x", "a.y"]) and not may_be_pair(["a.po", "b.x"])
    british = Request("en-GB")
    assert is_pair(["a.en", "a.en_GB"], british) and not is_pair(["a.en", "b.en"], british)


def test_the_other_file(tmp_path):
    _write(tmp_path, en="x", de="x", fr="x")
    prefix = tmp_path / "corpus"
    for one in ("en", "de"):
        assert other_file(f"{prefix}.{one}", Request("de")) == f"{prefix}.en,{prefix}.de"
    assert other_file(f"{prefix}.fr", Request("de")) is None
    assert other_file(str(tmp_path / "absent" / "a.en"), Request("de")) is None
