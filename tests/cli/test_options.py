from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from xadapt.cli import options
from xadapt.core.errors import UserError
from xadapt.core.files import read_json


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, []),
        (["a,b", "c"], ["a", "b", "c"]),
        ([" a , ,b,"], ["a", "b"]),
    ],
)
def test_lists_are_repeated_or_separated_by_commas(given: list[str], found: list[str]) -> None:
    assert options.split(given) == found


def test_tags_are_brought_to_bcp47_each_once() -> None:
    assert options.tags(["deu,sw", "de", "zh_hant"]) == ["de", "sw", "zh-Hant"]
    with pytest.raises(UserError, match="unknown language tag 'nope!'"):
        options.tags(["nope!"])


def test_require() -> None:
    options.require(True, "never said")
    with pytest.raises(UserError, match=r"this\. Do that"):
        options.require(False, "this", "Do that")


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    options.save_json(None, {"a": 1})
    options.save_json(tmp_path / "new" / "a.json", {"é": [1.5, None]})
    told = read_json(tmp_path / "new" / "a.json")
    assert told.pop("written_by").startswith("xadapt ") and told == {"é": [1.5, None]}
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't write"):
        options.save_json(tmp_path / "file" / "a.json", {})


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.en", "a.de", "a", "a,b", "a,b,c.txt", "de.tsv", "sw.tsv", "x.1", "x.2"):
        Path(name).write_text("")
    Path("x,y.tsv").write_text("")
    for folder in ("runs/m,n", "de,sw", "the, module"):
        Path(folder).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["x,y.tsv"], ["x,y.tsv"]),
        (["a.en,x,y.tsv , z"], ["a.en", "x,y.tsv", "z"]),
        (["a,b,c.txt"], ["a,b,c.txt"]),  # the longest path that exists
        (["a,b,c"], ["a,b", "c"]),
        (["de=runs/m,n,sw=runs/o"], ["de=runs/m,n", "sw=runs/o"]),
        (["the, module , a.en"], ["the, module", "a.en"]),
        (["sw,de=de.tsv"], ["sw", "de=de.tsv"]),  # a name before = has no comma
        (["gone,too.tsv"], ["gone", "too.tsv"]),
        (["x" * 5000 + ",b\0c"], ["x" * 5000, "b\0c"]),
    ],
)
def test_a_path_with_a_comma_is_one_value(files: Path, given: list[str], found: list[str]) -> None:
    assert options.split(given) == found


def test_languages_are_always_separated(files: Path) -> None:
    assert options.tags(["de,sw"]) == ["de", "sw"]


@pytest.mark.parametrize(
    ("given", "tags", "found"),
    [
        (["a.en,a.de"], ["de"], [("train", "a.en,a.de")]),
        (["a.de,a.en"], ["de"], [("train", "a.de,a.en")]),
        (["b.en,b.de"], ["de"], [("train", "b.en,b.de")]),  # the reader says what is missing
        (["c.en,c.{lang}"], ["de", "sw"], [("train", "c.en,c.{lang}")]),
        (
            ["a.en,a.de", "a.en,a.sw"],
            ["de", "sw"],
            [("train", "a.en,a.de"), ("train", "a.en,a.sw")],
        ),
        (["x.1,x.2"], ["de"], [("train", "x.1,x.2")]),
        (["x.1,x.2"], ["de", "sw"], [("train", "x.1"), ("train", "x.2")]),
        (["de.tsv,sw.tsv"], ["de", "sw"], [("train", "de.tsv"), ("train", "sw.tsv")]),
        (["de.tsv,sw.tsv"], ["de"], [("train", "de.tsv"), ("train", "sw.tsv")]),
        (["x,y.tsv"], ["de"], [("train", "x,y.tsv")]),
        (["x,y.tsv,de.tsv"], ["de", "sw"], [("train", "x,y.tsv"), ("train", "de.tsv")]),
        (["train=a.en,a.de,mono=a,b"], ["de"], [("train", "a.en,a.de"), ("mono", "a,b")]),
        (["mono=x.1,x.2"], ["de"], [("mono", "x.1"), ("mono", "x.2")]),
        (["other=x,y.tsv"], ["de"], [("train", "other=x,y.tsv")]),
        (["{lang}.tsv"], ["de", "sw"], [("train", "{lang}.tsv")]),
        (["cldr", "hf:org/name"], ["de", "sw"], [("train", "cldr"), ("train", "hf:org/name")]),
    ],
)
def test_sources(files: Path, given: list[str], tags: list[str], found: list[object]) -> None:
    assert options.split_sources(given, tags, "en", {"train": True, "mono": False}) == found


def test_a_path_with_the_language_and_a_comma(files: Path) -> None:
    Path("my,de.tsv").write_text("")
    assert options.split_sources(["my,{lang}.tsv"], ["sw", "de"], "en", {"train": True}) == [
        ("train", "my,{lang}.tsv")
    ]


WINDOWS = [
    (["C:\\data\\pairs.tsv"], [("train", "C:\\data\\pairs.tsv")]),
    (["train=C:\\data\\pairs.tsv"], [("train", "C:\\data\\pairs.tsv")]),
    (["mono=D:/text.txt"], [("mono", "D:/text.txt")]),
    (["C:\\en\\a.txt,C:\\de\\a.txt"], [("train", "C:\\en\\a.txt,C:\\de\\a.txt")]),
    (["C:\\a.en,C:\\a.de"], [("train", "C:\\a.en,C:\\a.de")]),
    (
        ["C:\\my data\\de.tsv,\\\\host\\share\\sw.tsv"],
        [("train", "C:\\my data\\de.tsv"), ("train", "\\\\host\\share\\sw.tsv")],
    ),
    (["C:\\{lang}.tsv"], [("train", "C:\\{lang}.tsv")]),
    (["hf:org/name"], [("train", "hf:org/name")]),
]


@pytest.mark.parametrize(("given", "found"), WINDOWS)
def test_sources_as_windows_writes_them(given: list[str], found: list[object]) -> None:
    assert options.split_sources(given, ["de"], "en", {"train": True, "mono": False}) == found


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["C:\\runs\\de,sw=D:\\runs\\sw"], ["C:\\runs\\de", "sw=D:\\runs\\sw"]),
        (["de=C:/runs/de"], ["de=C:/runs/de"]),
    ],
)
def test_modules_as_windows_writes_them(given: list[str], found: list[str]) -> None:
    assert options.split(given) == found
    options.require_named(["de=C:\\runs\\de"], "de + self")
    options.require_named(["C:\\runs\\de"], "mix(C:\\runs\\de:.7, D:/runs/sw:.3)")
    with pytest.raises(UserError, match="no composition names 'C"):
        options.require_named(["C:\\runs\\de"], "C:\\runs\\sw")


def test_a_drive_is_no_scheme(tmp_path: Path) -> None:
    from xadapt.backbones.bases import resolve
    from xadapt.data.readers.parallel import formats
    from xadapt.data.readers.sides import Request
    from xadapt.inference.locate import locate

    request = Request("de", "en")
    for source in (
        "C:\\data\\pairs.tsv",
        "C:/data/pairs.tsv",
        "h:\\f.tsv",
        "\\\\host\\cldr\\a.tsv",
    ):
        claims = [name for name, one in formats().items() if one.claims(source, request)]
        assert claims == ["tsv"], source
    assert formats()["hf"].claims("hf:org/name", request)
    for base in ("C:\\models\\bert", "C:/models/bert", "p:\\ackage"):
        with pytest.raises(UserError, match="there is no base"):
            resolve(base)
    assert resolve("package:xadapt\\mini") == replace(
        resolve("package:xadapt/mini"), spec="package:xadapt\\mini"
    )
    with pytest.raises(UserError, match="leaves its package"):
        resolve("package:xadapt\\..\\..")
    for given, text in ((["de=C:\\runs\\de"], "de"), ([], "mix(C:\\runs\\de:.5, D:/runs/sw:.5)")):
        with pytest.raises(UserError, match=r"^C:\\runs\\de: there is no such module folder"):
            locate(given, text)
