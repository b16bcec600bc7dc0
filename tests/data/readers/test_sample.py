from __future__ import annotations

import pytest

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.core.resources import resource
from xadapt.core.text_key import normal_key
from xadapt.data.loading.records import Source, read_pairs
from xadapt.data.readers.sample import Sample, find_language, languages, parse_source
from xadapt.data.readers.sides import Request
from xadapt.data.records import ParallelPair
from xadapt.data.transforms.split import split_by_group
from xadapt.languages.tags import script


def test_is_found_by_name_and_claims_only_itself(tmp_path, monkeypatch):
    assert registry.load("readers", "sample") is Sample
    request = Request("fr")
    assert Sample().claims("sample", request) and Sample().claims("sample:fr:test", request)
    assert not Sample().claims("sample.tsv", request)
    (tmp_path / "sample").write_text("a file of that name goes first")
    monkeypatch.chdir(tmp_path)
    assert not Sample().claims("sample", request)


def test_reads_the_parts():
    train, test = (read_pairs(Source(name, "fra")) for name in ("sample", "sample:fr:test"))
    assert isinstance(train[0], ParallelPair) and (train[0].lang, train[0].pivot_lang) == (
        "fr",
        "en",
    )
    assert train[0].origin == "fr-train.tsv.gz:1"
    assert list(Sample().read("sample:all", Request("fr"))) == train + test


def test_at_least_three_languages_and_two_scripts():
    assert {"fr", "es", "ru"} <= set(languages())
    assert len({script(tag) for tag in languages()}) >= 2


@pytest.mark.parametrize("lang", languages())
def test_no_text_is_in_both_parts_or_twice(lang):
    train, test = (read_pairs(Source(f"sample:{part}", lang)) for part in ("train", "test"))
    assert len(test) >= 300 and len(train) >= 3000
    for side in ("text", "pivot"):
        keys = [normal_key(getattr(pair, side)) for pair in train + test]
        assert len(keys) == len(set(keys))
    # a part of the rows has the same hashes in the same order as the whole
    held = split_by_group(train + test, dev=len(test))[1]
    assert held == test


def test_the_licence_lies_beside_the_files_and_they_are_small():
    folder = resource("kg_data", "tatoeba")
    assert "CC-BY 2.0 FR" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_500_000


@pytest.mark.parametrize(
    ("source", "request_", "said"),
    [
        ("sample:fr:dev", Request("fr"), "Write sample:fr or sample:fr:test"),
        ("sample:xx-yy", Request("fr"), "unknown language tag"),
        ("sample:ru", Request("fr"), "the source is ru, but fr was asked for"),
        ("sample", Request("sw"), "no sentences in 'sw'"),
        ("sample", Request("fr", "de"), "the other side of the sample is English"),
    ],
)
def test_mistakes_are_the_users(source, request_, said):
    with pytest.raises(UserError, match=said):
        list(Sample().read(source, request_))


def test_tags_of_the_same_meaning():
    assert find_language("fra") == "fr" and find_language("pt-BR") == "pt"
    with pytest.raises(UserError, match="The nearest is 'es'"):
        find_language("ca")
    assert parse_source("sample:fra:test") == ("fr", ("test",))
    assert parse_source("sample") == (None, ("train",))
    assert parse_source("sample:all") == (None, ("train", "test"))
