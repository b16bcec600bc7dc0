from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from xadapt.config.recipe import strict
from xadapt.data.records import ParallelPair
from xadapt.objectives.contract import Bank
from xadapt.objectives.translation_ranking import TranslationRanking

A = ParallelPair("katze", "cat", "de")
A_AGAIN = ParallelPair("Katze!", "kitty", "de")  # the same text with another translation
B = ParallelPair("mieze", "Cat.", "de")  # another text with the same pivot
C = ParallelPair("hund", "dog", "de")
ALL = [A, A_AGAIN, B, C]


def cosines(rows):
    """Unit vectors ``(n, 2)`` at these angles."""
    return torch.tensor([[math.cos(a), math.sin(a)] for a in rows])


def slow(query, keys, target, allowed, temperature):
    scores = {j: float(query @ key) / temperature for j, key in enumerate(keys) if j in allowed}
    assert target in allowed
    return math.log(sum(math.exp(s) for s in scores.values())) - scores[target]


def test_memory_counts_equal_texts_once():
    memory = TranslationRanking().prepare(ALL)
    assert memory.texts == ["cat", "kitty", "dog"]
    assert memory.known == {"katze": {0, 1}, "mieze": {0}, "hund": {2}}
    assert memory.owners == {0: {"katze", "mieze"}, 1: {"katze"}, 2: {"hund"}}


def test_views():
    objective = TranslationRanking(negatives="batch", pivot="active")
    made = objective.views(ALL, None, objective.prepare(ALL))
    assert made["text"].rows == ["katze", "Katze!", "mieze", "hund"]
    assert made["text"].module is True and made["pivot"].module is True
    assert made["rows"] == [0, 1, 0, 2]
    frozen = TranslationRanking()
    assert frozen.views(ALL, None, frozen.prepare(ALL))["pivot"].module is False


def losses(objective, text, pivot, bank=None):
    memory = objective.prepare(ALL)
    made = objective.views(ALL, None, memory)
    return objective.loss(text, pivot, made["text_keys"], made["rows"], memory, bank).values


def test_in_batch_both_directions_by_a_slow_loop():
    text, pivot = cosines([0.1, 0.9, 2.0, 3.0]), cosines([0.3, 1.1, 0.2, 2.5])
    forward = [
        slow(text[0], pivot, 0, {0, 3}, 0.1),  # 1: known for katze; 2: the same pivot
        slow(text[1], pivot, 1, {1, 3}, 0.1),  # 0 and 2 are cat, known for katze
        slow(text[2], pivot, 2, {1, 2, 3}, 0.1),  # 0 is cat too
        slow(text[3], pivot, 3, {0, 1, 2, 3}, 0.1),
    ]
    backward = [
        slow(pivot[0], text, 0, {0, 3}, 0.1),  # 1 is katze again, 2 mieze: both mean cat
        slow(pivot[1], text, 1, {1, 2, 3}, 0.1),  # 0 is katze too, which means kitty
        slow(pivot[2], text, 2, {2, 3}, 0.1),
        slow(pivot[3], text, 3, {0, 1, 2, 3}, 0.1),
    ]
    options = {"negatives": "batch", "temperature": 0.1}
    one = losses(TranslationRanking(**options), text, pivot)
    assert one.tolist() == pytest.approx(forward, abs=1e-5)
    other = losses(TranslationRanking(directions="backward", **options), text, pivot)
    assert other.tolist() == pytest.approx(backward, abs=1e-5)
    both = losses(TranslationRanking(directions="both", **options), text, pivot)
    assert both.tolist() == pytest.approx(
        [(f + b) / 2 for f, b in zip(forward, backward, strict=True)], abs=1e-5
    )


def test_bank_holds_every_pivot_of_the_data():
    objective = TranslationRanking(temperature=0.1)
    assert objective.bank_rows(objective.prepare(ALL)) == ["cat", "kitty", "dog"]
    assert TranslationRanking(negatives="batch").bank_rows(objective.prepare(ALL)) is None
    text, vectors = cosines([0.1, 0.9, 2.0, 3.0]), cosines([0.2, 1.0, 2.4])
    expected = [
        slow(text[0], vectors, 0, {0, 2}, 0.1),
        slow(text[1], vectors, 1, {1, 2}, 0.1),
        slow(text[2], vectors, 0, {0, 1, 2}, 0.1),
        slow(text[3], vectors, 2, {0, 1, 2}, 0.1),
    ]
    found = losses(objective, text, torch.zeros(4, 2), Bank(vectors))
    assert found.tolist() == pytest.approx(expected, abs=1e-5)


def test_equal_pairs_are_never_each_others_negatives():
    objective = TranslationRanking(negatives="batch", directions="both")
    memory = objective.prepare([A, A])
    made = objective.views([A, A], None, memory)
    out = objective.loss(
        torch.randn(2, 3), torch.randn(2, 3), made["text_keys"], made["rows"], memory
    )
    assert out.values.tolist() == pytest.approx([0, 0])


@pytest.mark.parametrize(
    "option",
    [
        {"temperature": 0},
        {"negatives": "bank", "pivot": "active"},
        {"directions": "up"},
        {"margin": 1},
    ],
)
def test_wrong_options_are_refused(option):
    with pytest.raises(ValidationError):
        strict(TranslationRanking).validate_python(option)
