"""FILTER for classes: which token is read, the loss by hand, soft labels and refusals."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from tiny_training import translated

from xadapt.core.errors import UserError
from xadapt.data.records import TranslatedText
from xadapt.heads.head import Head
from xadapt.objectives.contract import FusedView, States
from xadapt.objectives.filter_classification import FilterClassification

LABELS = ("no", "yes")
ROWS = [
    TranslatedText("the cat", "yes", "en", "die katze"),
    TranslatedText("a dog runs", "no", "en", "hund"),
    TranslatedText("mat", "no", "en", ""),
]


def views(objective=None, rows=ROWS, seed=0):
    objective = objective or FilterClassification(itself=0)
    return objective.views(rows, random.Random(seed), LABELS)


def made(seed=0):
    """States of three pairs of different lengths, and a head."""
    torch.manual_seed(seed)
    left = States(
        torch.randn(3, 4, 8), torch.ones(3, 4), States(torch.randn(3, 6, 8), torch.ones(3, 6))
    )
    head = Head("classification", LABELS, 8)
    head.fused = (1, 2)
    return left, head


def test_rows_are_translations_and_a_text_without_one_is_its_own():
    view = views()["both"]
    assert isinstance(view, FusedView) and view.fused == (1, 2)
    assert list(view.rows) == ["die katze", "hund", "mat"]
    assert list(view.paired_rows) == ["the cat", "a dog runs", "mat"]
    assert views()["labels"] == [1, 0, 0]


def test_texts_are_paired_with_themselves_by_their_share():
    rows = translated(400)
    for share in (0.0, 0.25, 1.0):
        objective = FilterClassification(itself=share)
        view = objective.views(rows, random.Random(1), ("none", "some"))["both"]
        own = sum(a == b for a, b in zip(view.rows, view.paired_rows, strict=True)) / len(rows)
        assert own == pytest.approx(share, abs=0.08)


def test_each_class_is_read_at_the_first_token_of_its_own_text():
    """Never at position 1 of the joined sequence, which is the second token of the first text."""
    both, head = made()
    labels = torch.tensor([1, 0, 0])
    loss = FilterClassification().loss(both, labels.tolist(), head, {})
    by_hand = sum(
        F.cross_entropy(head(side.hidden[:, 0]), labels, reduction="none")
        for side in (both, both.paired)
    )
    assert torch.allclose(loss.values, by_hand) and loss.weights is None
    both.hidden[:, 1:] += 5
    both.paired.hidden[:, 1:] -= 5
    same = FilterClassification().loss(both, labels.tolist(), head, {})
    assert torch.equal(loss.values, same.values)


def test_soft_labels_by_hand():
    both, head = made()
    taught, teacher = made(1)
    labels, a, t = torch.tensor([1, 0, 0]), 0.3, 2.0
    objective = FilterClassification(teacher="first", distillation=a, temperature=t)
    loss = objective.loss(both, labels.tolist(), head, {"first": teacher}, taught)
    scores, wanted = head(both.hidden[:, 0]), teacher(taught.hidden[:, 0])
    text = F.cross_entropy(head(both.paired.hidden[:, 0]), labels)
    hard = F.cross_entropy(scores, labels)
    soft = F.kl_div((scores / t).log_softmax(-1), (wanted / t).softmax(-1), reduction="batchmean")
    total = text + (1 - a) * hard + a * t * t * soft
    assert float(loss.total()) == pytest.approx(float(total), abs=1e-6)
    loss.total().backward()
    assert teacher.linear.weight.grad is None and head.linear.weight.grad is not None


def test_the_teacher_reads_the_pairs_of_the_step():
    """The soft labels are of the same pairs, also where a text is paired with itself."""
    objective = FilterClassification(teacher="first", itself=0.5)
    for seed in range(3):
        found = views(objective, seed=seed)
        both, taught = found["both"], found["taught"]
        assert (both.rows, both.paired_rows) == (taught.rows, taught.paired_rows)
        assert taught.module == "first" and taught.fused == both.fused and both.module is True


def test_the_head_keeps_its_layers():
    head = FilterClassification(local=2, fusion=3).heads(8, LABELS)
    assert head.fused == (2, 5) and head.task == "classification"


@pytest.mark.parametrize(
    ("teacher", "fused", "said"),
    [(("a", "b"), (1, 2), "gives the labels a, b"), (LABELS, (0, 2), r"fused layers \(0, 2\)")],
)
def test_another_teacher_is_refused(teacher, fused, said):
    both, head = made()
    other = Head("classification", teacher, 8)
    other.fused = fused
    objective = FilterClassification(teacher="first")
    with pytest.raises(UserError, match=said):
        objective.loss(both, [1, 0, 0], head, {"first": other}, both)


def test_data_without_translations_or_with_one_class_are_refused():
    bare = [TranslatedText("the cat", label, "en") for label in LABELS]
    with pytest.raises(UserError, match="none of the 2 texts has a translation"):
        FilterClassification().prepare(bare)
    with pytest.raises(UserError, match="same label"):
        FilterClassification().prepare(ROWS[:1])
    assert FilterClassification().prepare(ROWS) == LABELS


@pytest.mark.parametrize(
    "wrong",
    [{"local": -1}, {"fusion": -1}, {"itself": 2}, {"temperature": 0}, {"distillation": -1}],
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FilterClassification(**wrong)
