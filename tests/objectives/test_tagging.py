from __future__ import annotations

import math

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import tagged, trainer

from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.heads.head import Head
from xadapt.objectives.contract import States
from xadapt.objectives.tagging import Tagging
from xadapt.tasks.development import evidence, head_of
from xadapt.training.tasks import Task

ENCODER = tiny_encoder()


def views(records, objective, memory):
    return objective.views(records, memory, lambda rows: tokenize_words(ENCODER, rows))


def test_labels_stand_at_first_tokens():
    rows = [
        TaggedSentence(("katze", "xyzzyx", "hund"), ((1, 3, "A"),), "de"),
        TaggedSentence(("die",), (), "de"),
    ]
    objective = Tagging()
    memory = objective.prepare(rows)
    assert memory == ("O", "B-A", "I-A")
    made = views(rows, objective, memory)
    first = [row.first for row in tokenize_words(ENCODER, [r.words for r in rows])]
    assert made["places"] == [(0, at) for at in first[0]] + [(1, first[1][0])]
    assert made["labels"] == [0, 1, 2, 0]
    assert [tuple(row) for row in made["text"].rows] == [
        row.ids for row in tokenize_words(ENCODER, [r.words for r in rows])
    ]


def test_loss_is_the_mean_over_words_by_hand():
    head = Head("tagging", ("O", "B-A", "I-A"), 2)
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[1.0, 0], [0, 1.0], [0, 0]]))
        head.linear.bias.zero_()
    hidden = torch.zeros(2, 3, 2)
    hidden[0, 1] = torch.tensor([2.0, 0.0])
    hidden[0, 2] = torch.tensor([0.0, 1.0])
    states = States(hidden, torch.ones(2, 3))
    loss = Tagging().loss(states, [(0, 1), (0, 2), (1, 1)], [0, 1, 2], head)
    first = -math.log(math.exp(2) / (math.exp(2) + 2))
    second = -math.log(math.e / (math.e + 2))
    assert torch.allclose(loss.values, torch.tensor([(first + second) / 2, math.log(3)]))
    assert loss.weights.tolist() == [2, 1]


def test_every_word_needs_a_label_of_its_own_where_the_scheme_says_so():
    row = TaggedSentence(("a", "b"), ((0, 1, "X"),), "de", origin="f:3")
    with pytest.raises(UserError, match="word 2 has no label") as caught:
        views([row], Tagging(scheme="word"), ("X",))
    assert caught.value.where == "f:3"


def test_sentences_without_any_span_are_refused():
    rows = [TaggedSentence(("a", "b"), (), "de", origin="f:1")]
    with pytest.raises(UserError, match="same label") as caught:
        Tagging().prepare(rows)
    assert caught.value.where == "f:1"


def learnt(folder, rows):
    """F1 on sentences never seen after a short training."""
    encoder = tiny_encoder()
    made = trainer(folder, [Task("t", Tagging(), rows)], encoder=encoder, epochs=12,
                   learning_rate=3e-3)  # fmt: skip
    made.train()
    (told,) = evidence(encoder, made.module, tagged(40, seed=5), head_of(made))
    return told.value


def test_it_learns_what_words_are(tmp_path):
    """And nothing where the spans are those of another sentence, the control."""
    rows = tagged(160)
    others = [
        TaggedSentence(row.words, other.spans, "de")
        for row, other in zip(rows, [*rows[7:], *rows[:7]], strict=True)
        if len(row.words) >= len(other.words)
    ]
    assert learnt(tmp_path / "right", rows) > 0.95
    assert learnt(tmp_path / "wrong", others) < 0.5
