from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from xadapt.backbones.frames import Frame, current, framed, guard_of
from xadapt.injection.row_groups import ALL, split_by_rows


@dataclass(eq=False)
class Probe:
    """Stands for an adapter that acts on an attention's queries, or elsewhere."""

    splits: frozenset[str] = frozenset({"attention"})


@dataclass
class Acts:
    """Stands for an activation."""

    groups: tuple
    captures: frozenset = field(default_factory=frozenset)

    def narrowed(self, row):
        kept = [(p, ALL) for p, r in self.groups if not isinstance(r, Tensor) or row in r.tolist()]
        return replace(self, groups=tuple(kept))


class Attention(nn.Module):
    """Adds 10 to each power that stands for a probe that acts on the whole batch."""

    def __init__(self, guard, probes):
        super().__init__()
        self.guard, self.probes, self.batches = guard, probes, []

    def forward(self, states, mask, flag=None):
        assert len(states) == len(mask)
        frame = current(self.guard)
        acting = {} if frame is None else dict(frame.activation.groups)
        self.batches.append((len(states), flag, None if frame is None else frame.group))
        shift = sum(10**i for i, probe in enumerate(self.probes) if acting.get(probe) is ALL)
        return states + shift, None


def test_unlike_rows_run_apart_and_come_back_in_order():
    model, probes = nn.Identity(), [Probe(), Probe(), Probe(), Probe()]
    guard = guard_of(model)
    attention = Attention(guard, probes)
    split_by_rows(attention, guard, "attention")
    partial = ((probes[0], torch.tensor([3, 0])), (probes[1], torch.tensor([1, 3])))
    frame = Frame(guard, Acts((*partial, (probes[2], ALL))), torch.ones(5, 1))
    states = torch.arange(5.0)
    with framed(frame):
        out, nothing = attention(states, states, flag="x")
        assert current(guard) is frame and frame.group is None
    assert out.tolist() == [0 + 101, 1 + 110, 2 + 100, 3 + 111, 4 + 100] and nothing is None
    assert sum(n for n, *_ in attention.batches) == 5 and len(attention.batches) == 4
    assert all(flag == "x" for _, flag, _ in attention.batches)
    assert sorted(i for *_, group in attention.batches for i in group.tolist()) == [0, 1, 2, 3, 4]
    for acts, shift in ((Acts(((probes[0], ALL), (probes[2], ALL))), 101), (None, 0)):
        attention.batches.clear()
        with framed(None if acts is None else Frame(guard, acts, torch.ones(5, 1))):
            assert attention(states, states)[0].tolist() == (states + shift).tolist()
        assert len(attention.batches) == 1
    for probe in probes:  # what acts elsewhere needs no split
        probe.splits = frozenset({"another"})
    with framed(frame):
        attention.batches.clear()
        attention(states, states)
    assert len(attention.batches) == 1


def test_a_frame_of_another_model_is_not_seen():
    model, other, probe = nn.Identity(), nn.Identity(), Probe()
    attention = Attention(guard_of(model), [probe])
    split_by_rows(attention, guard_of(model), "attention")
    acts = Acts(((probe, torch.tensor([0])),))
    with framed(Frame(guard_of(other), acts, torch.ones(2, 1))):
        assert attention(torch.zeros(2), torch.zeros(2))[0].tolist() == [0, 0]
    assert [size for size, *_ in attention.batches] == [2]
