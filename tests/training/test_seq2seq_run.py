"""Runs on an encoder-decoder: they learn, resume bit for bit, cache sources, and refuse."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_seq2seq_training import module_of, rows, shaken, small, trainer
from tiny_training import digest, pairs, plain

from xadapt.composition.composed import Composed
from xadapt.composition.text import parse
from xadapt.core.errors import UserError
from xadapt.objectives.mlm import MaskedLanguageModelling
from xadapt.objectives.span_corruption import SpanCorruption
from xadapt.objectives.text_to_text import TextToTextLoss
from xadapt.objectives.translation import Translation
from xadapt.training.metrics_log import read_metrics
from xadapt.training.settings import Companion
from xadapt.training.tasks import Task

DECODER = ["decoder_q", "decoder_v", "cross_q", "cross_v"]


def text_to_text(records=None):
    return Task("text_to_text", TextToTextLoss(), records or rows(24))


def weights(folder: Path) -> dict[str, bytes]:
    found = load_file(folder / "checkpoint.safetensors")
    return {name: value.numpy().tobytes() for name, value in found.items()}


class Cut:
    """A callback that ends a run as Ctrl-C does, after some steps."""

    def on_step_end(self, args, state, control, **_):
        if state.global_step == 5:
            raise KeyboardInterrupt


def losses(folder: Path) -> list[float]:
    return [row["loss"] for row in read_metrics(folder / "metrics.jsonl")]


@pytest.mark.parametrize("kind", ["lora", "bottleneck"])
@pytest.mark.parametrize("family", ["t5", "m2m_100", "bart"])
def test_it_learns_and_leaves_the_base_as_it_was(tmp_path, kind, family):
    wide = {} if family == "t5" else {"init_std": 0.4}  # else all logits are near 0
    seq2seq = small(family, **wide)
    if family == "bart":
        seq2seq.tokenizer = small().tokenizer
    records = [Task("translation", Translation(direction="from_pivot"), pairs(24))]
    before = digest(seq2seq.model)
    options = {"sites": ["q", "v", "cross_q", "cross_v", "ffn_in"]} if kind == "lora" else {}
    module = module_of(seq2seq, kind, **options)
    run = trainer(tmp_path, seq2seq, records, module, epochs=12, learning_rate=2e-2)
    run.train()
    found = losses(tmp_path)
    assert sum(found[-3:]) < 0.9 * sum(found[:3]) and len(found) == 36
    assert digest(seq2seq.model) == before
    assert all(value.grad is None for value in seq2seq.model.parameters())
    assert all(value.grad is not None for value in module.parameters())


@pytest.mark.parametrize("sites", [["q", "v", "cross_q", "cross_v"], DECODER])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path, sites):
    results = []
    for cut in (False, True):
        folder = tmp_path / str(cut)
        tasks = [text_to_text(), Task("span_corruption", SpanCorruption(), plain(24), data="more")]
        given = {"epochs": 3, "learning_rate": 1e-2, "checkpoint_seconds": 1e-9}

        def made(*callbacks, folder=folder, tasks=tasks, given=given):
            seq2seq = small()
            module = module_of(seq2seq, sites=sites)
            run = {"cache": tmp_path / "cache", "callbacks": callbacks}
            return trainer(folder, seq2seq, tasks, module, run, **given)

        if cut:
            with pytest.raises(KeyboardInterrupt):
                made(Cut()).train()
            assert len(losses(folder)) == 5
        made().train(resume=cut)
        assert len(losses(folder)) == 9
        results.append(weights(folder))
    assert results[0] == results[1]


def test_cached_sources_train_as_sources_that_are_encoded_each_time(tmp_path):
    found = {}
    for cached in (True, False):
        seq2seq = small()
        module = module_of(seq2seq, sites=DECODER)
        run = trainer(
            tmp_path / str(cached), seq2seq, [text_to_text()], module, epochs=3,
            learning_rate=1e-2, run={"cache": tmp_path / "cache"},
        )  # fmt: skip
        if not cached:
            run.of_base.prepare = lambda *_: None
        run.train()
        assert (run.forward.sources is not None) == cached
        found[cached] = load_file(tmp_path / str(cached) / "checkpoint.safetensors")
    for name, value in found[True].items():
        if name.startswith("trained."):
            torch.testing.assert_close(value, found[False][name], atol=1e-6, rtol=0)


def test_sources_are_encoded_each_time_if_a_module_is_in_the_encoder_or_rows_change(tmp_path):
    corrupted = Task("span_corruption", SpanCorruption(0.5), plain(24))
    cases = [(["encoder_q"], text_to_text()), (DECODER, corrupted)]
    for number, (sites, task) in enumerate(cases):
        seq2seq = small()
        run = trainer(
            tmp_path / str(number), seq2seq, [task], module_of(seq2seq, sites=sites), epochs=2
        )
        run.train()
        assert run.forward.sources is None


def test_gradients_in_chunks_are_those_of_the_whole_batch(tmp_path):
    found = []
    for spec in ({}, {"grad_cache": True, "batch_tokens": 30}):
        seq2seq = small()
        module = shaken(module_of(seq2seq))
        run = trainer(tmp_path / str(len(found)), seq2seq, [text_to_text()], module, **spec)
        views = run.tasks[0].views(range(8), random.Random(0), run.of_base.services, run.processes)
        encoded = run.forward(views.requests)
        run.tasks[0].loss(views, encoded, run._services(0), run.processes)[0].backward()
        found.append([value.grad.clone() for value in module.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)  # sums in another order


def test_a_module_is_trained_on_top_of_another_one(tmp_path):
    seq2seq = small()
    below = shaken(module_of(seq2seq)).requires_grad_(False)
    frozen, own = digest(below), module_of(seq2seq)
    whole = Composed(parse("below + self"), {"below": below, "self": own})
    run = trainer(
        tmp_path, seq2seq, [text_to_text()], own, inside=(whole,), epochs=4, learning_rate=1e-2
    )
    run.train()
    alone = trainer(tmp_path / "b", seq2seq, [text_to_text()], own)
    with_both, _ = run.of_base.held_out(run.tasks[0], rows(8))
    with_one, _ = alone.of_base.held_out(run.tasks[0], rows(8))
    assert digest(below) == frozen and not torch.allclose(with_both, with_one)


def test_held_out_losses_depend_on_module_and_source(tmp_path):
    seq2seq = small()
    run = trainer(tmp_path, seq2seq, [text_to_text()], shaken(module_of(seq2seq)))
    own, counts = run.of_base.held_out(run.tasks[0], rows(9))
    again, _ = run.of_base.held_out(run.tasks[0], rows(9))
    bare, _ = run.of_base.held_out(run.tasks[0], rows(9), module=False)
    moved, _ = run.of_base.held_out(run.tasks[0], rows(9), shift=1)
    assert torch.equal(own, again) and own.shape == counts.shape == (9,)
    assert not torch.allclose(own, bare) and not torch.allclose(own, moved)
    assert counts.tolist() == [len(r.target.split()) + 1 for r in rows(9)]


def refused(tmp_path, match, *, tasks=None, module=None, run=None, companions=None, **spec):
    from xadapt.training.loop import Trainer

    seq2seq = small()
    with pytest.raises(UserError, match=match):
        made = trainer(
            tmp_path, seq2seq, tasks or [text_to_text()], module or module_of(seq2seq), run, **spec
        )
        if companions:
            Trainer(seq2seq, made.module, made.tasks, made.run, companions)
        made.train()


def test_what_is_for_encoders_alone_is_refused(tmp_path):
    encoders = [Task("mlm", MaskedLanguageModelling(), plain(4))]
    refused(
        tmp_path, "mlm trains on an encoder, and this base is an encoder-decoder", tasks=encoders
    )
    refused(tmp_path, "train.compile: the layers", compile=True)
    refused(tmp_path, "dimensions: a run on", run={"dimensions": (8,)})
    refused(tmp_path, "companions: a run on", companions={"a": Companion(module_of(small()))})
    for kind, options in (
        ("bottleneck", {"invertible": "nice"}),
        ("mixture_of_loras", {"sites": ["q"], "experts": 2}),
        ("own_tokens", {"module": {"kind": "lora"}}),
    ):
        refused(
            tmp_path, "module: a module of kind .* is for encoders alone",
            module=module_of(small(), kind, **options),
        )  # fmt: skip
