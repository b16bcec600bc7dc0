from __future__ import annotations

import numpy as np
import pytest

from xadapt.core.errors import UserError
from xadapt.data.readers.concept_names import ConceptNames
from xadapt.evaluation.tfidf import similarity
from xadapt.tasks.kg import concept_index
from xadapt.tasks.kg.concept_index import BOTH, SPELLING, VECTORS, ConceptIndex, realistic_ranks

NAMES = ConceptNames.of(
    [("C1", "en", "headache"), ("C1", "en", "cephalalgia"), ("C2", "en", "fever"),
     ("C3", "en", "high fever")]
)  # fmt: skip
TEXTS = ["headaches", "fever", "cefalea"]
OWN = np.array([[2, 0], [0, 2], [1, 1], [1, 1]], np.float32)
ASKED = {"headaches": [1, 0], "fever": [1, 1], "cefalea": [0, 3]}


def encode(texts, langs):
    assert len(texts) == len(langs)
    return np.array([ASKED[text] for text in texts], np.float32)


def slow(texts, by_name):
    """The score of a concept is the highest one of its names."""
    return np.array(
        [
            [
                max(s for s, owner in zip(row, NAMES.owners, strict=True) if owner == c)
                for c in range(3)
            ]
            for row in by_name
        ]
    )


def test_scores_equal_a_slow_twin():
    index = ConceptIndex.of(NAMES, OWN, encode, weight=0.25)
    assert index.systems() == (SPELLING, VECTORS, BOTH)
    found, by_name = index.scores(TEXTS, [None] * 3)
    units = OWN / np.linalg.norm(OWN, axis=1, keepdims=True)
    asked = np.array([ASKED[t] for t in TEXTS]) / np.linalg.norm(
        [ASKED[t] for t in TEXTS], axis=1, keepdims=True
    )
    cosines = asked @ units.T
    grams = index.vectorizer.transform(TEXTS).toarray() @ index.grams.toarray().T
    assert found[VECTORS] == pytest.approx(slow(TEXTS, cosines), abs=1e-6)
    assert found[SPELLING] == pytest.approx(slow(TEXTS, grams), abs=1e-6)
    assert found[BOTH] == pytest.approx(0.75 * found[SPELLING] + 0.25 * found[VECTORS], abs=1e-6)
    mixed = 0.75 * grams + 0.25 * cosines
    for row in range(3):
        first = ("headache", "cephalalgia")[int(mixed[row, 1] > mixed[row, 0])]
        assert index.nearest(by_name[row], 0) == first
        assert index.nearest(by_name[row], 2) == "high fever"
    assert index.nearest(np.array([1, 1, 0, 0], np.float32), 0) == "headache"  # first of equals
    assert found[SPELLING].argmax(1).tolist()[:2] == [0, 1]


def test_the_larger_cosine_and_one_system_alone():
    larger = ConceptIndex.of(NAMES, OWN, encode, ensemble="max").scores(TEXTS, [None] * 3)[0]
    assert (larger[BOTH] == np.maximum(larger[SPELLING], larger[VECTORS])).all()
    alone = ConceptIndex.of(NAMES, OWN, encode, spelling=False)
    assert alone.systems() == (VECTORS,)
    assert list(alone.scores(TEXTS, [None] * 3)[0]) == [VECTORS]
    assert ConceptIndex.of(NAMES).systems() == (SPELLING,)


def test_concepts_with_one_name_each_are_scored_as_their_names():
    single = ConceptNames.of([(c, "en", n) for c, n in (("A", "fever"), ("B", "pain"))])
    index = ConceptIndex.of(single)
    found, by_name = index.scores(["pains"], [None])
    assert (found[SPELLING] == by_name).all() and found[SPELLING].argmax() == 1


def test_blocks_do_not_change_scores(monkeypatch):
    index = ConceptIndex.of(NAMES)
    whole = index.scores(TEXTS, [None] * 3)[0][SPELLING]
    parts = [index.scores([text], [None])[0][SPELLING] for text in TEXTS]
    assert np.concatenate(parts) == pytest.approx(whole, abs=1e-6)
    monkeypatch.setattr(concept_index, "CELLS", 9)
    assert index.block == 2
    monkeypatch.setattr(concept_index, "CELLS", 1)
    assert index.block == 1


def test_spelling_is_that_of_the_control_up_to_its_weights():
    plain = similarity(["fever"], list(NAMES.names)).rows(0, 1).numpy()[0]
    index = ConceptIndex.of(NAMES).scores(["fever"], [None])[0][SPELLING][0]
    assert index.argmax() == 1 and plain.argmax() == 2  # the second concept has the third name
    assert index[1] == pytest.approx(1, abs=1e-6)


def test_ranks_by_hand():
    scores = np.array([[3, 2, 2, 1], [1, 1, 1, 1], [4, 3, 2, 1], [1, 2, 3, 4]], np.float32)
    right = [[1], [0], [1, 2], []]
    # second of 2 equal ones below 1; four equal; best of two right ones, the other left out
    assert realistic_ranks(scores, right).tolist() == [2.5, 2.5, 2, np.inf]
    assert realistic_ranks(scores[:1], [[1, 2]]).tolist() == [2]


def test_a_constant_scorer_is_chance():
    ranks = realistic_ranks(np.zeros((5, 9), np.float32), [[i] for i in range(5)])
    assert (1 / ranks).mean() == pytest.approx(2 / (9 + 1))


def test_mistakes():
    for more, said in (
        ({"spelling": False}, "nothing is compared"),
        ({"ensemble": "sum"}, "unknown ensemble"),
        ({"weight": 2}, "not from 0 to 1"),
    ):
        with pytest.raises(UserError, match=said):
            ConceptIndex.of(NAMES, **more)
    with pytest.raises(UserError, match="no characters"):
        ConceptIndex.of(ConceptNames.of([("C", "en", " ")]))
