from __future__ import annotations

import pytest
from tiny_graphs import made

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_pairs import GraphPairs
from xadapt.data.readers.parallel import pick_reader
from xadapt.data.readers.sides import Request
from xadapt.data.records import ParallelPair


def read(source, lang="sw", **options):
    return list(GraphPairs(**options).read(source, Request(lang, "en")))


def test_usual_names_or_all(tmp_path):
    source = made(tmp_path / "pets", "kg")
    assert read(source, links="none") == [
        ParallelPair("paka", "cat", "sw", "en"),
        ParallelPair("mbwa", "dog", "sw", "en"),
    ]
    assert read(source)[0] == ParallelPair("paka", "cat", "sw", "en") and len(read(source)) == 1
    several = [(one.text, one.pivot) for one in read(source, several=True)]
    assert several == [("paka", "cat"), ("paka", "dog"), ("nyau", "cat"), ("mbwa", "cat")]


def test_graphs_of_one_language_need_links(tmp_path):
    source = made(tmp_path / "five", "kg of languages")
    assert read(source, "ja") == [ParallelPair("東京", "Tokyo", "ja", "en")]  # the training link
    with pytest.raises(UserError, match="no entity has names in ja and in en"):
        read(source, "ja", links="none")


def test_a_source_with_a_prefix_is_claimed(tmp_path):
    for source, wanted in (("kg:x", "graph_pairs"), ("cldr:sw", "cldr"), ("a.tsv", "tsv")):
        assert pick_reader(source, Request("sw"), None).format == wanted
