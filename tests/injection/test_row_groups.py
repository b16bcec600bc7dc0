from __future__ import annotations

import torch
from torch import nn

from xadapt.injection.row_groups import ALL, join, split_by_rows


class Probe:
    def __init__(self, rows):
        self.rows = rows


class Attention(nn.Module):
    """Adds 10 to each power that stands for an attachment that acts on the whole batch."""

    def __init__(self, probes):
        super().__init__()
        self.probes, self.batches = probes, []

    def forward(self, states, mask, flag=None):
        self.batches.append((len(states), flag, [p.rows for p in self.probes]))
        assert len(states) == len(mask)
        shift = sum(10**i for i, p in enumerate(self.probes) if p.rows == ALL)
        return states + shift, None


def test_unlike_rows_run_apart_and_come_back_in_order():
    probes = [Probe(torch.tensor([3, 0])), Probe(torch.tensor([1, 3])), Probe(ALL), Probe(None)]
    model, attention = nn.Identity(), Attention(probes)
    leave = [join(model, p) for p in probes]
    undo = [split_by_rows(model, attention), split_by_rows(model, attention)]
    states = torch.arange(5.0)
    out, nothing = attention(states, states, flag="x")
    assert out.tolist() == [0 + 101, 1 + 110, 2 + 100, 3 + 111, 4 + 100] and nothing is None
    assert sum(n for n, *_ in attention.batches) == 5 and len(attention.batches) == 4
    assert all(flag == "x" for _, flag, _ in attention.batches)
    assert torch.equal(probes[0].rows, torch.tensor([3, 0])) and probes[2].rows == ALL
    attention.batches.clear()
    probes[0].rows, probes[1].rows = ALL, None
    assert attention(states, states)[0].tolist() == (states + 101).tolist()
    assert len(attention.batches) == 1
    undo[0]()
    assert "forward" in vars(attention)
    undo[1]()
    assert "forward" not in vars(attention)
    for done in leave:
        done()
