from __future__ import annotations

import socket

import pytest

from xadapt.core import registry
from xadapt.core.errors import UserError
from xadapt.data.readers.cldr import Cldr, parse_source, read_labels, read_triples
from xadapt.data.readers.cldr_graph import build
from xadapt.data.readers.sides import Request
from xadapt.data.records import EntityLabel, ParallelPair, Triple


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("the graph must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_is_found_by_name():
    assert registry.load("readers", "cldr") is Cldr
    assert not {"cldr_graph", "cldr_labels", "cldr_split"} & set(registry.names("readers"))


def test_claims_only_itself(tmp_path, monkeypatch):
    request = Request("sw")
    assert Cldr().claims("cldr", request) and Cldr().claims("cldr:sw:dev", request)
    assert not Cldr().claims("cldr.tsv", request) and not Cldr().claims("data/cldr", request)
    (tmp_path / "cldr").write_text("a file of that name goes first")
    monkeypatch.chdir(tmp_path)
    assert not Cldr().claims("cldr", request)


def test_reads_pairs_of_a_part():
    graph = build(["sw", "en"])
    read = list(Cldr().read("cldr", Request("sw")))
    assert read == graph.pairs("sw", "en", "train") and isinstance(read[0], ParallelPair)
    assert list(Cldr().read("cldr:sw:test", Request("sw"))) == graph.pairs("sw", "en", "test")
    assert list(Cldr().read("cldr:all", Request("sw"))) == graph.pairs("sw", "en", None)
    german = list(Cldr().read("cldr:dev", Request("sw", "de")))
    assert german and {p.pivot_lang for p in german} == {"de"}


def test_reads_labels_and_triples():
    labels = read_labels("cldr:de:all")
    assert EntityLabel("territory:DE", "Deutschland", "de") in labels
    assert read_labels("cldr:all", "de") == labels
    triples = read_triples("cldr:all")
    assert Triple("language:ru", "script", "script:Cyrl") in triples
    assert len(read_triples("cldr")) < len(triples)


def test_parse_source():
    assert parse_source("cldr") == (None, "train")
    assert parse_source("cldr:swa") == ("sw", "train")
    assert parse_source("cldr:dev") == (None, "dev")
    assert parse_source("cldr:zh-Hant:all") == ("zh-Hant", None)


@pytest.mark.parametrize("source", ["cldr:sw:de", "cldr:", "cldr:sw:valid", "cldr:dev:sw", "x:sw"])
def test_malformed_source(source):
    with pytest.raises(UserError):
        parse_source(source)


def test_languages_must_agree_and_exist():
    with pytest.raises(UserError, match="the source is sw, but de"):
        list(Cldr().read("cldr:sw", Request("de")))
    with pytest.raises(UserError, match="no 'tlh'"):
        list(Cldr().read("cldr", Request("tlh")))
    with pytest.raises(UserError, match="no language is named"):
        read_labels("cldr")
