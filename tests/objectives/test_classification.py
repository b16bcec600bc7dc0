from __future__ import annotations

import math

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import labelled, trainer

from xadapt.core.errors import UserError
from xadapt.data.records import LabelledText
from xadapt.heads.head import Head
from xadapt.objectives.classification import Classification
from xadapt.objectives.contract import States
from xadapt.tasks.development import evidence, head_of
from xadapt.training.tasks import Task

ROWS = [LabelledText("a b", "x", "de"), LabelledText("c", "y", "de", origin="f:2")]


def test_loss_is_that_of_the_first_token_by_hand():
    head = Head("classification", ("x", "y"), 2)
    with torch.no_grad():
        head.linear.weight.copy_(torch.eye(2))
        head.linear.bias.zero_()
    hidden = torch.full((2, 3, 2), 7.0)
    hidden[:, 0] = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    objective = Classification()
    made = objective.views(ROWS, objective.prepare(ROWS))
    assert made["labels"] == [0, 1] and list(made["text"].rows) == ["a b", "c"]
    assert made["text"].langs == ["de", "de"]
    states = States(hidden, torch.ones(2, 3))
    loss = objective.loss(states, made["labels"], head)
    wanted = torch.tensor([math.log(1 + math.exp(-2)), math.log(2)])
    assert torch.allclose(loss.values, wanted)
    smooth = Classification(smoothing=0.5).loss(states, made["labels"], head)
    wanted = torch.tensor([math.log(1 + math.exp(-2)) + 0.25 * 2, math.log(2)])
    assert torch.allclose(smooth.values, wanted)


def test_one_class_and_smoothing_beyond_bounds_are_refused():
    with pytest.raises(UserError, match="same label") as caught:
        Classification().prepare(ROWS[1:] * 2)
    assert caught.value.where == "f:2"
    with pytest.raises(ValueError, match="smoothing"):
        Classification(smoothing=1.0)


def learnt(folder, rows):
    """Accuracy on texts never seen after a short training."""
    made = trainer(folder, [Task("t", Classification(), rows)], encoder=tiny_encoder(), epochs=8,
                   learning_rate=5e-3)  # fmt: skip
    made.train()
    return evidence(made.encoder, made.module, labelled(60, seed=5), head_of(made))[0].value


def test_it_learns_the_classes_of_texts(tmp_path):
    """And nothing where the classes are those of other texts, the control."""
    rows = labelled(120)
    others = [
        LabelledText(row.text, other.label, "de")
        for row, other in zip(rows, [*rows[7:], *rows[:7]], strict=True)
    ]
    assert learnt(tmp_path / "right", rows) > 0.9
    assert learnt(tmp_path / "wrong", others) < 0.75
