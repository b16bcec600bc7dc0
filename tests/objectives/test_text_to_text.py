"""Text to text: transformers' own loss, the prompt, and the mean over tokens by hand."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from tiny_seq2seq import FAMILIES
from tiny_seq2seq_training import module_of, rows, small, trainer

from xadapt.objectives.contract import TargetLosses, TargetView
from xadapt.objectives.target_loss import target_loss
from xadapt.objectives.text_to_text import TextToTextLoss
from xadapt.training.forward import Request
from xadapt.training.tasks import Task

LABEL_PAD = -100


def test_the_mean_over_tokens_by_hand():
    values = torch.tensor([[1.0, 2.0, 9.0], [3.0, 9.0, 9.0]])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    loss = target_loss(TargetLosses(values, mask))
    assert loss.values.tolist() == [1.5, 3.0] and loss.weights.tolist() == [2.0, 1.0]
    assert float(loss.total()) == 2.0


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_of_a_bare_base_is_that_of_transformers(family, tmp_path: Path):
    seq2seq = small(family)
    records = rows(6)
    if seq2seq.tokenizer.convert_tokens_to_ids("eng_Latn") != 2:
        records = [type(r)(r.source, r.target, "en") for r in records]
    run = trainer(tmp_path, seq2seq, [Task("t", TextToTextLoss(), records)], module_of(seq2seq))
    values, counts = run.of_base.held_out(run.tasks[0], records)
    own = float((values * counts).sum() / counts.sum())
    sources = run.of_base.tokenize_sources([r.source for r in records], ["en"] * 6, ["en"] * 6)
    targets = run.of_base.tokenize_targets([r.target for r in records], ["en"] * 6)
    tokens, mask = seq2seq._padded(sources)
    longest = max(map(len, targets))
    labels = torch.tensor([[*row, *[LABEL_PAD] * (longest - len(row))] for row in targets])
    with torch.no_grad():
        theirs = seq2seq.model(input_ids=tokens, attention_mask=mask, labels=labels).loss
    assert own == pytest.approx(float(theirs), abs=1e-5)


def test_the_prompt_stands_before_every_source():
    seen: list[list[str]] = []

    def tokenize(texts, langs, into=None):
        seen.append(list(texts))
        return [(1,)] * len(texts)

    made = TextToTextLoss(prompt="yes : ").views(rows(2), tokenize, tokenize)
    assert seen[0] == [f"yes : {r.source}" for r in rows(2)]
    assert seen[1] == [r.target for r in rows(2)]
    assert isinstance(made["written"], TargetView) and made["written"].langs == ["en", "en"]


def test_padding_and_batches_change_nothing(tmp_path: Path):
    seq2seq, records = small(), rows(9)
    task = Task("t", TextToTextLoss(), records)
    run = trainer(tmp_path, seq2seq, [task], module_of(seq2seq), batch_tokens=1)
    views = task.views(range(9), random.Random(0), run.of_base.services, run.processes)
    alone = run.forward(views.requests)[0]
    run.forward.batch_tokens = 10_000
    together = run.forward([Request(views.requests[0].view, False)])[0]
    assert torch.equal(alone.mask, together.mask)
    real = alone.mask.bool()
    torch.testing.assert_close(alone.values[real], together.values[real], atol=1e-5, rtol=0)
