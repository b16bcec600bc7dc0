from __future__ import annotations

import math

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import stated, trainer

from xadapt.backbones.encoder.words import tokenize_words
from xadapt.core.errors import UserError
from xadapt.data.records import OpenTriples
from xadapt.heads.argument_head import ArgumentHead, asked
from xadapt.objectives.arguments import Arguments
from xadapt.objectives.contract import States
from xadapt.tasks.development import evidence, head_of
from xadapt.training.tasks import Task

ENCODER = tiny_encoder()
LABELS = ("O", "B-A0", "I-A0", "B-A1", "I-A1", "B-A2", "I-A2", "B-A3", "I-A3")


def views(rows):
    return Arguments().views(rows, lambda words: tokenize_words(ENCODER, words))


def test_each_predicate_asks_every_word():
    row = OpenTriples(
        ("katze", "xyzzyx", "hund", "läuft"),
        (((1, 2, "P"), (0, 1, "A0"), (2, 4, "A1")), ((3, 4, "P"), (2, 3, "A0"))),
        "de",
    )
    made = views([row])
    (first,) = tokenize_words(ENCODER, [row.words])
    assert [tuple(ids) for ids in made["text"].rows] == [first.ids]  # once for both predicates
    one, two = made["queries"]
    assert one.at == two.at == list(first.first) and one.distances == [-1, 0, 1, 2]
    assert one.predicate == [first.first[1]] and two.distances == [-3, -2, -1, 0]
    assert [LABELS[i] for i in made["labels"]] == [
        "B-A0", "O", "B-A1", "I-A1", "O", "O", "B-A0", "O",
    ]  # fmt: skip


def test_loss_is_the_mean_over_predicates_and_words():
    head = ArgumentHead(LABELS, 2, hidden=3, distance=2, clip=2)
    with torch.no_grad():
        for value in head.parameters():
            value.zero_()
        head.linear.bias[0] = 1.0
    states = States(torch.randn(2, 4, 2), torch.ones(2, 4))
    queries = [asked(0, [1, 2], 0, 1), asked(0, [1, 2], 1, 2), asked(1, [1], 0, 1)]
    loss = Arguments().loss(states, queries, [0, 0, 0, 3, 3], head)
    outside, other = math.log(math.e + 8) - 1, math.log(math.e + 8)
    wanted = torch.tensor([(3 * outside + other) / 4, other])
    assert torch.allclose(loss.values, wanted, atol=1e-6) and loss.weights.tolist() == [4, 1]


def test_sentences_where_all_is_cut_off_count_nothing():
    states = States(torch.randn(1, 4, 2, requires_grad=True), torch.ones(1, 4))
    head = ArgumentHead(LABELS, 2, hidden=3)
    loss = Arguments().loss(states, [], [], head)
    assert loss.values.tolist() == [0] and loss.weights.tolist() == [0]
    loss.total().backward()


@pytest.mark.parametrize(
    ("spans", "said"),
    [(((0, 2, "A0"), (1, 3, "A1")), "overlaps"), (((0, 1, "A7"),), "no role 'A7'")],
)
def test_spans_that_are_none_of_the_task_are_refused(spans, said):
    row = OpenTriples(("a", "b", "c"), (((2, 3, "P"), *spans),), "de", origin="f:3")
    with pytest.raises(UserError, match=said) as caught:
        views([row])
    assert caught.value.where == "f:3"


def learnt(folder, rows):
    """F1 of arguments of given predicates on sentences never seen, after a short training."""
    encoder = tiny_encoder()
    made = trainer(folder, [Task("t", Arguments(hidden=32, distance=16), rows)], encoder=encoder,
                   epochs=8, batch_size=12, learning_rate=8e-3)  # fmt: skip
    made.train()
    (told,) = evidence(encoder, made.module, stated(30, seed=5), head_of(made))
    return told


def test_it_learns_what_stands_beside_a_predicate(tmp_path):
    """And the roles turned round where they were, the control."""
    rows = stated(60)
    turned = [
        OpenTriples(
            row.words,
            tuple((p, (*b[:2], "A0"), (*a[:2], "A1")) for p, a, b in row.extractions),
            "de",
        )
        for row in rows
    ]
    right = learnt(tmp_path / "right", rows)
    assert right.value > 0.9 > right.controls["left and right"]
    assert learnt(tmp_path / "wrong", turned).value < 0.1
