from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.text_stream import Digest, Survey, TextSource, read_rows, survey

RECORDS = [
    {"text": "Habari", "lang": "swh", "in": {"en": "News"}},
    {"text": "", "lang": None, "in": {"en": "None"}},
    {"text": "Katze", "lang": "-", "in": {"en": "Cat"}},
    {"text": "Kätzchen\n", "lang": "deu", "in": {"en": "Kitten"}},
]
WANTED = [("Habari", "swh"), ("", None), ("Katze", None), ("Kätzchen\n", "de")]


def jsonl(path: Path, records: list = RECORDS) -> str:
    data = "".join(f"{json.dumps(record)}\n\n" for record in records).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def rows(path: str, **options: str) -> list:
    return list(read_rows(TextSource(path, **options)))


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def test_every_table_gives_the_same_rows(tmp_path: Path, offline: None) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    (tmp_path / "set").mkdir()
    table = pyarrow.Table.from_pylist(RECORDS)
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet", row_group_size=3)
    sources = [
        jsonl(tmp_path / "t.jsonl"),
        jsonl(tmp_path / "t.ndjson.gz"),
        str(tmp_path / "t.parquet"),
        f"hf:{Path(jsonl(tmp_path / 'set' / 'train.jsonl')).parent}",
    ]
    for source in sources:
        assert rows(source, lang_column="lang") == WANTED, source
        assert rows(source, column="in.en", lang="deu")[3] == ("Kitten", "de"), source
        for options in ({"column": "txt"}, {"lang_column": "txt"}):
            with pytest.raises(UserError, match="no column 'txt'"):
                rows(source, **options)


def test_lines_and_a_file_of_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, tags = tmp_path / "t.txt", tmp_path / "l.txt"
    text.write_bytes(b"\xef\xbb\xbfone\r\n\ntwo\xe2\x80\xa8more")
    tags.write_text("en\n \ndeu\n")
    wanted = [("one", "en"), ("", None), ("two\u2028more", "de")]
    assert rows(str(text), languages=str(tags)) == wanted
    assert rows(str(text), lang="deu") == [(line, "de") for line, _ in wanted]
    assert rows(str(text)) == [(line, None) for line, _ in wanted]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.read_bytes())))
    assert rows("-", languages=str(tags)) == wanted
    for said, where, given in (
        ("has more texts than there are languages (2)", str(tags), "en\nen\n"),
        ("has 3 texts, and there are more languages", f"{tags}:4", "en\n" * 4),
        ("unknown language tag", f"{tags}:2", "en\nklingonisch\nen\n"),
    ):
        tags.write_text(given)
        with pytest.raises(UserError) as caught:
            rows(str(text), languages=str(tags))
        assert said in caught.value.what and caught.value.where == where


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"text": 3}, "column 'text' holds int, not text"),
        ({"text": None}, "column 'text' holds nothing, not text"),
        ({"text": "\ud800"}, "half a surrogate pair"),
        ({"text": "x" * (2**20 + 1)}, "longer than"),
        ({"other": "x"}, "no column 'text' (found: 'other')"),
        ({"text": "x", "lang": 5}, "column 'lang' holds int"),
        ({"text": "x", "lang": "klingonisch"}, "unknown language tag"),
        ([], "not an object"),
    ],
)
def test_faults_have_their_line(tmp_path: Path, record: object, said: str) -> None:
    source = jsonl(tmp_path / "t.jsonl", [RECORDS[0], record])
    with pytest.raises(UserError) as caught:
        rows(source, **({"lang_column": "lang"} if "lang" in str(record) else {}))
    assert said in str(caught.value) and caught.value.where == f"{source}:3"


def test_what_is_no_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    for data in (b"", b"PAR1" + b"\0" * 40 + b"PAR1", b"text\n"):
        path.write_bytes(data)
        with pytest.raises(UserError, match="can't read this Parquet file"):
            rows(str(path))
    with pytest.raises(UserError, match="no such file"):
        rows(str(tmp_path / "none.parquet"))


def test_options_that_do_not_go_together() -> None:
    with pytest.raises(UserError, match="--lang and --languages are both given"):
        TextSource("t.txt", lang="de", languages="l.txt")
    with pytest.raises(UserError, match="lines of text have no columns"):
        TextSource("-", column="text")
    with pytest.raises(UserError, match="unknown language tag"):
        TextSource("t.txt", lang="klingonisch")


def test_a_survey_reads_all_and_tells_texts_apart(tmp_path: Path, offline: None) -> None:
    path = tmp_path / "t.txt"
    path.write_text("one\ntwo\n")
    first = survey(TextSource(str(path), lang="de"))
    assert first.rows == 2 and first.hash == Digest([("one", "de"), ("two", "de")]).value
    assert survey(TextSource(str(path), lang="en")).hash != first.hash
    path.write_text("one two\n")
    assert survey(TextSource(str(path), lang="de")).hash != first.hash
    path.write_text("")
    with pytest.raises(UserError, match="no text"):
        survey(TextSource(str(path)))
    with pytest.raises(UserError, match="no such file"):
        survey(TextSource(str(tmp_path / "none")))
    assert survey(TextSource("-")) == Survey()
    (tmp_path / "set").mkdir()
    stream = f"hf:{Path(jsonl(tmp_path / 'set' / 'train.jsonl')).parent}"
    known = survey(TextSource(stream))
    assert known.rows is None and known.hash == survey(TextSource(stream)).hash != "etag:"
    jsonl(tmp_path / "set" / "train.jsonl", RECORDS[:2])
    assert survey(TextSource(stream)).hash != known.hash


def test_titles_have_no_local_folders(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    assert TextSource(f"{tmp_path}/a/t.txt").title == "t.txt"
    assert TextSource(f"hf:{tmp_path}/set:dev").title == "hf:set:dev"
    assert TextSource("hf:org/name/sw").title == "hf:org/name/sw:train"
    assert TextSource("-").title == "standard input"
