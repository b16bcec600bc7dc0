"""ProKD's teacher: its losses by hand, labels that must not be read, and classes in any order."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tiny_models import tiny_encoder
from tiny_training import tagged

from xadapt.backbones.encoder.words import tokenize_word_windows
from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.functional.prototypes import prototype_alignment
from xadapt.heads.prototype_head import PrototypeHead
from xadapt.objectives.contract import States
from xadapt.objectives.prokd_teacher import Memory, ProKDTeacher

LABELS = ("O", "B-ANIMAL", "I-ANIMAL")
SOURCE = [
    TaggedSentence(("the", "cat", "sat"), ((1, 2, "ANIMAL"),), "en"),
    TaggedSentence(("a", "dog"), ((1, 2, "ANIMAL"),), "en"),
]
TARGET = tagged(6)


@pytest.fixture(scope="module")
def windows():
    encoder = tiny_encoder()
    return lambda sentences: tokenize_word_windows(encoder, sentences)


def views(objective, windows, memory=None, rows=SOURCE):
    return objective.views(rows, random.Random(0), memory or Memory(LABELS, TARGET), windows)


def made(found, seed=0):
    """Random states for the views, and a random head."""
    generator = torch.Generator().manual_seed(seed)
    states = {}
    for name in ("text", "target"):
        if name in found:
            rows = found[name].rows
            shape = len(rows), max(map(len, rows)), 8
            hidden = torch.randn(shape, generator=generator).requires_grad_()
            states[name] = States(hidden, torch.ones(shape[:2]))
    torch.manual_seed(seed)
    return states, PrototypeHead(LABELS, 8)


def run(objective, found, states, head, step=0):
    context = {name: found[name] for name in ("words", "labels", "other_words")}
    return objective.loss(**states, **context, heads=head, step=step)


def test_losses_by_hand(windows):
    objective = ProKDTeacher(alpha=0.5, temperature=0.2)
    found = views(objective, windows)
    states, head = made(found)
    loss = run(objective, found, states, head)
    words = found["words"]
    own = words.states(states["text"].hidden)
    right = torch.tensor([0, 1, 0, 0, 1])
    each = F.cross_entropy(head(own), right, reduction="none")
    assert torch.allclose(loss.values, torch.stack([each[:3].mean(), each[3:].mean()]))
    assert loss.weights.tolist() == [3, 2]
    others = found["other_words"].states(states["target"].hidden)
    given = head(others).argmax(-1)
    sides = torch.zeros(2, 3, 8)
    seen = torch.zeros(2, 3)
    for side, (features, labels) in enumerate(((own, right), (others, given))):
        for label in set(labels.tolist()):
            sides[side, label] = features[labels == label].mean(0)
            seen[side, label] = 1
    wanted = prototype_alignment(sides[0], sides[1], (seen[0], seen[1]), 0.2)
    assert wanted > 0
    assert float(loss.scalars["weighted_alignment"]) == pytest.approx(0.5 * float(wanted), rel=1e-5)
    assert float(loss.logged["alignment"]) == pytest.approx(float(wanted), rel=1e-5)
    assert torch.allclose(head.prototypes, sides, atol=1e-6) and torch.equal(head.seen, seen)


def test_only_confident_words_move_the_prototypes_of_the_target(windows):
    found = views(ProKDTeacher(), windows)
    states, head = made(found)
    others = found["other_words"].states(states["target"].hidden)
    probability, given = head(others).softmax(-1).max(-1)
    bound = float(probability.median())
    run(ProKDTeacher(confident=bound), found, states, head)
    sure = probability >= bound
    assert 0 < int(sure.sum()) < len(sure)
    for label in range(3):
        rows = others[sure & (given == label)]
        wanted = rows.mean(0) if len(rows) else torch.zeros(8)
        assert torch.allclose(head.prototypes[1, label], wanted, atol=1e-6)
    with pytest.raises(ValueError, match="confident must be at least 0 and below 1"):
        ProKDTeacher(confident=1)


def test_labels_of_the_target_language_are_never_read(windows):
    objective = ProKDTeacher()
    wrong = [replace(row, spans=((0, 1, "NEVER SEEN"),)) for row in TARGET]
    assert objective.prepare(SOURCE, wrong).labels == LABELS
    found = [views(objective, windows, Memory(LABELS, rows)) for rows in (TARGET, wrong)]
    losses = [run(objective, one, *made(one)) for one in found]
    assert found[0]["target"].rows == found[1]["target"].rows
    assert torch.equal(losses[0].total(), losses[1].total())


def test_a_renaming_of_labels_changes_no_loss(windows):
    objective = ProKDTeacher(temperature=0.5)
    found = views(objective, windows)
    states, head = made(found)
    plain = run(objective, found, states, head)
    order = [2, 0, 1]  # the new number of each label
    renamed = dict(found, labels=[order[label] for label in found["labels"]])
    states, other = made(found)
    with torch.no_grad():
        for part, own in zip(other.linear.parameters(), head.linear.parameters(), strict=True):
            part[torch.tensor(order)] = own
    mixed = run(objective, renamed, states, other)
    assert torch.allclose(mixed.values, plain.values, atol=1e-6)
    name = "weighted_alignment"
    assert torch.allclose(mixed.scalars[name], plain.scalars[name], atol=1e-5)


def test_the_alignment_waits_while_prototypes_move(windows):
    objective = ProKDTeacher(wait=3)
    found = views(objective, windows)
    states, head = made(found)
    early = run(objective, found, states, head, step=2)
    assert not early.scalars and early.logged["alignment"] > 0 and head.seen.sum() > 2
    early.total().backward()
    assert states["target"].hidden.grad is None
    assert run(objective, found, states, head, step=3).scalars


def test_gradients_reach_the_words_of_both_languages_alone(windows):
    objective = ProKDTeacher()
    found = views(objective, windows)
    states, head = made(found)
    run(objective, found, states, head).total().backward()
    for name, words in (("text", "words"), ("target", "other_words")):
        touched = states[name].hidden.grad.abs().sum(-1) > 0
        places = set(found[words].places)
        assert {tuple(at) for at in touched.nonzero().tolist()} <= places
        assert touched.any()


def test_without_alignment_no_target_sentence_is_read(windows):
    objective = ProKDTeacher(alpha=0)
    found = views(objective, windows)
    assert "target" not in found
    states, head = made(found)
    loss = run(objective, found, states, head)
    assert not loss.scalars and not head.seen[1].any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keep": 1.0}, "keep"),
        ({"keep": -0.1}, "keep"),
        ({"temperature": 0}, "temperature"),
        ({"alpha": -1}, "alpha"),
        ({"wait": -1}, "wait"),
    ],
)
def test_wrong_options_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        ProKDTeacher(**options)


def test_data_that_teach_nothing_are_refused():
    with pytest.raises(UserError, match="no sentence of the target language"):
        ProKDTeacher().prepare(SOURCE, [])
    with pytest.raises(UserError, match="same label"):
        ProKDTeacher().prepare([TaggedSentence(("a",), (), "en")], TARGET)
