"""Folders with a file for each language: tags, scripts, splits, and files that don't match."""

from __future__ import annotations

import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xadapt.core.errors import UserError
from xadapt.data.readers.language_files import LanguageFiles
from xadapt.data.readers.notes import Notes
from xadapt.data.readers.parallel import read_parallel
from xadapt.data.readers.sides import Request

FLORES = ("eng_Latn.dev", "deu_Latn.dev", "zho_Hans.dev", "zho_Hant.dev", "swh_Latn.dev")
NTREX = (
    "newstest2019-src.eng.txt", "newstest2019-ref.deu.txt", "newstest2019-ref.zho-CN.txt",
    "newstest2019-ref.zho-TW.txt", "newstest2019-ref.srp-Cyrl.txt", "newstest2019-ref.srp-Latn.txt",
    "newstest2019-ref.swa.txt", "newstest2019-ref.eng-GB.txt",
)  # fmt: skip


def folder(path, names, lines=3):
    path.mkdir(exist_ok=True)
    for name in names:
        text = "".join(f"{name} {i}\n" for i in range(lines))
        (path / name).write_text(text, encoding="utf-8")
    return path


def read(path, lang, **options):
    notes = Notes()
    pairs = list(read_parallel(path, lang=lang, notes=notes, **options))
    return {(p.pivot.split()[0], p.text.split()[0]) for p in pairs}, notes.lines, len(pairs)


@pytest.mark.parametrize(
    ("names", "lang", "pivot", "text"),
    [
        (FLORES, "de", "eng_Latn.dev", "deu_Latn.dev"),
        (FLORES, "sw", "eng_Latn.dev", "swh_Latn.dev"),
        (FLORES, "zh-Hant", "eng_Latn.dev", "zho_Hant.dev"),
        (FLORES, "zh", "eng_Latn.dev", "zho_Hans.dev"),
        (NTREX, "de", NTREX[0], NTREX[1]),
        (NTREX, "zh-TW", NTREX[0], NTREX[3]),
        (NTREX, "sr-Latn", NTREX[0], NTREX[5]),
        (NTREX, "sr", NTREX[0], NTREX[4]),
        (NTREX, "sw", NTREX[0], NTREX[6]),
        (("a.en-de.en", "a.en-de.de"), "de", "a.en-de.en", "a.en-de.de"),
    ],
)
def test_the_files_of_both_sides_are_found_by_their_tags(tmp_path, names, lang, pivot, text):
    path = folder(tmp_path / "set", names)
    found, told, count = read(path, lang)
    assert found == {(pivot, text)} and count == 3
    assert told == [f"set: {pivot} is read as en, {text} as {lang}"]


def test_different_numbers_of_lines_are_refused_with_the_numbers(tmp_path):
    path = folder(tmp_path / "set", FLORES)
    (path / "deu_Latn.dev").write_text("x\n" * 5)
    for lang, pivot in (("de", "en"), ("en", "de")):
        with pytest.raises(UserError) as caught:
            read(path, lang, pivot_lang=pivot)
        assert (
            "eng_Latn.dev has 3 lines" in caught.value.what or "eng_Latn.dev 3" in caught.value.what
        )
        assert "deu_Latn.dev 5" in caught.value.what or "deu_Latn.dev has 5" in caught.value.what
        assert caught.value.where == f"{path}/eng_Latn.dev:4"


def test_several_splits_need_a_choice(tmp_path):
    path = folder(tmp_path / "set", ("eng.dev", "deu.dev", "eng.devtest", "deu.devtest"))
    with pytest.raises(UserError, match="several files may be meant") as caught:
        read(path, "de")
    assert "split=devtest" in caught.value.todo
    found, _, _ = read(path, "de", options={"split": "devtest"})
    assert found == {("eng.devtest", "deu.devtest")}


def test_what_is_missing_is_named(tmp_path):
    path = folder(tmp_path / "set", FLORES)
    with pytest.raises(UserError, match="no file is of the language fr") as caught:
        read(path, "fr")
    assert "deu_Latn, eng_Latn" in caught.value.what
    with pytest.raises(UserError, match="no file with 'test' in its name"):
        read(path, "de", options={"split": "test"})
    outer = tmp_path / "flores"
    for part in ("dev", "devtest"):
        folder_ = outer / part
        folder_.mkdir(parents=True)
    with pytest.raises(UserError, match="holds folders") as caught:
        read(outer, "de")
    assert caught.value.todo == "Name one of them: dev, devtest"


def test_the_archive_of_a_moses_pair_is_read_without_unpacking(tmp_path):
    path = tmp_path / "de-en.txt.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (("README", "x"), ("LICENSE", "x"), ("OPUS.de-en.de", "Tag\nNacht\n"),
                           ("OPUS.de-en.en", "Day\nNight\n")):  # fmt: skip
            archive.writestr(name, text)
    pairs = list(read_parallel(path, lang="de"))
    assert [(p.pivot, p.text) for p in pairs] == [("Day", "Tag"), ("Night", "Nacht")]
    by_name = f"{path}/OPUS.de-en.en,{path}/OPUS.de-en.de"
    assert list(read_parallel(by_name, lang="de")) == pairs
    assert list(read_parallel(f"{path}/OPUS.de-en", lang="de")) == pairs


def test_it_claims_folders():
    assert not LanguageFiles().claims("a.tsv", Request("de"))
    assert not LanguageFiles().claims("nul\0", Request("de"))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(
    ["en", "de", "eng_Latn", "deu_Latn.dev", ".", "zh", "a-b", "en.txt", "de.txt.gz", "-", "src.en",
     "x" * 50, "e n", "ＥＮ"]), max_size=6, unique=True), st.binary(max_size=30))  # fmt: skip
def test_any_folder_gives_pairs_or_one_clear_error(tmp_path_factory, names, content):
    path = tmp_path_factory.mktemp("fuzz")
    for name in names:
        if name.strip("."):
            (path / name).write_bytes(content)
    try:
        pairs = list(read_parallel(path, lang="de"))
    except UserError as error:
        assert "\n" not in str(error) and error.where.startswith(str(path))
    else:
        assert pairs and all(p.text and p.pivot for p in pairs)
