from __future__ import annotations

import math

import numpy as np
import pytest
from tiny_models import tiny_encoder
from tiny_training import text_pairs

from xadapt.core.errors import UserError
from xadapt.data.records import TextPair
from xadapt.evaluation.systems import System
from xadapt.tasks.protocol import find, of_record
from xadapt.tasks.retrieval import Corpus, at_size, sizes_of

ROWS = [
    TextPair("a", "x", ("z",), "de"),
    TextPair("A", "y", (), "de"),  # the query of the first row again
    TextPair("b", "Z", (), "de"),  # a negative of the first row
]


def test_the_pool_holds_each_text_once():
    corpus = Corpus.of(ROWS)
    assert corpus.queries == ["a", "b"] and corpus.passages == ["x", "z", "y"]
    assert corpus.right == [{0, 2}, {1}]
    with pytest.raises(UserError, match="there are no pairs"):
        Corpus.of([])


def test_scores_by_hand():
    vectors = {"a": [1, 0], "b": [0, 1], "x": [0.8, 0.6], "z": [1, 0], "y": [0.6, 0.8]}
    system = System(lambda texts: np.array([vectors[text] for text in texts], np.float32))
    result = find("retrieval").evaluate(ROWS, {"s": system}, resamples=5, control=False)
    # a: z, x, y: right at ranks 2 and 3 of two; b: y, x, z: right at rank 3
    first = (1 / math.log2(3) + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    wanted = {"nDCG@10": (first + 1 / math.log2(4)) / 2, "MRR@10": (1 / 2 + 1 / 3) / 2,
              "recall@10": 1}  # fmt: skip
    found = {name: score.mean for name, score in result["s"].scores.items()}
    assert found == pytest.approx(wanted) and result.count == 2 and result.facts["pool"] == 3


def test_sizes_cut_the_vectors():
    rows, task = text_pairs(20), find("retrieval")
    system = task.chance(rows)
    cut = System(lambda texts: system.language(texts)[:, :5])
    whole = task.evaluate(rows, {"s": system}, resamples=2, dimensions=(5, 32))["s"].scores
    alone = task.evaluate(rows, {"s": cut}, resamples=2)["s"].scores
    assert whole[at_size("nDCG@10", 5)].mean == alone["nDCG@10"].mean != whole["nDCG@10"].mean
    assert whole[at_size("nDCG@10", 32)].mean == whole["nDCG@10"].mean


@pytest.mark.parametrize("given", ["0", "33", "a", "8,", "-1", "1.5"])
def test_wrong_sizes(given):
    with pytest.raises(UserError, match="no number of dimensions"):
        sizes_of(given, tiny_encoder())
    assert sizes_of("16, 8,16", tiny_encoder()) == (16, 8) and sizes_of(None, tiny_encoder()) == ()


def test_it_judges_training_on_such_pairs():
    assert of_record(TextPair).name == "retrieval"
