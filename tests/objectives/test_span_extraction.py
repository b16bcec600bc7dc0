from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import questions, trainer

from xadapt.backbones.encoder.pairs import tokenize_windows
from xadapt.data.records import Question
from xadapt.heads.head import Head
from xadapt.objectives.contract import States
from xadapt.objectives.span_extraction import SpanExtraction
from xadapt.tasks.development import evidence, head_of
from xadapt.training.tasks import Task

ENCODER = tiny_encoder()


def test_gold_stands_at_the_answers_tokens_and_at_the_first_where_there_is_none():
    passage = "die katze schaut auf die matte " * 30 + "ein hund läuft"
    rows = [
        Question("two", passage, ((passage.index("ein hund"), "ein hund"),), "de"),
        Question("two", "die katze", ((4, "katze"), (0, "die")), "sw"),
    ]
    made = SpanExtraction(overlap=4).views(rows, partial(tokenize_windows, ENCODER))
    assert made["owners"].count(0) > 3 and made["owners"][-1] == 1
    windows = tokenize_windows(ENCODER, ["two", "two"], [passage, "die katze"], 4)
    told = [
        rows[window.owner].passage[window.places[first][0] : window.places[last][1]]
        if first
        else None
        for window, (first, last) in zip(windows, made["places"], strict=True)
    ]
    count = made["owners"].count(0)
    assert told == [None] * (count - 1) + ["ein hund", "katze"]
    assert made["text"].langs == ["de"] * count + ["sw"]
    assert made["text"].second == [window.second for window in windows]


def test_loss_is_the_mean_over_a_questions_windows_by_hand():
    head = Head("span_extraction", ("start", "end"), 2)
    with torch.no_grad():
        head.linear.weight.copy_(torch.eye(2))
        head.linear.bias.zero_()
    hidden = torch.zeros(3, 3, 2)
    hidden[0, 1, 0], hidden[0, 2, 1] = 2.0, 1.0
    hidden[2, 2] = 50.0  # padding: it must not count
    mask = torch.tensor([[1, 1, 1], [1, 1, 1], [1, 1, 0]])
    loss = SpanExtraction().loss(States(hidden, mask), [0, 0, 1], [(1, 2), (0, 0), (0, 1)], head)
    first = -(math.log(math.exp(2) / (math.exp(2) + 2)) + math.log(math.e / (math.e + 2))) / 2
    assert torch.allclose(loss.values, torch.tensor([(first + math.log(3)) / 2, math.log(2)]))
    assert loss.weights.tolist() == [2, 1]


def test_a_question_without_an_answer_points_to_the_first_token_in_each_window():
    rows = [Question("two", "die katze schaut " * 40, (), "de"), Question("a", "b", (), "de")]
    made = SpanExtraction(overlap=4).views(rows, partial(tokenize_windows, ENCODER))
    assert made["owners"].count(0) > 1 and set(made["places"]) == {(0, 0)}
    with pytest.raises(ValueError, match="overlap"):
        SpanExtraction(overlap=-1)


def learnt(folder, rows):
    """Exact answers to questions never seen after a short training."""
    made = trainer(folder, [Task("t", SpanExtraction(), rows)], encoder=tiny_encoder(), epochs=4,
                   batch_size=8, learning_rate=1e-2)  # fmt: skip
    made.train()
    found = evidence(made.encoder, made.module, questions(40, seed=5), head_of(made))
    return {row.metric: row.value for row in found}["exact match"]


def test_it_learns_where_answers_stand(tmp_path):
    """And nothing where the answer is the last word, the control."""
    rows = questions(100)
    others = []
    for row in rows:
        last = row.passage.split()[-1]
        answer = (len(row.passage) - len(last), last)
        others.append(Question(row.question, row.passage, (answer,), "de"))
    assert learnt(tmp_path / "right", rows) > 0.9
    assert learnt(tmp_path / "wrong", others) < 0.5
