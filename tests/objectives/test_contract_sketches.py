"""Hard systems fit the contract, each in one file of ``sketches``, and train."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import torch
from tiny_models import tiny_encoder
from tiny_training import WORDS, WORTE, digest, module_for, shaken, trainer

from xadapt.data.records import TaggedSentence
from xadapt.training.metrics_log import read_metrics
from xadapt.training.settings import Companion
from xadapt.training.tasks import Task

STEPS = {"batch_size": 4, "evaluations": 1, "learning_rate": 1e-2, "warmup": 0.0}


def sketch(name):
    spec = importlib.util.spec_from_file_location(
        f"sketches_{name}", Path(__file__).parent / "sketches" / f"{name}.py"
    )
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def two_steps(folder, objective, records, module=None, encoder=None, companions=None):
    """Train two steps; give the trainer, and whether base, module and heads changed."""
    encoder = encoder or tiny_encoder()
    run = trainer(
        folder,
        [Task("sketch", objective, records)],
        encoder=encoder,
        module=module,
        companions=companions,
        **STEPS,
    )
    before = [digest(part) for part in (encoder.model, run.module, run.trained["heads"])]
    assert run.train().step == 2
    after = [digest(part) for part in (encoder.model, run.module, run.trained["heads"])]
    assert all(row["loss"] > 0 for row in read_metrics(folder / "metrics.jsonl"))
    return run, [a != b for a, b in zip(before, after, strict=True)]


def test_sketches_are_small():
    for file in (Path(__file__).parent / "sketches").glob("*.py"):
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        assert len(lines) <= 100, file.name


def tagged(n):
    rows = []
    for i in range(n):
        words, lang = (WORDS, "en") if i % 2 else (WORTE, "de")
        spans = ((1, 2, "PER"), (3, 4, "LOC")) if lang == "en" else ()
        rows.append(TaggedSentence(words[i % 8 : i % 8 + 5], spans, lang))
    return rows


def test_prokd(tmp_path):
    part = sketch("prokd")
    encoder = tiny_encoder()
    rows = tagged(8)
    teacher, changed = two_steps(tmp_path / "tea", part.ProKD(), rows, encoder=encoder)
    assert changed == [False, True, True]
    tagger = teacher.trained["heads"]["0"]
    assert tagger.seen[0].all() and tagger.prototypes.abs().max() > 0
    assert "sketch/align" in read_metrics(tmp_path / "tea" / "metrics.jsonl")[1]
    known = digest(teacher.module), digest(tagger)
    companion = {"teacher": Companion(teacher.module, tagger)}
    student = module_for(encoder, seed=5)
    _, changed = two_steps(
        tmp_path / "stu", part.ProKD("student"), rows, student, encoder, companion
    )
    assert changed == [False, True, True]
    assert (digest(teacher.module), digest(tagger)) == known
    assert all(p.grad is None for p in encoder.model.parameters())


def test_prokd_alignment_does_not_know_the_order_of_classes():
    part = sketch("prokd")
    torch.manual_seed(0)
    ours, theirs = torch.randn(2, 5, 8)
    order = torch.randperm(5)
    both = torch.ones(5).bool()
    objective = part.ProKD()
    assert torch.allclose(
        objective.apart(ours, theirs, both), objective.apart(ours[order], theirs[order], both)
    )


def test_a_prototype_of_an_absent_class_stays():
    part = sketch("prokd")
    tagger = part.Tagger(4, 3)
    tagger.move(0, torch.ones(2, 4), torch.tensor([1, 1]), 0.5)
    assert tagger.seen[0].tolist() == [False, True, False]
    tagger.move(0, torch.zeros(1, 4), torch.tensor([1]), 0.5)
    tagger.move(0, torch.ones(1, 4), torch.tensor([2]), 0.5)
    assert tagger.prototypes[0].tolist() == [[0] * 4, [0.5] * 4, [1] * 4]


def test_a_teacher_acts_and_gets_no_gradient(tmp_path):
    encoder = tiny_encoder()
    part = sketch("prokd")
    teacher = shaken(module_for(encoder))
    run = trainer(
        tmp_path,
        [Task("s", part.ProKD("student"), tagged(4))],
        encoder=encoder,
        companions={"teacher": Companion(teacher, part.Tagger(32, 3))},
    )
    views = run.tasks[0].views(
        [0, 1, 2, 3], random.Random(0), {"tokenizer": encoder.tokenizer}, run.processes
    )
    tokens, taught = run.forward(views.requests)
    assert tokens.hidden.requires_grad and not taught.hidden.requires_grad
    assert (tokens.hidden - taught.hidden).abs().max() > 1e-2
