from __future__ import annotations

import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.mentions import Mention
from xadapt.tasks.kg.reranking import (
    OTHER,
    SAME,
    column_of_same,
    pair_of,
    reranked,
    training_list,
    training_pairs,
)


def test_a_mention_stands_in_brackets_in_its_context():
    alone, inside = Mention("1", "dolor"), Mention("1", "dolor", (), "es", "un ", " fuerte")
    assert pair_of(alone, ["pain", "ache"]) == ("dolor", "pain; ache")
    assert pair_of(inside, list("abcdef")) == ("un [dolor] fuerte", "a; b; c; d")


def test_scores_are_joined_by_weight():
    assert reranked([1, 0], [0, 1], 0).tolist() == [1, 0]
    assert reranked([1, 0], [0, 1], 1).tolist() == [0, 1]
    assert reranked([0.8, 0.4], [0.2, 1], 0.5).tolist() == pytest.approx([0.5, 0.7])


def test_pairs_are_of_candidates_alone():
    mention = Mention("1", "dolor", ("C1", "C9"))
    found = list(training_pairs(mention, [("C2", ["fever"]), ("C1", ["pain", "ache"])]))
    assert found == [("dolor", "fever", OTHER), ("dolor", "pain; ache", SAME)]


def test_the_classes_of_the_head():
    assert column_of_same(["other", "same"]) == 1
    with pytest.raises(UserError, match="classes yes, no"):
        column_of_same(["yes", "no"])


def test_a_list_leaves_out_missed_concepts_and_further_right_ones():
    mention = Mention("1", "dolor", ("C1", "C4"), "es")
    found = [("C4", ["pain"]), ("C2", ["fever"]), ("C1", ["ache", "pain"])]
    made = training_list(mention, found, [0.9, 0.5, 0.4], {"C1", "C2", "C4"})
    assert made == {
        "text": "dolor", "candidates": ["pain", "fever"], "scores": [0.9, 0.5], "right": 0,
        "concept": "C4", "lang": "es",
    }  # fmt: skip
    assert training_list(mention, found[1:2], [0.5], {"C1", "C2"}) is None
    unknown = training_list(mention, found[1:2], [0.5], {"C2"})
    assert unknown is not None and unknown["right"] is None and unknown["concept"] == "C1"
    assert training_list(mention, [], [], set()) is None
