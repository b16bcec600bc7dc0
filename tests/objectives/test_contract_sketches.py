"""Hard systems fit the contract, each in one file of ``sketches``, and train."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest
import torch
from tiny_models import VOCAB, tiny_encoder
from tiny_training import WORDS, WORTE, digest, module_for, shaken, trainer

from xadapt.data.records import TaggedSentence, WordPair
from xadapt.injection.attachment import model_shape
from xadapt.modules.storage import load_module, save_module
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


def test_align_mlm(tmp_path):
    part = sketch("align_mlm")
    encoder = tiny_encoder()
    rows = [WordPair(w, e, "de") for w, e in zip(WORTE, WORDS, strict=True)][:8]
    module = part.EmbeddingMap(part.Options(), model_shape(encoder))
    run, changed = two_steps(tmp_path, part.AlignMLM(), rows, module, encoder)
    assert changed == [False, True, False]  # no heads
    assert run.active_module.first_layer == -1
    losses = [row["loss"] for row in read_metrics(tmp_path / "metrics.jsonl")]
    assert all(0 < loss < 2 for loss in losses)


def test_clism(tmp_path):
    part = sketch("clism")
    encoder = tiny_encoder()
    rows = [part.AlignedSpans(WORDS[i : i + 5], WORTE[i : i + 5], (1, 3), (1, 3)) for i in range(8)]
    module = part.Question(part.ModuleOptions(), model_shape(encoder))
    objective = part.Clism()
    made = objective.views(rows[:1], None, encoder.tokenizer, VOCAB)
    row, (first, last) = made["joint"].rows[0], made["gold"][0]
    assert row[made["que"][0]] == VOCAB and row.count(VOCAB) == 1
    answer = encoder.tokenizer.decode(row[first : last + 1]).replace(" ", "").replace("▁", "")
    assert answer == "".join(rows[0].text[1:3])
    _, changed = two_steps(tmp_path, objective, rows, module, encoder)
    assert changed == [False, True, True]
    assert module.que.row.abs().max() > 0


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


@pytest.mark.parametrize("kind", ["clism", "align_mlm"])
def test_sketch_modules_are_saved_as_any_other(tmp_path, kind, monkeypatch):
    part = sketch(kind)
    shapes = model_shape(tiny_encoder())
    cls, options = (
        (part.Question, part.ModuleOptions())
        if kind == "clism"
        else (part.EmbeddingMap, part.Options(rank=3))
    )
    module = shaken(cls(options, shapes))
    save_module(tmp_path / "m.safetensors", module)
    monkeypatch.setattr("xadapt.core.registry.load", lambda room, name: cls)
    assert digest(load_module(tmp_path / "m.safetensors", shapes)) == digest(module)
