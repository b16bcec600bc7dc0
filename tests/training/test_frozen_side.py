from __future__ import annotations

import pytest
import torch
from tiny_models import tiny_encoder
from tiny_training import digest, module_for, pairs, plain, shaken, tagged, trainer

from xadapt.backbones.cache import rows
from xadapt.backbones.cache.folder import clear
from xadapt.objectives.contract import EncodeView, FusedView
from xadapt.objectives.distillation import Distillation
from xadapt.objectives.mlm import MaskedLanguageModelling
from xadapt.objectives.tagging import Tagging
from xadapt.objectives.translation_ranking import TranslationRanking
from xadapt.tasks import development
from xadapt.training.forward import Request
from xadapt.training.frozen_side import encode_frozen, keep_prefix
from xadapt.training.loop import Trainer
from xadapt.training.metrics_log import read_metrics
from xadapt.training.tasks import Task


def test_constant_texts_are_encoded_once_and_banks_made(tmp_path):
    rows = pairs(20)
    tasks = [Task("a", TranslationRanking(), rows), Task("b", Distillation(), rows)]
    run = trainer(tmp_path, tasks)
    services = [run._services(0), run._services(1)]
    encode_frozen(tasks, services, run.frozen, run.processes, show=False)
    pivots = list(dict.fromkeys(row.pivot for row in rows))
    assert run.frozen.missing(pivots) == 0 and len(tasks[0].bank.vectors) == len(pivots)
    assert tasks[1].bank is None


def test_an_objective_without_constants_needs_nothing(tmp_path):
    task = Task("t", Tagging(), tagged(6))
    run = trainer(tmp_path, [task])
    encode_frozen([task], [run._services(0)], run.frozen, run.processes, show=False)
    assert task.bank is None


UPPER = {"rank": 2, "layers": [2, 4]}


def started(tmp_path, tasks, **more):
    encoder = tiny_encoder("bert", mlm=True)
    run = trainer(tmp_path, tasks, encoder=encoder, module=module_for(encoder, **UPPER), **more)
    services = [run._services(number) for number in range(len(tasks))]
    start = run.active_module.first_layer
    keep_prefix(tasks, services, run.forward, start, tmp_path / "cache", show=False)
    return run


def both(count, words):
    rows = [Task("a", TranslationRanking(), pairs(count))]
    return [*rows, Task("b", Tagging(), tagged(words))]


def test_rows_that_do_not_change_are_kept_from_the_first_layer_something_acts_in(tmp_path):
    rows = pairs(20)
    run = started(tmp_path, both(len(rows), 5))
    prefix = run.forward.prefix
    assert prefix is not None and prefix.start == run.forward.start == 2
    ids = run.forward.tokenized.tokenize([row.text for row in rows])
    words = run.forward.tokenized.tokenize_words([row.words for row in tagged(5)])
    assert prefix.has([(row, None) for row in ids])
    assert prefix.has([(tuple(row.ids), None) for row in words])


def test_hidden_tokens_are_drawn_anew_and_nothing_is_kept(tmp_path):
    run = started(tmp_path, [Task("m", MaskedLanguageModelling(), plain(20))])
    assert run.forward.prefix is None


def test_a_module_in_the_first_layer_leaves_nothing_to_keep(tmp_path):
    run = trainer(tmp_path, [Task("a", TranslationRanking(), pairs(8))])
    keep_prefix(run.tasks, [run._services(0)], run.forward, 0, None, show=False)
    assert run.forward.prefix is None


def test_cached_and_full_forwards_agree_with_their_gradients(tmp_path):
    rows = pairs(12)
    run = started(tmp_path, both(len(rows), 9))
    shaken(run.module, 3, 0.1)
    texts = [row.text for row in rows]
    ids = [tuple(r.ids) for r in run.forward.tokenized.tokenize_words([r.words for r in tagged(9)])]
    views = [
        EncodeView(texts),
        EncodeView(ids, output="states"),
        EncodeView(ids, output="states", layer=3),
        EncodeView(ids, output="states", layer=1),
        FusedView(texts, texts[::-1], (1, 3)),
        FusedView(texts, texts[::-1], (2, 4)),
    ]
    seen = []
    for prefix in (run.forward.prefix, None):
        run.forward.prefix = prefix
        run.module.zero_grad()
        found = run.forward([Request(view, True) for view in views])
        values = [v if isinstance(v, torch.Tensor) else v.hidden * v.mask[..., None] for v in found]
        sum(value.square().mean() for value in values).backward()
        seen.append((values, [p.grad.clone() for p in run.module.parameters()]))
    for one, other in zip(*(values for values, _ in seen), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    for one, other in zip(*(grads for _, grads in seen), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_a_run_is_the_same_with_the_cache_cold_warm_and_resumed(tmp_path, monkeypatch):
    def trained(name, cache, **more):
        encoder = tiny_encoder("bert", mlm=True)
        run = trainer(
            tmp_path / name,
            [Task("a", TranslationRanking(), pairs(24))],
            encoder=encoder,
            module=module_for(encoder, **UPPER),
            run={"cache": cache},
            epochs=2,
            checkpoint_seconds=1e-9,
        )
        run.train(**more)
        return digest(run.module)

    cold = trained("cold", tmp_path / "cache")
    assert trained("warm", tmp_path / "cache") == cold == trained("memory", None)
    step = Trainer._step

    def cut(self, rates):
        if self.progress.step == 5:
            raise KeyboardInterrupt
        return step(self, rates)

    monkeypatch.setattr(Trainer, "_step", cut)
    with pytest.raises(KeyboardInterrupt):
        trained("cut", None)
    monkeypatch.undo()
    assert trained("cut", None, resume=True) == cold


@pytest.mark.parametrize("becomes", ["kept", "cleared", "of other bits"])
def test_a_resumed_run_meets_the_very_states_it_began_with(tmp_path, monkeypatch, becomes):
    """What another run puts into the cache may differ in the last bit; here it differs more."""
    cache = tmp_path / "cache"
    quick_vectors, quick_states = rows.encode, rows.TokenRows.compute
    step = Trainer._step

    def run_of(name):
        encoder = tiny_encoder("bert", mlm=True)
        run = trainer(
            tmp_path / name,
            [Task("a", TranslationRanking(), pairs(24))],
            encoder=encoder,
            module=module_for(encoder, **UPPER),
            run={"cache": cache, "score": lambda: development.dev_scores(run, pairs(8, seed=3))},
            epochs=2,
            evaluations=3,
            checkpoint_seconds=1e-9,
        )
        return run

    def trained(name, **more):
        run = run_of(name)
        run.train(**more)
        assert not run.pins.exists()
        return digest(run.module), read_metrics(tmp_path / name / "metrics.jsonl")[-1]

    def others():
        monkeypatch.setattr(rows, "encode", lambda *a, **k: quick_vectors(*a, **k) + 0.05)
        monkeypatch.setattr(rows.TokenRows, "compute", lambda *a: quick_states(*a) + 0.05)
        clear(cache)
        made = trained("others")
        monkeypatch.setattr(rows, "encode", quick_vectors)
        monkeypatch.setattr(rows.TokenRows, "compute", quick_states)
        return made

    def cut(self, rates):
        if self.progress.step == 7:
            raise KeyboardInterrupt
        return step(self, rates)

    whole = trained("whole")
    monkeypatch.setattr(Trainer, "_step", cut)
    with pytest.raises(KeyboardInterrupt):
        trained("cut")
    monkeypatch.setattr(Trainer, "_step", step)
    assert run_of("cut").pins.exists()
    if becomes != "kept":
        clear(cache)
    if becomes == "of other bits":
        others()
    assert trained("cut", resume=True) == whole
    assert (trained("fresh") == whole) == (becomes != "of other bits")


def test_a_head_alone_is_trained_on_the_last_states_which_are_computed_once(tmp_path, monkeypatch):
    encoder = tiny_encoder("bert", mlm=True)
    run = trainer(
        tmp_path,
        [Task("t", Tagging(), tagged(20))],
        encoder=encoder,
        module=module_for(encoder, "none", layers="all"),
        epochs=3,
    )
    before, whole, starts = digest(run.trained), encoder.run, []

    def watched(hidden, mask, start=0, stop=None, **more):
        starts.append((start, len(hidden)))
        return whole(hidden, mask, start, stop, **more)

    monkeypatch.setattr(encoder, "run", watched)
    run.train()
    assert run.forward.start == encoder.depth and digest(run.trained) != before
    distinct = {row.words for row in tagged(20)}
    assert sum(rows for start, rows in starts if start == 0) == len(distinct)


def test_a_single_pass_keeps_nothing_for_nobody_to_read(tmp_path):
    for passes in (1, 2):
        encoder = tiny_encoder("bert", mlm=True)
        run = trainer(
            tmp_path / str(passes),
            [Task("a", TranslationRanking(), pairs(8))],
            encoder=encoder,
            module=module_for(encoder, **UPPER),
            epochs=passes,
        )
        run.train()
        assert (run.forward.prefix is not None) == (passes > 1)
