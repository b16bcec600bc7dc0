from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from tiny_models import tiny_encoder
from tiny_training import multi_labelled, trainer

from xadapt.core.errors import UserError
from xadapt.data.records import MultiLabelText
from xadapt.heads.head import Head
from xadapt.objectives.contract import States
from xadapt.objectives.multi_label import MultiLabel
from xadapt.tasks.development import dev_scores, evidence, head_of
from xadapt.training.tasks import Task

ROWS = [
    MultiLabelText("a b", ("x", "y"), "de", origin="f:1"),
    MultiLabelText("c", ("y",), "de"),
    MultiLabelText("d", (), "de"),
]


def head_of_scores(memory):
    head = Head("multi_label", memory, 2)
    with torch.no_grad():
        head.linear.weight.copy_(torch.eye(2))
        head.linear.bias.zero_()
    return head


def test_loss_is_the_mean_binary_cross_entropy_by_hand():
    objective = MultiLabel()
    memory = objective.prepare(ROWS)
    assert memory == ("x", "y") and memory.weights is None
    made = objective.views(ROWS, memory)
    assert made["labels"] == [[0, 1], [1], []] and list(made["text"].rows) == ["a b", "c", "d"]
    hidden = torch.full((3, 4, 2), 9.0)
    hidden[:, 0] = torch.tensor([[2.0, 0.0], [0.0, -1.0], [3.0, 0.0]])
    states = States(hidden, torch.ones(3, 4))
    loss = objective.loss(states, made["labels"], head_of_scores(memory), memory)
    below = math.log(2)
    wanted = [
        (math.log(1 + math.exp(-2)) + below) / 2,
        (below + math.log(1 + math.exp(1))) / 2,
        (math.log(1 + math.exp(3)) + below) / 2,
    ]
    assert loss.values.tolist() == pytest.approx(wanted)
    target = torch.tensor([[1.0, 1], [0, 1], [0, 0]])
    torch.testing.assert_close(
        loss.total(), F.binary_cross_entropy_with_logits(hidden[:, 0], target)
    )


def test_class_weights_are_pos_weight():
    objective = MultiLabel(class_weights="balanced")
    memory = objective.prepare(ROWS)
    assert memory.weights == [2, 0.5]  # x: 1 with, 2 without; y: 2 with, 1 without
    assert MultiLabel(class_weights={"x": 3.0}).prepare(ROWS).weights == [3, 1]
    hidden = torch.randn(3, 1, 2, generator=torch.Generator().manual_seed(0))
    loss = objective.loss(
        States(hidden, torch.ones(3, 1)), [[0, 1], [1], []], head_of_scores(memory), memory
    )
    target = torch.tensor([[1.0, 1], [0, 1], [0, 0]])
    weight = torch.tensor([2, 0.5])
    wanted = F.binary_cross_entropy_with_logits(hidden[:, 0], target, pos_weight=weight)
    torch.testing.assert_close(loss.total(), wanted)


def test_thresholds_of_the_head():
    memory = MultiLabel().prepare(ROWS)
    head = MultiLabel(threshold=0.3).heads(4, memory)
    assert head.thresholds == (0.3, 0.3) and head.threshold_choice == ""
    head = MultiLabel(threshold="per_label").heads(4, memory)
    assert head.thresholds == (0.5, 0.5) and head.threshold_choice == "per_label"
    for bad in (0.0, 1.0, -1.0):
        with pytest.raises(ValueError, match="threshold"):
            MultiLabel(threshold=bad)


def test_data_that_teach_nothing_are_refused():
    with pytest.raises(UserError, match="none of 1 texts has a label"):
        MultiLabel().prepare(ROWS[2:])
    with pytest.raises(UserError, match="the same labels") as fault:
        MultiLabel().prepare([ROWS[0]] * 2)
    assert fault.value.where == "f:1"
    with pytest.raises(UserError, match="unknown class 'z'"):
        MultiLabel(class_weights={"z": 2.0}).prepare(ROWS)


def animals(n, seed=0):
    """Texts with one label or none."""
    return [
        MultiLabelText(row.text, tuple(set(row.labels) & {"animal"}), "de")
        for row in multi_labelled(n, seed)
    ]


def learnt(folder, rows, **options):
    made = trainer(folder, [Task("t", MultiLabel(**options), rows)], encoder=tiny_encoder(),
                   epochs=8, learning_rate=5e-3)  # fmt: skip
    dev = animals(60, seed=5)
    made.train()
    head = head_of(made)
    found = {row.metric: row.value for row in evidence(made.encoder, made.module, dev, head)}
    return dev_scores(made, dev)["score"], found, head


def test_it_learns_the_labels_of_texts(tmp_path):
    """And nothing where the labels are those of other texts, the control."""
    rows = animals(120)
    others = [
        MultiLabelText(row.text, other.labels, "de")
        for row, other in zip(rows, [*rows[7:], *rows[:7]], strict=True)
    ]
    score, found, head = learnt(tmp_path / "right", rows, threshold="per_label")
    assert found["subset accuracy"] > 0.9 and score == pytest.approx(found["micro f1"])
    assert len(head.thresholds) == 1 and head.thresholds != (0.5,)
    assert learnt(tmp_path / "wrong", others)[1]["subset accuracy"] < 0.8


def test_a_run_that_finds_no_label_yet_is_judged_by_its_loss(tmp_path):
    made = trainer(tmp_path, [Task("t", MultiLabel(), ROWS)], encoder=tiny_encoder())
    head = head_of(made)
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.fill_(-1.0)
    far = dev_scores(made, ROWS)["score"]
    with torch.no_grad():
        head.linear.bias.fill_(-0.5)
    near = dev_scores(made, ROWS)["score"]
    gold = 3 * F.softplus(torch.tensor(0.5)) + 3 * F.softplus(torch.tensor(-0.5))
    assert far < near < 0 and near == pytest.approx(-gold.item() / 6)
