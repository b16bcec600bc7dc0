from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from tiny_models import tiny_encoder
from tiny_training import digest, module_for, pairs, plain, text_pairs, trainer

from xadapt.core.errors import UserError
from xadapt.objectives.multiple_negatives_ranking import MultipleNegativesRanking
from xadapt.objectives.teacher_distillation import TeacherDistillation
from xadapt.training.metrics_log import read_metrics
from xadapt.training.tasks import Task
from xadapt.training.teacher import orthogonal_map


def test_a_rotation_is_found_again():
    torch.manual_seed(0)
    source, (turn, _) = torch.randn(50, 6), torch.linalg.qr(torch.randn(6, 6))
    assert torch.allclose(orthogonal_map(source, source @ turn), turn, atol=1e-5)


@pytest.mark.parametrize(("wide", "narrow"), [(6, 9), (9, 6)])
def test_the_map_has_orthonormal_rows_or_columns_and_fits_best(wide, narrow):
    torch.manual_seed(0)
    source, target = torch.randn(40, wide), torch.randn(40, narrow)
    found = orthogonal_map(source, target)
    assert found.shape == (wide, narrow)
    less = found @ found.T if wide < narrow else found.T @ found
    assert torch.allclose(less, torch.eye(min(wide, narrow)), atol=1e-5)
    ours, theirs = F.normalize(source, dim=-1), F.normalize(target, dim=-1)
    if wide < narrow:  # cosines are kept
        assert torch.allclose((ours @ found) @ (ours @ found).T, ours @ ours.T, atol=1e-5)
    for _ in range(20):
        other, _ = torch.linalg.qr(torch.randn(max(wide, narrow), min(wide, narrow)))
        other = other.T if wide < narrow else other
        assert ((ours @ found) * theirs).sum() >= ((ours @ other) * theirs).sum()


def teacher(**changes):
    return tiny_encoder("roberta", seed=5, **changes)


def run(folder, rows, **more):
    settings = {"teacher": teacher(), **more.pop("run", {})}
    task = Task("teacher_distillation", TeacherDistillation(), rows)
    return trainer(folder, [task], run=settings, learning_rate=1e-2, **more)


@pytest.mark.parametrize("rows", [plain, pairs, text_pairs])
def test_the_loss_falls(tmp_path, rows):
    one = run(tmp_path, rows(24), epochs=4)
    assert one.train().step == 24
    losses = [row["loss"] for row in read_metrics(tmp_path / "metrics.jsonl")]
    assert sum(losses[-6:]) < 0.9 * sum(losses[:6])


def test_a_teacher_equal_to_the_base_teaches_nothing(tmp_path):
    base = tiny_encoder("bert", mlm=True)
    one = run(tmp_path, plain(24), encoder=base, run={"teacher": tiny_encoder("bert")})
    one.train()
    first = read_metrics(tmp_path / "metrics.jsonl")[0]
    assert first["loss"] == pytest.approx(0, abs=1e-5)


def test_a_resumed_run_is_bitwise_equal(tmp_path):
    whole = run(tmp_path / "a", text_pairs(24), epochs=2, run={"cache": tmp_path / "cache"})
    whole.train()
    settings = {"cache": tmp_path / "cache2"}
    begun = run(tmp_path / "b", text_pairs(24), epochs=2, run=settings)
    step, count = begun._step, iter(range(100))

    def stopped(rates):
        if next(count) == 5:
            begun._save()
            raise KeyboardInterrupt
        return step(rates)

    begun._step = stopped
    with pytest.raises(KeyboardInterrupt):
        begun.train()
    resumed = run(tmp_path / "b", text_pairs(24), epochs=2, run=settings)
    resumed.train(resume=True)
    assert digest(resumed.module) == digest(whole.module)


def test_what_does_not_fit_is_refused(tmp_path):
    rows = text_pairs(8)
    ranking = Task("multiple_negatives_ranking", MultipleNegativesRanking(), rows)
    taught = Task("teacher_distillation", TeacherDistillation(), rows)
    with pytest.raises(UserError, match="the recipe names none"):
        trainer(tmp_path, [taught])
    with pytest.raises(UserError, match="no objective learns from the teacher"):
        trainer(tmp_path, [ranking], run={"teacher": teacher()})
    with pytest.raises(UserError, match="have 32 values, and 64 are asked for"):
        trainer(tmp_path, [ranking], run={"dimensions": (64, 16)})
    with pytest.raises(UserError, match="teacher_distillation makes no use of them"):
        trainer(tmp_path, [taught], run={"teacher": teacher(), "dimensions": (16,)})


@pytest.mark.parametrize("kind", ["lora", "bottleneck", "mixture_of_loras"])
def test_chunked_gradients_are_direct_gradients(tmp_path, kind):
    found = []
    for name, spec in (("a", {}), ("b", {"grad_cache": True, "batch_tokens": 24})):
        encoder = tiny_encoder("bert", mlm=True)
        options = {"rank": 2} if kind != "bottleneck" else {"width": 4}
        module = module_for(encoder, kind, **options)
        rows = text_pairs(8)
        tasks = [
            Task("multiple_negatives_ranking", MultipleNegativesRanking(directions="both"), rows),
            Task("teacher_distillation", TeacherDistillation(), rows),
        ]
        settings = {"teacher": teacher(), "dimensions": (32, 8)}
        one = trainer(tmp_path / name, tasks, encoder=encoder, module=module, run=settings,
                      epochs=2, **spec)  # fmt: skip
        one.train()
        found.append([p.detach().clone() for p in module.parameters()])
    assert all(torch.allclose(a, b, atol=2e-4) for a, b in zip(*found, strict=True))
    assert any(p.abs().max() > 0 for p in found[0])
