from __future__ import annotations

import os
import random
import signal
import time

import forked
import killed_run
import pytest
import torch
from compilers import needs_compiler
from safetensors.torch import load_file
from tiny_models import tiny_encoder
from tiny_training import digest, hooks_do_nothing, module_for, pairs, plain, trainer

from xadapt.backbones.cache import rows
from xadapt.core.errors import UserError
from xadapt.objectives.distillation import Distillation
from xadapt.objectives.mlm import MaskedLanguageModelling
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.training import loop
from xadapt.training.metrics_log import read_metrics
from xadapt.training.tasks import Task


def ranking(records=None, **options):
    return Task("translation_ranking", TranslationRanking(**options), records or pairs(20))


def result(folder):
    """Final weights, and the metrics without the times."""
    tensors = load_file(folder / "checkpoint.safetensors")
    rows = read_metrics(folder / "metrics.jsonl")
    return (
        {k: v.numpy().tobytes() for k, v in tensors.items()},
        [{k: v for k, v in row.items() if k != "seconds"} for row in rows],
    )


def test_it_learns_and_leaves_the_base_as_it_was(tmp_path):
    encoder = tiny_encoder()
    weights = digest(encoder.model)
    run = trainer(tmp_path, [ranking()], encoder=encoder, epochs=30, learning_rate=5e-3)
    progress = run.train()
    losses = [row["loss"] for row in read_metrics(tmp_path / "metrics.jsonl")]
    assert progress.finished and progress.step == len(losses) == 150 == run.steps
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert digest(encoder.model) == weights and all(
        p.grad is None for p in encoder.model.parameters()
    )
    assert hooks_do_nothing(encoder)


@needs_compiler
def test_compiled_layers_learn_the_same(tmp_path):
    losses = {}
    for compile in (False, True):
        encoder = tiny_encoder(num_hidden_layers=1)
        trainer(tmp_path / str(compile), [ranking()], encoder=encoder, compile=compile).train()
        rows = read_metrics(tmp_path / str(compile) / "metrics.jsonl")
        losses[compile] = [row["loss"] for row in rows]
    assert losses[True] == pytest.approx(losses[False], abs=1e-4) and len(losses[True]) == 5
    assert losses[True] != losses[False]
    assert not any(m._compiled_call_impl for m in encoder.model.modules())


def test_metrics_say_step_rate_and_each_loss(tmp_path):
    records = pairs(12)
    tasks = [ranking(records), Task("distillation", Distillation(), records, weight=0.5)]
    trainer(
        tmp_path,
        tasks,
        warmup=0.5,
        schedule="linear",
        run={"score": lambda: {"score": 1.0}},
        evaluations=1,
        epochs=2,
    ).train()
    rows = read_metrics(tmp_path / "metrics.jsonl")
    steps = [row for row in rows if "loss" in row]
    assert [row["step"] for row in steps] == [1, 2, 3, 4, 5, 6]
    peak = 2e-3
    expected = [0, peak / 3, peak * 2 / 3, peak, peak * 2 / 3, peak / 3]
    assert [row["lr"] for row in steps] == pytest.approx(expected)
    for row in steps:
        parts = row["loss/translation_ranking"] + 0.5 * row["loss/distillation"]
        assert row["loss"] == pytest.approx(parts) and row["seconds"] > 0
    assert rows[-1] == {"step": 6, "dev": {"score": 1.0}}


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_every_schedule_warms_up(tmp_path, schedule):
    trainer(tmp_path, [ranking()], schedule=schedule, warmup=0.4, epochs=2).train()
    rates = [row["lr"] for row in read_metrics(tmp_path / "metrics.jsonl")]
    assert rates[:5] == pytest.approx([0, 5e-4, 1e-3, 1.5e-3, 2e-3])
    assert (rates[-1] == 2e-3) == (schedule == "constant")


class Stop(Exception):
    pass


def run_killed_run(folder, stop_at=()):
    """The run of ``killed_run`` in this process, stopped by an error at some steps."""
    for at in [*stop_at, None]:
        run = trainer(
            folder,
            killed_run.tasks(),
            epochs=3,
            checkpoint_seconds=1e-9,
            run={"identity": {"data": "30 pairs"}},
        )
        update = run._update

        def failing(total, rates, run=run, update=update, at=at):
            if run.progress.step == at:
                raise Stop
            update(total, rates)

        run._update = failing
        try:
            run.train(resume=(folder / "checkpoint.safetensors").exists())
        except Stop:
            continue
    return result(folder)


def test_resumed_is_uninterrupted_bitwise(tmp_path):
    whole = run_killed_run(tmp_path / "whole")
    assert len(whole[1]) == 24
    assert run_killed_run(tmp_path / "cut", stop_at=[0, 1, 7, 8, 23]) == whole


def test_resumed_from_an_older_checkpoint_is_uninterrupted(tmp_path):
    """Steps after the last checkpoint are done again, and logged once."""
    whole = run_killed_run(tmp_path / "whole")
    cut = tmp_path / "cut"
    run = trainer(cut, killed_run.tasks(), epochs=3, run={"identity": {"data": "30 pairs"}})
    step = run._step

    def stopping(rates):
        if run.progress.step == 9:
            raise Stop
        return step(rates)

    run._step = stopping
    with pytest.raises(Stop):
        run.train()
    assert run.progress.step == 9
    assert len(read_metrics(cut / "metrics.jsonl")) == 9  # and the checkpoint is of step 6
    assert run_killed_run(cut) == whole


def test_killed_at_random_moments_and_resumed(tmp_path):
    whole = tmp_path / "whole"
    assert forked.start(lambda: killed_run.go(str(whole))).wait(600) == 0
    rng, cut, kills = random.Random(5), tmp_path / "cut", 0
    for _ in range(4):
        process = forked.start(lambda: killed_run.go(str(cut), 0.05))
        before = len(read_metrics(cut / "metrics.jsonl"))
        wait_for_rows(process, cut / "metrics.jsonl", before + rng.randint(0, 5))
        time.sleep(rng.random() * 0.1)
        os.kill(process.pid, signal.SIGKILL)
        kills += process.wait(600) == -signal.SIGKILL
    assert kills >= 3
    assert forked.start(lambda: killed_run.go(str(cut))).wait(600) == 0
    assert result(cut) == result(whole)
    assert not list(cut.glob(".checkpoint*")) and not list(cut.glob(".metrics*"))


def wait_for_rows(process, path, count):
    end = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < end:
        if len(read_metrics(path)) >= count:
            return
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_run_that_goes_on(tmp_path, number):
    folder = tmp_path / "run"
    process = forked.start(lambda: killed_run.go(str(folder), 0.05))
    wait_for_rows(process, folder / "metrics.jsonl", 3)
    os.kill(process.pid, number)
    expected = 143 if number == signal.SIGTERM else 1  # Terminated or KeyboardInterrupt
    assert process.wait(600) == expected
    done = len(read_metrics(folder / "metrics.jsonl"))
    assert 3 <= done < 24
    run = trainer(folder, killed_run.tasks(), epochs=3, run={"identity": {"data": "30 pairs"}})
    assert run.train(resume=True).finished
    assert [r["step"] for r in read_metrics(folder / "metrics.jsonl")] == list(range(1, 25))


def test_another_recipe_or_data_is_refused(tmp_path):
    with_identity = {"identity": {"data": "a", "recipe": ("x", 1)}}
    trainer(tmp_path, [ranking()], run=with_identity).train()
    assert trainer(tmp_path, [ranking()], run=with_identity).train(resume=True).finished
    for other, said in [
        ({"data": "b", "recipe": ["x", 1]}, "another data"),
        ({"data": "a"}, "another recipe"),
        ({}, "another data and recipe"),
    ]:
        with pytest.raises(UserError, match=said):
            trainer(tmp_path, [ranking()], run={"identity": other}).train(resume=True)
    with pytest.raises(UserError, match="no checkpoint to resume"):
        trainer(tmp_path / "empty", [ranking()]).train(resume=True)


def test_a_loss_that_is_not_finite_names_the_record(tmp_path):
    class Broken(Distillation):
        def loss(self, student, teacher):
            loss = super().loss(student, teacher)
            loss.values[2] = float("nan")
            return loss

    run = trainer(tmp_path, [Task("distillation", Broken(), pairs(8))])
    with pytest.raises(
        UserError, match=r"pairs\.tsv:\d: the loss of distillation is not finite on Par"
    ):
        run.train()
    assert hooks_do_nothing(run.encoder)


def test_a_gradient_that_is_not_finite_stops_the_run(tmp_path):
    run = trainer(tmp_path, [ranking()])
    next(iter(run.module.parameters())).register_hook(lambda g: g * float("inf"))
    with pytest.raises(UserError, match="gradient is not finite at step 1"):
        run.train()


def scores(values):
    left = iter(values)
    return lambda: {"score": next(left), "other": 0.0}


def test_the_best_weights_are_kept_and_patience_ends(tmp_path):
    seen = []
    run = trainer(tmp_path, [ranking()], epochs=4, evaluations=10, patience=2, warmup=0.0)
    values = scores([0.1, 0.5, 0.4, 0.5, 0.9])

    def score():
        seen.append(digest(run.trained))
        return values()

    run.run = loop.Run(run.run.spec, tmp_path, score=score, show=False)
    progress = run.train()
    assert progress.finished and (progress.best_step, progress.best_score) == (4, 0.5)
    assert progress.step == 8 and len(seen) == 4
    assert digest(run.trained) == seen[1] != seen[3]
    dev = [row for row in read_metrics(tmp_path / "metrics.jsonl") if "dev" in row]
    assert [row["dev"]["score"] for row in dev] == [0.1, 0.5, 0.4, 0.5]
    again = trainer(tmp_path, [ranking()], epochs=4, evaluations=10, patience=2, warmup=0.0)
    again.train(resume=True)
    assert digest(again.trained) == seen[1]


def test_scoring_does_not_touch_the_draws(tmp_path):
    def noisy():
        torch.rand(7)
        random.random()
        return {"score": 0.0}

    plain_run, scored = (
        trainer(
            tmp_path / str(bool(score)), killed_run.tasks(), run={"score": score}, evaluations=3
        )
        for score in (None, noisy)
    )
    plain_run.train()
    scored.train()
    losses = [
        [r["loss"] for r in read_metrics(tmp_path / n / "metrics.jsonl") if "loss" in r]
        for n in ("False", "True")
    ]
    assert losses[0] == losses[1]


def test_frozen_texts_are_encoded_once_in_a_run(tmp_path, monkeypatch):
    seen = []
    real = rows.encode
    monkeypatch.setattr(rows, "encode", lambda e, t, **k: (seen.extend(t), real(e, t, **k))[1])
    records = pairs(20)
    trainer(tmp_path, [ranking(records), Task("d", Distillation(), records)], epochs=3).train()
    assert sorted(seen) == sorted({r.pivot for r in records})


def test_weights_of_objectives_are_factors(tmp_path):
    """Two objectives of weight 1/2 are one of weight 1."""
    records = pairs(12)
    halves = [Task("a", Distillation(), records, weight=0.5) for _ in range(2)]
    one, two = (
        trainer(tmp_path / n, t, clip=0.0)
        for n, t in (("one", [Task("a", Distillation(), records)]), ("two", halves))
    )
    one.train()
    two.train()
    for a, b in zip(one.module.parameters(), two.module.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_a_base_without_the_head_is_refused_before_training(tmp_path):
    encoder = tiny_encoder("t5")
    with pytest.raises(UserError, match="no masked-language-model head"):
        trainer(
            tmp_path,
            [Task("mlm", MaskedLanguageModelling(), plain(4))],
            encoder=encoder,
            module=module_for(encoder),
        )


def test_clipping_bounds_the_step(tmp_path):
    norms = []
    run = trainer(tmp_path, [ranking()], clip=1e-3)
    run.optimizer.register_step_pre_hook(
        lambda *_: norms.append(
            torch.stack(
                [p.grad.norm() for p in run.module.parameters() if p.grad is not None]
            ).norm()
        )
    )
    run.train()
    assert max(norms) <= 1.0001e-3 and min(norms) > 0
