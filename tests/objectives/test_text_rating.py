"""Text rating: losses by hand, scales and classes, and ratings that are refused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from xadapt.core.errors import UserError
from xadapt.data.records import RatedText
from xadapt.objectives.contract import States
from xadapt.objectives.text_rating import TextRating

ROWS = [RatedText(f"text {label}", label, "en") for label in ("1", "4", "3.0", "1")]


def parts(objective, rows=ROWS):
    memory = objective.prepare(rows)
    torch.manual_seed(0)
    head = objective.heads(6, memory)
    found = objective.views(rows, memory)
    states = States(torch.randn(len(rows), 3, 6, requires_grad=True), torch.ones(len(rows), 3))
    return memory, head, found, states


def test_squared_errors_by_hand():
    objective = TextRating()
    memory, head, found, states = parts(objective)
    assert memory.scale == (1.0, 4.0) and head.labels == ("rating",) and head.scale == (1.0, 4.0)
    assert found["ratings"] == pytest.approx([0, 1, 2 / 3, 0])
    loss = objective.loss(states, found["ratings"], head)
    first = head(states.hidden[:, 0])[:, 0]
    wanted = [
        (float(score) - value) ** 2 for score, value in zip(first, found["ratings"], strict=True)
    ]
    assert loss.values.tolist() == pytest.approx(wanted, rel=1e-5)
    loss.total().backward()
    touched = states.hidden.grad.abs().sum(-1) > 0
    assert touched[:, 0].all() and not touched[:, 1:].any()


def test_ratings_as_classes():
    objective = TextRating(classes=True)
    memory, head, found, states = parts(objective)
    assert head.labels == ("1", "3", "4") == memory.classes and found["ratings"] == [0, 2, 1, 0]
    loss = objective.loss(states, found["ratings"], head)
    scores = head(states.hidden[:, 0])
    wanted = F.cross_entropy(scores, torch.tensor([0, 2, 1, 0]), reduction="none")
    assert torch.allclose(loss.values, wanted)


def test_a_given_scale_holds():
    assert TextRating(lowest=0, highest=5).prepare(ROWS).scale == (0.0, 5.0)
    with pytest.raises(UserError, match="the rating 4 is not between 1 and 3"):
        TextRating(highest=3).prepare(ROWS)


@pytest.mark.parametrize(
    ("labels", "options", "said"),
    [
        (("1", "good"), {}, "the rating 'good' is no number"),
        (("1", "nan"), {}, "the rating 'nan' is no number"),
        (("2", "2.0"), {}, "leave nothing to learn"),
        (("1", "2"), {"lowest": 3}, "leave nothing to learn"),
        (tuple(map(str, range(30))), {"classes": True}, "30 different ratings are no classes"),
    ],
)
def test_other_ratings_are_refused(labels, options, said):
    with pytest.raises(UserError, match=said):
        TextRating(**options).prepare([RatedText("text", label, "en") for label in labels])
