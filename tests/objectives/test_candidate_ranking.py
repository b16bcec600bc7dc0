from __future__ import annotations

import math
import random
from functools import partial

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import candidate_lists, trainer

from xadapt.backbones.encoder.pairs import tokenize_pairs
from xadapt.data.records import CandidateList
from xadapt.heads.head import Head
from xadapt.objectives.candidate_ranking import NONE, CandidateRanking
from xadapt.objectives.contract import States
from xadapt.tasks.development import evidence, head_of
from xadapt.training.tasks import Task

ENCODER = tiny_encoder()
ROWS = [
    CandidateList("katze", ("cat", "dog", "mat"), (0.5, 0.25, 0.0), 1, "de"),
    CandidateList("hund", ("park",), (0.75,), -1, "de"),
]


def made(objective, rows=ROWS, seed=0):
    return objective.views(rows, random.Random(seed), partial(tokenize_pairs, ENCODER))


def states(scores):
    """States of one feature, whose first token holds the score."""
    hidden = torch.full((len(scores), 3, 1), 9.0)
    hidden[:, 0, 0] = torch.tensor(scores)
    return States(hidden, torch.ones(len(scores), 3))


def plain_head():
    head = Head("candidate_ranking", ("score",), 1)
    with torch.no_grad():
        head.linear.weight.fill_(1)
        head.linear.bias.zero_()
    return head


def test_all_candidates_and_none_are_rows_of_the_view():
    found = made(CandidateRanking(none_rate=0.0))
    lefts, rights = ["katze"] * 4 + ["hund"] * 2, ["cat", "dog", "mat", NONE, "park", NONE]
    rows = tokenize_pairs(ENCODER, lefts, rights)
    assert list(found["pair"].rows) == [row.ids for row in rows]
    assert found["pair"].second == [row.second for row in rows]
    assert found["pair"].langs == ["de"] * 6
    assert found["right"] == [1, 1] and found["found"] == [[0.5, 0.25, 0.0], [0.75]]


@pytest.mark.parametrize("weight", [0.0, 1.0, 0.5])
def test_loss_by_hand(weight):
    objective = CandidateRanking(rank_weight=weight, none_rate=0.0)
    found = made(objective)
    z = [0.5, 1.25, 0.0, -1.0, 0.75, 2.0]
    loss = objective.loss(states(z), found["found"], found["right"], plain_head())

    def choice(scores, place):
        return math.log(sum(map(math.exp, scores))) - scores[place]

    first, second = choice(z[:4], 1) + weight * 1.0, choice(z[4:], 1) + weight * 0.0
    assert loss.values.tolist() == pytest.approx([first, second], abs=1e-6)


def test_scores_equal_to_those_of_the_search_have_no_distance_and_a_finite_gradient():
    objective = CandidateRanking(rank_weight=1.0, none_rate=0.0)
    found = made(objective, ROWS[1:])
    given = states([0.75, 0.0])
    given.hidden.requires_grad_()
    objective.loss(given, found["found"], found["right"], plain_head()).total().backward()
    own = math.exp(0.75) / (math.exp(0.75) + 1)
    assert given.hidden.grad[:, 0, 0].tolist() == pytest.approx([own, -own], abs=1e-6)


def test_a_right_candidate_that_is_taken_away_leaves_none_as_the_answer():
    rows = candidate_lists(400)
    found = made(CandidateRanking(none_rate=0.25), rows)
    right = [row.correct for row in rows]
    taken = [len(own) == 3 for own in found["found"]]
    assert 0.18 < sum(taken) / sum(place >= 0 for place in right) < 0.32
    assert not any(gone for gone, place in zip(taken, right, strict=True) if place < 0)
    for row, own, place, gone in zip(rows, found["found"], found["right"], taken, strict=True):
        if gone:
            assert place == 3 and own == [s for i, s in enumerate(row.scores) if i != row.correct]
        else:
            assert place == (row.correct if row.correct >= 0 else 4) and own == list(row.scores)
    one = made(CandidateRanking(none_rate=0.9), [CandidateList("a", ("b",), (1.0,), 0, "de")])
    assert one["found"] == [[1.0]]  # a list is never empty


@pytest.mark.parametrize("wrong", [{"rank_weight": -1.0}, {"none_rate": 1.0}, {"none_rate": -0.1}])
def test_options_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CandidateRanking(**wrong)


def learnt(folder, rows):
    """R@1 on mentions after a short training."""
    objective = CandidateRanking(rank_weight=0.1)
    run = trainer(folder, [Task("t", objective, rows)], encoder=tiny_encoder(), epochs=4,
                  batch_size=8, learning_rate=1e-2)  # fmt: skip
    run.train()
    found = evidence(run.encoder, run.module, candidate_lists(80, seed=5), head_of(run))
    return {row.metric: row for row in found}["R@1"]


def test_it_learns_which_candidate_is_right(tmp_path):
    """Better than the search, whose scores are random; and not from wrong answers, the control."""
    rows = candidate_lists(160)
    moved = [
        CandidateList(r.text, r.candidates, r.scores, (r.correct + 1) % 4, "de")
        for r in rows
        if r.correct >= 0
    ]
    right = learnt(tmp_path / "right", rows)
    assert right.value > 0.8 > 0.5 > right.controls["search"]
    assert learnt(tmp_path / "wrong", moved).value < 0.5
