from __future__ import annotations

import numpy as np

from xadapt.data.records import ParallelPair
from xadapt.evaluation.retrieval import accuracy_of_pairs, first_of_equals
from xadapt.evaluation.systems import System


def test_later_pairs_that_repeat_a_sentence_are_left_out():
    rows = [("a", "x"), ("b", "y"), ("A ", "z"), ("c", "Y"), ("a", "x"), ("c", "w")]
    kept, groups = first_of_equals([ParallelPair(text, pivot, "de") for text, pivot in rows])
    assert kept.tolist() == [0, 1, 5] and groups == 2


def test_the_accuracy_of_a_pair_is_the_mean_of_both_ways():
    """Text 0 finds pivot 0; pivot 0 finds text 1, which is nearer to it; the third is right."""
    rows = [ParallelPair(f"t{i}", f"p{i}", "de") for i in range(3)]
    near = {"t0": [1, 0.5, 0], "t1": [1, 0.1, 0], "t2": [0, 0, 1]}
    near |= {"p0": [1, 0.1, 0], "p1": [0, 1, 0], "p2": [0, 0, 1]}
    system = System(lambda texts: np.array([near[text] for text in texts], dtype=np.float32))
    found = accuracy_of_pairs([*rows, rows[0]], {"s": system})
    assert found["s"].tolist() == [0.5, 0.0, 1.0]
