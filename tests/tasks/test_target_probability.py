"""The token probability of held-out targets: by hand, with an interval, a base and a control."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_seq2seq_training import module_of, rows, shaken, small, trainer
from tiny_training import pairs

from xadapt.core.errors import UserError
from xadapt.objectives.text_to_text import TextToTextLoss
from xadapt.tasks import development
from xadapt.tasks.target_probability import OTHERS, token_probability
from xadapt.training.tasks import Task


def test_the_geometric_mean_by_hand():
    """Two records of 2 and 1 tokens with probabilities 1/2, 1/4 and 1/8: their mean is 1/4."""
    losses = np.log([[8.0, 8.0]])
    assert token_probability(losses, np.array([[2.0, 1.0]])) == pytest.approx([0.25])
    assert token_probability(np.zeros((1, 2)), np.zeros((1, 2))) == pytest.approx([1.0])


def test_a_run_is_scored_by_the_loss_of_its_objective(tmp_path):
    seq2seq, dev = small(), rows(12, seed=5)
    task = Task("text_to_text", TextToTextLoss(), rows(16))
    run = trainer(tmp_path, seq2seq, [task], shaken(module_of(seq2seq)))
    assert development.is_scored(run, dev)
    assert not development.is_scored(run, pairs(3)) and not development.is_scored(run, [])
    values, counts = run.of_base.held_out(task, dev)
    wanted = float(torch.exp(-(values * counts).sum() / counts.sum()))
    assert development.dev_scores(run, dev)["score"] == pytest.approx(wanted, rel=1e-5)
    [claim] = development.evidence_of(run, dev)
    assert claim.value == pytest.approx(wanted, rel=1e-5) and claim.metric == "token probability"
    assert claim.interval[0] <= claim.value <= claim.interval[1] and claim.rows == 12
    bare, _ = run.of_base.held_out(task, dev, module=False)
    assert claim.base == pytest.approx(float(torch.exp(-(bare * counts).sum() / counts.sum())))
    assert set(claim.controls) == {OTHERS}
    assert development.evidence_of(run, dev[:1])[0].controls == {}
    assert development.evidence_of(run, []) == []
    with pytest.raises(UserError, match="no objective trains on records of type ParallelPair"):
        development.dev_scores(run, pairs(2))
