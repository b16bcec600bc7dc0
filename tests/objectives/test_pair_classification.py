from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from tiny_models import tiny_encoder
from tiny_training import labelled_pairs, trainer

from xadapt.backbones.encoder.pairs import tokenize_pairs
from xadapt.core.errors import UserError
from xadapt.data.records import LabelledPair
from xadapt.heads.head import Head
from xadapt.objectives.contract import States
from xadapt.objectives.pair_classification import PairClassification
from xadapt.tasks.development import evidence, head_of
from xadapt.training.tasks import Task

ENCODER = tiny_encoder()
ROWS = [
    LabelledPair("die katze", "ein hund", "no", "de", origin="f:1"),
    LabelledPair("park", "im park", "yes", "de"),
    LabelledPair("matte", "zwei", "no", "de"),
]


def test_loss_is_the_cross_entropy_of_rows_that_the_tokenizer_joins():
    objective = PairClassification()
    memory = objective.prepare(ROWS)
    made = objective.views(ROWS, memory, partial(tokenize_pairs, ENCODER))
    rows = ENCODER.tokenizer([r.text for r in ROWS], [r.text_pair for r in ROWS])["input_ids"]
    assert [list(ids) for ids in made["pair"].rows] == rows and memory == ("no", "yes")
    assert made["labels"] == [0, 1, 0] and made["pair"].langs == ["de"] * 3
    assert made["pair"].second == [row.second for row in tokenize_pairs(
        ENCODER, [r.text for r in ROWS], [r.text_pair for r in ROWS])]  # fmt: skip
    head = Head("pair_classification", memory, 4)
    hidden = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1))
    loss = objective.loss(States(hidden, torch.ones(3, 5)), made["labels"], head, memory)
    wanted = F.cross_entropy(head(hidden[:, 0]), torch.tensor([0, 1, 0]), reduction="none")
    torch.testing.assert_close(loss.values, wanted)
    assert loss.weights is None
    memory = PairClassification(class_weights="balanced").prepare(ROWS)
    loss = objective.loss(States(hidden, torch.ones(3, 5)), made["labels"], head, memory)
    assert loss.weights.tolist() == pytest.approx([0.75, 1.5, 0.75])


def test_one_class_and_smoothing_beyond_bounds_are_refused():
    with pytest.raises(UserError, match="same label") as caught:
        PairClassification().prepare([ROWS[0]] * 2)
    assert caught.value.where == "f:1"
    with pytest.raises(ValueError, match="smoothing"):
        PairClassification(smoothing=1.0)


def learnt(folder, rows):
    """Accuracy on pairs never seen after a short training."""
    made = trainer(folder, [Task("t", PairClassification(), rows)], encoder=tiny_encoder(),
                   epochs=6, batch_size=8, learning_rate=1e-2)  # fmt: skip
    made.train()
    found = evidence(made.encoder, made.module, labelled_pairs(80, seed=5), head_of(made))
    return {row.metric: row.value for row in found}["accuracy"]


def test_it_learns_the_classes_of_pairs(tmp_path):
    """And nothing where the classes are those of other pairs, the control."""
    rows = labelled_pairs(100)
    others = [
        LabelledPair(row.text, row.text_pair, other.label, "de")
        for row, other in zip(rows, [*rows[7:], *rows[:7]], strict=True)
    ]
    assert learnt(tmp_path / "right", rows) > 0.75
    assert learnt(tmp_path / "wrong", others) < 0.7
