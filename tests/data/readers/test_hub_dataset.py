"""The ``datasets`` reader, against real data sets on disk."""

from __future__ import annotations

import json
import sys

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.hub_dataset import parse_source
from xadapt.data.readers.parallel import read_parallel
from xadapt.data.readers.sides import Limits


@pytest.fixture
def cache(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return datasets


def _folder(tmp_path, rows, split="train"):
    folder = tmp_path / "set"
    folder.mkdir(exist_ok=True)
    (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def test_a_json_folder_streams_its_translation_column(cache, tmp_path):
    rows = [{"translation": {"en": f"word {i}", "sw": f"neno {i}"}} for i in range(9)]
    source = f"hf:{_folder(tmp_path, rows)}"
    pairs = list(read_parallel(source, lang="sw"))
    assert [(p.pivot, p.text) for p in pairs] == [(f"word {i}", f"neno {i}") for i in range(9)]
    assert pairs[8].origin == f"{source}:9"
    few = list(read_parallel(source, lang="sw", limits=Limits(pairs=2)))
    assert few == pairs[:2]


def test_parquet_with_named_columns_and_split(cache, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    table = cache.Dataset.from_dict({"a": ["One", "Two"], "b": ["Moja", "Mbili"]})
    table.to_parquet(str(folder / "test.parquet"))
    pairs = list(read_parallel(f"hf:{folder}:test", lang="sw", columns="a,b"))
    assert [(p.pivot, p.text) for p in pairs] == [("One", "Moja"), ("Two", "Mbili")]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"en": "a", "sw": "b"}, {"en": "a", "sw": None}], "the sw side of this row is empty"),
        ([{"en": "a", "fr": "b"}], "no columns for 'en' and 'sw'"),
        ([{"en": "a", "sw": 3}], "holds int"),
    ],
)
def test_rows_that_lack_a_side(cache, tmp_path, rows, said):
    source = f"hf:{_folder(tmp_path, rows)}"
    with pytest.raises(UserError, match=said) as caught:
        list(read_parallel(source, lang="sw"))
    assert caught.value.where == f"{source}:{len(rows)}"


def test_what_cannot_be_opened_or_read(cache, tmp_path):
    folder = _folder(tmp_path, [{"en": "a", "sw": "b"}])
    sources = ["hf:nobody/nothing-here", f"hf:{tmp_path / 'absent'}", f"hf:{folder}:nosplit"]
    for source in sources:
        with pytest.raises(UserError, match="can't read this data set") as caught:
            list(read_parallel(source, lang="sw"))
        assert "\n" not in str(caught.value)
    (folder / "train.jsonl").write_bytes(b'{"en": "a", "sw": "b"}\n\xff\xfe{{{\n')
    with pytest.raises(UserError):
        list(read_parallel(f"hf:{folder}", lang="sw"))


def test_a_loading_script_is_never_run(cache, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "set.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UserError):
        list(read_parallel(f"hf:{folder}", lang="sw"))
    assert not (tmp_path / "ran").exists()


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"pip install 'xadapt\[data\]'"):
        list(read_parallel("hf:org/name", lang="sw"))


def test_sources_are_cut():
    assert parse_source("hf:org/name") == ("org/name", None, "train")
    assert parse_source("hf:org/name/en-sw:test") == ("org/name", "en-sw", "test")
    assert parse_source("hf:name:dev") == ("name", None, "dev")
    for wrong in ("hf:", "hf:a:b:c", "hf:org/name:train[:10]"):
        with pytest.raises(UserError, match="no data set id"):
            parse_source(wrong)
