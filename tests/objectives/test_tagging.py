from __future__ import annotations

import math

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import tagged, trainer

from xadapt.backbones.encoder.words import tokenize_word_windows, tokenize_words
from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.heads.head import Head
from xadapt.objectives.contract import States
from xadapt.objectives.tagging import Tagging
from xadapt.tasks.development import evidence, head_of
from xadapt.training.tasks import Task

ENCODER = tiny_encoder()


def views(records, objective, memory):
    return objective.views(records, memory, lambda rows: tokenize_word_windows(ENCODER, rows))


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
    loss = Tagging().loss(states, [0, 1], [(0, 1), (0, 2), (1, 1)], [0, 1, 2], head)
    first = -math.log(math.exp(2) / (math.exp(2) + 2))
    second = -math.log(math.e / (math.e + 2))
    assert torch.allclose(loss.values, torch.tensor([(first + second) / 2, math.log(3)]))
    assert loss.weights.tolist() == [2, 1]


def test_each_word_of_a_long_sentence_is_learnt_once_in_its_window():
    """Three windows of one sentence and the row of another; the loss is one for each sentence."""
    words = ("katze", "hund") * 50
    rows = [
        TaggedSentence(words, tuple((i, i + 1, "A") for i in range(0, 100, 2)), "de"),
        TaggedSentence(("die", "katze"), ((1, 2, "A"),), "sw"),
    ]
    memory = Tagging().prepare(rows)
    made = views(rows, Tagging(), memory)
    assert made["owners"] == [0, 0, 0, 1] and made["text"].langs == ["de", "de", "de", "sw"]
    assert len(made["places"]) == len(set(made["places"])) == 102
    assert sum(label == memory.index("B-A") for label in made["labels"]) == 51
    start = ENCODER.tokenizer.tokenize("katze")[0]
    for (row, at), label in zip(made["places"], made["labels"], strict=True):
        piece = ENCODER.tokenizer.convert_ids_to_tokens(made["text"].rows[row][at])
        assert (piece == start) == (label == memory.index("B-A"))
    head = Head("tagging", memory, ENCODER.width)
    torch.manual_seed(0)
    hidden = torch.randn(4, ENCODER.max_length, ENCODER.width)
    loss = Tagging().loss(States(hidden, torch.ones(hidden.shape[:2])), made["owners"],
                          made["places"], made["labels"], head)  # fmt: skip
    assert loss.values.shape == (2,) and loss.weights.tolist() == [100, 2]
    scores = torch.stack([head(hidden[row, at]) for row, at in made["places"][:100]])
    each = torch.nn.functional.cross_entropy(scores, torch.tensor(made["labels"][:100]))
    assert torch.allclose(loss.values[0], each)


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
    made = trainer(folder, [Task("t", Tagging(), rows)], encoder=encoder, epochs=12, batch_size=16,
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
