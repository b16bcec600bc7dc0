from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from xadapt.config.recipe import DataSpec
from xadapt.core.errors import UserError
from xadapt.data.loading.inputs import as_data, languages_of, of_language, sources_of
from xadapt.data.loading.records import load_records
from xadapt.data.readers.in_memory import InMemory
from xadapt.data.records import LabelledText, ParallelPair

PAIRS = {"train": DataSpec(dev=0)}
TEXTS = {"train": DataSpec(reader="plain_text")}
TWO = {"train": DataSpec(), "more": DataSpec(reader="plain_text")}
ROWS = [(f"number {n} is here", f"namba {n} iko hapa") for n in range(20)]


def made(data, lang=None, specs=PAIRS, **more):
    tags = languages_of(data, lang, specs)
    return sources_of(data, tags, specs, **more)


def test_paths_and_their_languages() -> None:
    one, two = made("pairs.{lang}.tsv", "sw,deu", pivot="fr", columns=("a", "b"))
    assert (one.path, one.lang, one.pivot_lang, one.columns) == ("pairs.sw.tsv", "sw", "fr", "a,b")
    assert two.path == "pairs.de.tsv" and one.table is None
    [moses] = made(Path("a.en,a.sw"), ["sw"], file_format="moses")
    assert (moses.path, moses.file_format) == ("a.en,a.sw", "moses")
    [named] = made("a.tsv", "sw", columns={"en": "English", "text": "Swahili"})
    assert named.columns == "English,Swahili"


def test_a_dict_of_languages() -> None:
    sources = made({"deu": "a.tsv", "sw": ROWS})
    assert [(s.lang, s.path, s.table is None) for s in sources] == [
        ("de", "a.tsv", True), ("sw", "in-memory", False),
    ]  # fmt: skip
    assert [s.lang for s in made({"de": ROWS, "sw": ROWS}, "sw")] == ["sw"]
    plain = made({"sw": ["a", "b"], "de": ["c", "d"]}, specs=TEXTS)
    assert [s.lang for s in plain] == ["sw", "de"]


def test_a_dict_of_columns_is_one_table() -> None:
    columns = {"en": ["a", "b"], "sw": ["c", "d"]}
    [source] = made(columns, "sw")
    assert source.table is not None and source.table.data is columns
    with pytest.raises(UserError, match="no language is named"):
        made(columns)


def test_one_wide_table_serves_several_languages() -> None:
    frame = pd.DataFrame({"en": ["one"], "sw": ["moja"], "de": ["eins"]})
    loaded = load_records(made(frame, ["sw", "de"]), PAIRS)
    assert loaded.records["train"] == [
        ParallelPair("moja", "one", "sw"), ParallelPair("eins", "one", "de"),
    ]  # fmt: skip


def test_records_name_their_languages() -> None:
    rows = [ParallelPair("moja", "one", "sw"), ParallelPair("eins", "one", "deu")]
    sources = made(rows)
    assert [(s.lang, len(s.table.data)) for s in sources if s.table] == [("sw", 1), ("de", 1)]
    texts = [LabelledText("a", "x", "sw")]
    assert languages_of(texts, None, {"train": DataSpec(reader="labelled_text")}) == ["sw"]


def test_a_dict_of_the_entries_of_a_recipe() -> None:
    sources = made({"train": ROWS, "more": "text.txt"}, "sw", TWO)
    assert [(s.data, s.path) for s in sources] == [("train", "in-memory"), ("more", "text.txt")]
    nested = made({"train": {"sw": ROWS}, "more": {"sw": ["a"]}}, None, TWO)
    assert [(s.data, s.lang) for s in nested] == [("train", "sw"), ("more", "sw")]


@pytest.mark.parametrize(
    ("data", "lang", "more", "said"),
    [
        (ROWS, None, {}, "lang: no language is named"),
        ({"sw": ROWS}, "de", {}, "data: unknown language 'de'; known: sw"),
        (ROWS, "sw", {"file_format": "tsv"}, "data in memory have no file format"),
        (ROWS, "xx-yy-zz-no", {}, "xx-yy-zz-no"),
        ("a.tsv", "sw", {"columns": {"txt": "a"}}, "the columns of a file are those of pivot and"),
        (None, "sw", {}, "NoneType is no data"),
    ],
)
def test_what_is_refused(data, lang, more, said) -> None:
    with pytest.raises(UserError, match=said):
        made(data, lang, **more)


def test_data_of_one_language() -> None:
    assert of_language({"sw": ROWS, "de": "x"}, "sw") is ROWS
    assert of_language({"sw": ROWS}, None) is ROWS
    assert of_language(ROWS, None) is ROWS
    with pytest.raises(UserError, match="the data are in sw, de"):
        of_language({"sw": ROWS, "de": ROWS}, None)
    with pytest.raises(UserError, match="unknown language 'fr'"):
        of_language({"sw": ROWS}, "fr")
    table = InMemory(ROWS)
    assert as_data(table) is table and as_data(Path("a")) == "a"


def test_data_in_memory_are_treated_as_a_file(tmp_path: Path) -> None:
    rows = [*ROWS, ROWS[0], ("same", "same")]
    file = tmp_path / "pairs.tsv"
    file.write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    spec = {"train": DataSpec(dev=4, limit=18)}
    given = [load_records(made(data, "sw"), spec, seed=3) for data in (file, rows)]
    assert given[0].records == given[1].records and given[0].dev == given[1].dev
    assert given[0].sha256 == given[1].sha256
    assert [share.rows for share in given[0].shares] == [share.rows for share in given[1].shares]
    assert given[0].notes[1:] == given[1].notes[1:]


def test_checks_of_files_hold_in_memory() -> None:
    numbers = [(str(n), f"namba {n} iko hapa") for n in range(20)]
    with pytest.raises(UserError, match="in-memory: 100% of the en texts are numbers"):
        load_records(made(numbers, "sw"), PAIRS)
    russian = [("номер один здесь", f"number {n} is here") for n in range(20)]
    with pytest.raises(UserError, match="the en side is in the script of ru"):
        load_records(made(russian, "ru"), PAIRS)
