"""The loss of names: by a slow loop, with every kind of false negative left out."""

from __future__ import annotations

import math
import random

import pytest
import torch

from xadapt.objectives.name_ranking import Asked, NameRanking, draw_name, no_negatives


def unit(*angles):
    return torch.tensor([[math.cos(a), math.sin(a)] for a in angles])


def slow(query, keys, target, allowed, temperature):
    scores = {j: float(query @ key) / temperature for j, key in enumerate(keys) if j in allowed}
    return math.log(sum(math.exp(s) for s in scores.values())) - scores[target]


def asked(entity, name, answers=(), names=()):
    return Asked(("de", "q"), ("en", name), entity, {entity, *answers}, {name.lower(), *names})


ROWS = [
    asked("Q1", "Berlin", answers=("Q3",), names=("berlino",)),
    asked("Q2", "Paris"),
    asked("Q3", "Rome"),  # answers the query of Q1 too
    asked("Q4", "Berlin"),  # another entity with the name of Q1
    asked("Q5", "Berlino"),  # its name is another name of Q1
    asked("Q1", "Berlin, Germany"),  # the entity of the first query
]
QUERIES, NAMES = unit(0.1, 0.9, 1.4, 2.0, 2.3, 2.9), unit(0.3, 1.1, 1.2, 2.5, 2.2, 0.2)
ALLOWED = [
    {0, 1},  # 2 answers too, 3 is spelt alike, 4 is a name of Q1, 5 is Q1
    {0, 1, 2, 3, 4, 5},
    {0, 1, 2, 3, 4, 5},
    {1, 2, 3, 4, 5},  # 0 is spelt alike
    {0, 1, 2, 3, 4, 5},
    {1, 2, 3, 4, 5},  # 0 is Q1
]


def test_false_negatives_are_left_out_by_a_slow_loop():
    found = NameRanking().loss(QUERIES, NAMES, ROWS).values
    wanted = [slow(QUERIES[i], NAMES, i, own, 0.1) for i, own in enumerate(ALLOWED)]
    assert found.tolist() == pytest.approx(wanted, abs=1e-5)
    every = [slow(QUERIES[i], NAMES, i, range(6), 0.1) for i in range(6)]
    assert found[0] < every[0] - 1e-3, "unmasked, the first loss would be higher"


def test_the_other_direction_leaves_the_same_pairs_out():
    both = NameRanking(both_directions=True).loss(QUERIES, NAMES, ROWS).values
    back = [{j for j in range(6) if i in ALLOWED[j]} for i in range(6)]
    wanted = [
        (slow(QUERIES[i], NAMES, i, ALLOWED[i], 0.1) + slow(NAMES[i], QUERIES, i, back[i], 0.1)) / 2
        for i in range(6)
    ]
    assert both.tolist() == pytest.approx(wanted, abs=1e-5)


def test_entities_are_told_apart_by_id_and_not_by_name():
    """Two entities with one English name are two; one entity with two English names is one."""
    rows, columns = no_negatives(
        [asked("Q1", "Georgia"), asked("Q2", "Tbilisi"), asked("Q1", "Sakartvelo")],
        torch.device("cpu"),
    )
    pairs = set(zip(rows.tolist(), columns.tolist(), strict=True))
    assert {(0, 2), (2, 0)} <= pairs and (0, 1) not in pairs
    # spelt alike they are no negatives, but neither is the other's target
    found = NameRanking().loss(
        unit(0.0, 2.0), unit(0.5, 1.0), [asked("Q1", "Georgia"), asked("Q2", "Georgia")]
    )
    assert found.values.tolist() == pytest.approx([0, 0])


def test_languages_are_drawn_before_names():
    names = [("en", f"alias {i}") for i in range(9)] + [("sw", "jina")]
    drawn = [draw_name(names, random.Random(i))[0] for i in range(200)]
    assert 70 < drawn.count("sw") < 130


def test_dimensions_are_the_mean_over_first_values():
    torch.manual_seed(0)
    left, right = torch.randn(6, 4), torch.randn(6, 4)
    each = [NameRanking().loss(left[:, :k], right[:, :k], ROWS).values for k in (4, 2)]
    found = NameRanking().loss(left, right, ROWS, (4, 2)).values
    assert torch.allclose(found, (each[0] + each[1]) / 2, atol=1e-6)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match="temperature"):
        NameRanking(temperature=0)
