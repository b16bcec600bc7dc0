from __future__ import annotations

from dataclasses import replace

import pytest
from twin_graphs import family, twins

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import names_of
from xadapt.tasks.kg.graph_names import relation_names


def test_the_language_comes_before_english_before_others():
    graph = family()
    assert relation_names(graph, "de") == ["neighbour", "kind"]
    more = names_of(graph.relations, {"de": [(0, "Nachbar")], "fr": [(1, "parité")]})
    named = replace(graph, relation_labels={**graph.relation_labels, **more})
    assert relation_names(named, "de") == ["Nachbar", "kind"]
    assert relation_names(named, "sw") == ["neighbour", "kind"]
    assert relation_names(replace(graph, relation_labels=more), "sw") == ["Nachbar", "parité"]


def test_an_id_in_words_is_a_name_and_a_number_is_none():
    left, *_ = twins()
    assert relation_names(left, "de") == ["r0", "r1", "r2", "r3"]
    numbers = replace(left, relations=("1", "2", "capital_of", "4"))
    assert relation_names(numbers, "de") == ["", "", "capital of", ""]
    with pytest.raises(UserError, match="no relation"):
        relation_names(replace(left, relations=("1", "2", "3", "4")), "de")
