from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xadapt.functional.tag_scheme import decode, labels_of, moves, to_labels, to_spans

LABELS = labels_of(["PER", "LOC"], "bio")


def test_labels_have_one_order():
    assert LABELS == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert labels_of(["VERB", "ADJ", "VERB"], "word") == ("ADJ", "VERB")


def test_spans_to_labels_and_back():
    spans = ((0, 2, "PER"), (2, 3, "PER"), (4, 5, "LOC"))
    labels = to_labels(6, spans, "bio")
    assert labels == ["B-PER", "I-PER", "B-PER", "O", "B-LOC", "O"]
    assert to_spans(labels, "bio") == spans
    words = ((0, 1, "ADJ"), (1, 2, "NOUN"))
    assert to_labels(2, words, "word") == ["ADJ", "NOUN"]
    assert to_spans(["ADJ", "NOUN"], "word") == words


@pytest.mark.parametrize(
    ("labels", "spans"),
    [
        (["I-PER", "I-PER"], ((0, 2, "PER"),)),
        (["B-PER", "I-LOC"], ((0, 1, "PER"), (1, 2, "LOC"))),
        (["O", "I-LOC", "O", "I-LOC"], ((1, 2, "LOC"), (3, 4, "LOC"))),
    ],
)
def test_a_stray_inside_begins_a_span(labels, spans):
    assert to_spans(labels, "bio") == spans


@pytest.mark.parametrize(
    ("spans", "scheme", "said"),
    [
        ([(0, 2, "A"), (1, 3, "B")], "bio", "overlaps"),
        ([(2, 4, "A")], "bio", "leaves the sentence"),
        ([(1, 1, "A")], "bio", "leaves the sentence"),
        ([(0, 1, "A"), (1, 2, "B")], "word", "word 3 has no label"),
        ([(0, 2, "A"), (2, 3, "B")], "word", "more than one word"),
    ],
)
def test_spans_that_do_not_fit_are_refused(spans, scheme, said):
    with pytest.raises(ValueError, match=said):
        to_labels(3, spans, scheme)


def test_an_inside_follows_its_own_kind_alone():
    first, follows = moves(LABELS, "bio")
    assert [label for label, may in zip(LABELS, first, strict=True) if may] == [
        "O", "B-LOC", "B-PER",
    ]  # fmt: skip
    before = {LABELS[j]: {LABELS[i] for i in range(5) if follows[i, j]} for j in range(len(LABELS))}
    assert before["I-PER"] == {"B-PER", "I-PER"} and before["O"] == set(LABELS)


@given(st.integers(1, 4), st.integers(0, 10**6))
def test_decoding_finds_what_trying_all_finds(length, seed):
    scores = np.random.default_rng(seed).normal(size=(length, len(LABELS)))
    first, follows = moves(LABELS, "bio")
    allowed = [
        path
        for path in itertools.product(range(len(LABELS)), repeat=length)
        if first[path[0]] and all(follows[a, b] for a, b in itertools.pairwise(path))
    ]
    best = max(allowed, key=lambda path: sum(scores[i, label] for i, label in enumerate(path)))
    assert decode(scores, LABELS, "bio") == [LABELS[i] for i in best]


def test_decoding_by_hand():
    scores = np.array([[0.0, 0, 0, 1, 5], [0, 0, 4, 0, 3.5]])  # I-PER first is not allowed
    assert decode(scores, LABELS, "bio") == ["B-PER", "I-PER"]
    assert decode(scores, LABELS, "word") == ["I-PER", "I-LOC"]
    assert decode(scores[:0], LABELS, "bio") == []
