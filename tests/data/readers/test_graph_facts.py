from __future__ import annotations

import pytest
from tiny_graphs import made

from xadapt.core.errors import UserError
from xadapt.data.readers.graph_facts import GraphFacts
from xadapt.data.records import Triple


def read(source, lang="en", **options):
    return list(GraphFacts(**options).read(source, lang))


def test_facts_by_part_and_language(tmp_path):
    source = made(tmp_path / "pets", "kg")
    assert read(source, links="none") == [Triple("a", "fears", "b")]
    assert read(source) == [Triple("a", "fears", "a")]  # a and b are one
    assert read(source, part="all", links="none")[-1] == Triple("c", "fears", "a")
    assert len(read(source, "sw", part="all", links="none")) == 2  # c has no name
    assert len(read(source, "sw", part="all", links="none", named=False)) == 3
    with pytest.raises(UserError, match="no fact in test"):
        read(source, "sw", part="test")
    assert not GraphFacts().claims(source, None)


def test_facts_of_excluded_entities_are_left_out(tmp_path):
    source = made(tmp_path / "dbp15k_ja_en", "kg of two graphs")
    assert read(source, "ja", links="none") == [Triple("0", "5", "1")]
    with pytest.raises(UserError, match="no fact in train"):
        read(source, "ja", exclude_links=source)
