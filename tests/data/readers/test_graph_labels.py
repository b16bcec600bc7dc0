from __future__ import annotations

import pytest
from tiny_graphs import made

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_labels import GraphLabels
from xadapt.data.records import EntityLabel


def read(source, lang="sw", **options):
    return list(GraphLabels(**options).read(source, lang))


@pytest.fixture
def source(tmp_path):
    return made(tmp_path / "pets", "kg")


def test_names_of_joined_entities_have_one_id(source):
    assert read(source) == [
        EntityLabel("a", "paka", "sw"),
        EntityLabel("a", "nyau", "sw"),
        EntityLabel("a", "mbwa", "sw"),
    ]
    both = read(source, languages=("en",), links="none", several=False)
    assert [(one.entity, one.label, one.lang) for one in both] == [
        *(("a", "paka", "sw"), ("b", "mbwa", "sw")),
        *(("a", "cat", "en"), ("b", "dog", "en"), ("c", "bird", "en")),
    ]
    assert {one.lang for one in read(source, languages=("all",))} == {"en", "sw"}
    assert len(read(source, languages=("en", "sw", "en"))) == 6


def test_names_of_relations(source):
    found = read(source, of="relations")
    assert found == [EntityLabel("fears", "is afraid of", "en")]
    assert {one.entity for one in read(source, of="both")} == {"a", "fears"}


def test_excluded_entities_have_no_names(source):
    assert read(source, exclude_links=source) == [
        EntityLabel("a", "paka", "sw"),
        EntityLabel("a", "nyau", "sw"),
    ]


def test_nothing_to_read(source):
    with pytest.raises(UserError, match="no names in 'de'"):
        read(source, "de")
    assert not GraphLabels().claims(source, None)
