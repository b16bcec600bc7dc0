from __future__ import annotations

import pytest
import torch

from xadapt.core import registry
from xadapt.data.records import ParallelPair


def test_losses_by_hand():
    objective = registry.load("objectives", "hardest_negative")(margin=0.5)
    text = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    pivot = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    same = [[True, True, False], [True, True, False], [False, False, True]]
    half = 0.5**0.5
    wanted = [0.0, 0.5 - 0 + 1, 0.5 - half + half]
    assert objective.loss(text, pivot, same).values.tolist() == pytest.approx(wanted)


def test_equal_pivots_are_no_negatives():
    objective = registry.load("objectives", "hardest_negative")()
    records = [ParallelPair("a", "x", "de"), ParallelPair("b", "x", "de")]
    made = objective.views(records, None)
    assert made["same"] == [[True, True], [True, True]] and made["pivot"].module is False
