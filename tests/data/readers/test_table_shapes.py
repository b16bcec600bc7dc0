"""Shapes of tables: scores and ids in front, and the order of languages in a name."""

from __future__ import annotations

import pytest

from xadapt.data.readers.sides import Request
from xadapt.data.readers.table_shapes import Shape, find_shape, order_in_name, score_columns


def test_shapes():
    assert find_shape([["1.2", "a b", "c d"]] * 5) == Shape(1, 2, 0)
    assert find_shape([["12", "a b", "7", "c d"]] * 5) == Shape(1, 3)
    for rows in ([["1", "a", "b"]], [["a", "b", "c"]], [["1.5", "2.5", "3.5"]], [["a", "b"]], []):
        assert find_shape(rows * 5) is None
    assert score_columns([["a", "b", "0.5", "x"]] * 3, (0, 1)) == [2]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("/x/WikiMatrix.de-en.tsv.gz", "text"),
        ("CCMatrix.en-de.bitextf.tsv", "pivot"),
        ("Sentence pairs in English-German - 2024-05-01.tsv", "pivot"),
        ("deu_Latn-eng_Latn.tsv", "text"),
        ("de-en/pairs.tsv", None),
        ("en-fr.tsv", None),
        ("re-en-de.tsv", None),
        ("pairs.tsv", None),
    ],
)
def test_the_order_in_a_name(name, first):
    assert order_in_name(name, Request("de")) == first
