from __future__ import annotations

from functools import partial

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import scored, trainer

from xadapt.backbones.encoder.pairs import tokenize_pairs
from xadapt.core.errors import UserError
from xadapt.data.records import ScoredPair
from xadapt.heads.head import Head
from xadapt.objectives.contract import States
from xadapt.objectives.pair_scoring import PairScoring
from xadapt.tasks.development import evidence, head_of
from xadapt.training.tasks import Task

ENCODER = tiny_encoder()
ROWS = [
    ScoredPair("die katze", "ein hund", 1.0, "de", "de", origin="f:1"),
    ScoredPair("park", "im park", 4.0, "de", "de", origin="f:2"),
    ScoredPair("matte", "zwei", 2.5, "de", "de", origin="f:3"),
]


def test_loss_is_the_squared_error_on_the_scale_by_hand():
    objective = PairScoring()
    memory = objective.prepare(ROWS)
    assert memory == (1.0, 4.0) and objective.heads(3, memory).scale == memory
    made = objective.views(ROWS, memory, partial(tokenize_pairs, ENCODER))
    assert made["scores"] == [0, 1, 0.5]
    rows = tokenize_pairs(ENCODER, [r.left for r in ROWS], [r.right for r in ROWS])
    assert list(made["pair"].rows) == [row.ids for row in rows]
    assert made["pair"].second == [row.second for row in rows]
    assert made["pair"].langs == ["de"] * 3
    head = Head("pair_scoring", ("score",), 1, scale=memory)
    with torch.no_grad():
        head.linear.weight.fill_(1)
        head.linear.bias.zero_()
    hidden = torch.full((3, 4, 1), 9.0)
    hidden[:, 0, 0] = torch.tensor([0.5, 1.0, 0.1])
    loss = objective.loss(States(hidden, torch.ones(3, 4)), made["scores"], head)
    assert torch.allclose(loss.values, torch.tensor([0.25, 0.0, 0.16]))


def test_the_scale_is_checked():
    assert PairScoring(lowest=0.0, highest=5.0).prepare(ROWS) == (0.0, 5.0)
    with pytest.raises(UserError, match="not between 0 and 3") as caught:
        PairScoring(lowest=0.0, highest=3.0).prepare(ROWS)
    assert caught.value.where == "f:2"
    with pytest.raises(UserError, match="nothing to learn"):
        PairScoring().prepare(ROWS[:1] * 3)


def learnt(folder, rows):
    """Spearman on pairs never seen after a short training."""
    made = trainer(folder, [Task("t", PairScoring(), rows)], encoder=tiny_encoder(), epochs=6,
                   batch_size=8, learning_rate=1e-2)  # fmt: skip
    made.train()
    found = evidence(made.encoder, made.module, scored(60, seed=5), head_of(made))
    return {row.metric: row.value for row in found}["spearman"]


def test_it_learns_which_pairs_are_alike(tmp_path):
    """And nothing where the scores are those of other pairs, the control."""
    rows = scored(100)
    others = [
        ScoredPair(row.left, row.right, other.score, "de", "de")
        for row, other in zip(rows, [*rows[7:], *rows[:7]], strict=True)
    ]
    assert learnt(tmp_path / "right", rows) > 0.8
    assert learnt(tmp_path / "wrong", others) < 0.4
