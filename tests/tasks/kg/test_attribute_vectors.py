from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from twin_graphs import twins

from xadapt.core.errors import UserError
from xadapt.tasks.kg.attribute_vectors import attribute_vectors, features

LEFT, RIGHT, LINKS = twins(40, 100)


def with_attributes(graph, rows):
    return dataclasses.replace(graph, attributes=rows)


def test_features_are_names_and_values_without_addresses_case_and_signs():
    found = list(features((("http://x/ontology/birthYear", "1879"), ("Population", "7,500 "))))
    assert found == ["name birthyear", "value 1879", "name population", "value 7 500"]
    assert list(features((("legs", ""),))) == ["name legs"]


def test_equal_values_are_alike_and_rare_ones_count_more():
    left = with_attributes(LEFT, {
        "de0": (("jahr", "1879"),), "de1": (("jahr", "1900"),), "de2": (("jahr", "1901"),),
    })  # fmt: skip
    right = with_attributes(RIGHT, {
        "en0": (("year", "1879"),), "en1": (("year", "1850"),), "en2": (("jahr", "1851"),),
    })  # fmt: skip
    found = attribute_vectors(left, right, 256)
    one = found.left[LEFT.index["de0"]]
    same, none, name = (float(one @ found.right[RIGHT.index[e]]) for e in ("en0", "en1", "en2"))
    assert same > name > 0 == none
    assert found.has[0].sum() == 3 == found.has[1].sum()
    again = attribute_vectors(left, right, 256)
    assert (found.left == again.left).all()


def test_a_row_by_hand():
    left = with_attributes(LEFT, {"de0": (("a", "x"),)})
    right = with_attributes(RIGHT, {"en0": (("a", "y"),)})
    row = attribute_vectors(left, right, 4096).left[0]
    # "a" stands in both entities, "x" in one: log(3/3) + 1 and log(3/2) + 1
    weights = sorted(np.abs(row[row != 0]))
    wanted = np.array([1.0, 1 + np.log(1.5)])
    assert weights == pytest.approx(wanted / np.linalg.norm(wanted))


def test_graphs_without_attributes_are_one_line():
    with pytest.raises(UserError, match="has attributes"):
        attribute_vectors(LEFT, RIGHT)
