"""ProKD's student: its losses by hand, a teacher without gradients, labels that are not read."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tiny_models import tiny_encoder
from tiny_training import digest, module_for, shaken, tagged, trainer

from xadapt.backbones.encoder.words import tokenize_word_windows
from xadapt.core.errors import UserError
from xadapt.functional.prototypes import prototype_weights
from xadapt.heads.head import Head
from xadapt.heads.prototype_head import PrototypeHead
from xadapt.objectives.contract import States
from xadapt.objectives.prokd_student import ProKDStudent
from xadapt.training.settings import Companion
from xadapt.training.tasks import Task

LABELS = ("O", "B-ANIMAL", "I-ANIMAL")
SOURCE, TARGET = tagged(3, seed=5), tagged(6)


@pytest.fixture(scope="module")
def windows():
    encoder = tiny_encoder()
    return lambda sentences: tokenize_word_windows(encoder, sentences)


def made(objective, windows, target=TARGET, rows=SOURCE):
    """The views with random states, the teacher's head and the student's."""
    found = objective.views(rows, random.Random(0), target, windows)
    generator = torch.Generator().manual_seed(0)
    shape = len(found["target"].rows), max(map(len, found["target"].rows)), 8
    states = {}
    for name in ("target", "taught"):
        hidden = torch.randn(shape, generator=generator).requires_grad_()
        states[name] = States(hidden, torch.ones(shape[:2]))
    torch.manual_seed(1)
    teacher = Head("tagging", LABELS, 8)
    head = objective.heads(8, {"teacher": teacher})
    with torch.no_grad():
        head.linear.weight.add_(torch.randn(head.linear.weight.shape, generator=generator))
    return found["words"], states, teacher, head


def run(objective, words, states, teacher, head, step=0):
    return objective.loss(
        **states, words=words, heads=head, companions={"teacher": teacher}, step=step
    )


def test_losses_by_hand(windows):
    objective = ProKDStudent(beta=0.25, temperature=0.4)
    words, states, teacher, head = made(objective, windows)
    loss = run(objective, words, states, teacher, head)
    own, taught = (words.states(states[name].hidden) for name in ("target", "taught"))
    p, q = head(own).softmax(-1), teacher(taught).softmax(-1)  # probabilities, not scores
    given = q.argmax(-1)
    prototypes, seen = torch.zeros(3, 8), torch.zeros(3)
    for label in set(given.tolist()):
        prototypes[label], seen[label] = own[given == label].mean(0), 1
    near = prototype_weights(own, prototypes, seen, 0.4)
    labels = (near * q).argmax(-1)
    each = ((p - q) ** 2).sum(-1) + 0.25 * F.cross_entropy(head(own), labels, reduction="none")
    owner = torch.tensor(words.owners)
    wanted = torch.stack([each[owner == i].mean() for i in range(3)])
    assert torch.allclose(loss.values, wanted, atol=1e-6)
    assert loss.weights.tolist() == [words.owners.count(i) for i in range(3)]
    kept = (labels == given).float().mean()
    assert 0 < float(kept) < 1 and float(loss.logged["teacher_label_kept"]) == pytest.approx(kept)
    assert torch.allclose(head.prototypes[0], prototypes, atol=1e-6)


def test_the_teacher_gets_no_gradient(windows):
    objective = ProKDStudent()
    words, states, teacher, head = made(objective, windows)
    run(objective, words, states, teacher, head).total().backward()
    assert all(p.grad is None for p in teacher.parameters())
    assert states["taught"].hidden.grad is None
    touched = states["target"].hidden.grad.abs().sum(-1) > 0
    assert {tuple(at) for at in touched.nonzero().tolist()} == set(words.places)


def test_no_label_is_read(windows):
    objective = ProKDStudent()
    wrong = [replace(row, spans=((0, 1, "NEVER SEEN"),)) for row in TARGET]
    assert objective.prepare(SOURCE, wrong) == wrong
    losses = [
        run(objective, *made(objective, windows, target)).total() for target in (TARGET, wrong)
    ]
    assert torch.equal(*losses)
    empty = [replace(row, spans=()) for row in SOURCE]  # nor one of the labelled data
    words = [made(objective, windows, rows=rows)[0] for rows in (SOURCE, empty)]
    assert len(words[0].rows) == len(words[1].rows) == 3


def test_only_distillation_before_the_wait_is_over_or_without_beta(windows):
    objective = ProKDStudent(wait=2)
    parts = made(objective, windows)
    early, late = (run(objective, *parts, step=step).total() for step in (1, 2))
    plain = run(ProKDStudent(beta=0), *parts, step=9).total()
    assert torch.equal(early, plain) and late > early


def test_words_of_which_the_teacher_is_not_sure_are_distilled_alone(windows):
    words, states, teacher, head = made(ProKDStudent(), windows)
    own, taught = (words.states(states[name].hidden) for name in ("target", "taught"))
    q = teacher(taught).softmax(-1)
    bound = float(q.amax(-1).median())
    objective = ProKDStudent(beta=0.25, temperature=0.4, confident=bound)
    loss = run(objective, words, states, teacher, head)
    sure, given = q.amax(-1) >= bound, q.argmax(-1)
    assert 0 < int(sure.sum()) < len(sure)
    for label in range(3):
        rows = own[sure & (given == label)]
        wanted = rows.mean(0) if len(rows) else torch.zeros(8)
        assert torch.allclose(head.prototypes[0, label], wanted, atol=1e-6)
    near = prototype_weights(own, head.prototypes[0], head.seen[0], 0.4)
    labels = (near * q).argmax(-1)
    each = ((head(own).softmax(-1) - q) ** 2).sum(-1)
    each[sure] += 0.25 * F.cross_entropy(head(own)[sure], labels[sure], reduction="none")
    owner = torch.tensor(words.owners)
    wanted = torch.stack([each[owner == i].mean() for i in range(3)])
    assert torch.allclose(loss.values, wanted, atol=1e-6)


def test_the_head_begins_as_the_teachers():
    torch.manual_seed(0)
    teacher = PrototypeHead(LABELS, 8)
    head = ProKDStudent().heads(8, {"teacher": teacher})
    assert head.labels == LABELS and head.sizes == {"prototypes": 1} and not head.seen.any()
    assert torch.equal(head.linear.weight, teacher.linear.weight)
    assert head.linear.weight.data_ptr() != teacher.linear.weight.data_ptr()


def test_a_teacher_of_another_kind_is_refused():
    fused = Head("tagging", LABELS, 8)
    fused.fused = (0, 1)
    for given in ({}, {"teacher": None}, {"teacher": Head("classification", ("a", "b"), 8)},
                  {"teacher": fused}):  # fmt: skip
        with pytest.raises(UserError, match="needs a head that labels words"):
            ProKDStudent().heads(8, given)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"teacher": ""}, "companion"), ({"keep": 1}, "keep"), ({"temperature": -1}, "temperature"),
     ({"beta": -1}, "beta"), ({"wait": -1}, "wait")],
)  # fmt: skip
def test_wrong_options_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        ProKDStudent(**options)


def test_a_step_of_training_changes_the_student_alone(tmp_path):
    encoder = tiny_encoder()
    teacher, tagger = shaken(module_for(encoder)), PrototypeHead(LABELS, encoder.width)
    known = digest(teacher), digest(tagger), digest(encoder.model)
    student = module_for(encoder, seed=5)
    before = digest(student)
    run = trainer(
        tmp_path,
        [Task("s", ProKDStudent(), tagged(8), further={"target": tagged(8, seed=2)})],
        encoder=encoder,
        module=student,
        companions={"teacher": Companion(teacher, tagger)},
        batch_size=4,
        evaluations=1,
        warmup=0.0,
    )
    drawn = run.tasks[0].views([0, 1], random.Random(0), run._services(0), run.processes)
    own, taught = run.forward(drawn.requests)
    assert own.hidden.requires_grad and not taught.hidden.requires_grad
    assert (own.hidden - taught.hidden).abs().max() > 1e-2  # the teacher's module acts
    run.train()
    assert (digest(teacher), digest(tagger), digest(encoder.model)) == known
    assert digest(student) != before and run.trained["heads"]["0"].seen.any()
    assert all(p.grad is None for p in (*teacher.parameters(), *tagger.parameters()))
