"""Effects that are nothing but fixed sums of low-rank updates, and such sums as one update."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from xadapt.modules.hooks import AdapterHook, Place
from xadapt.modules.lora import LowRank
from xadapt.modules.mixing import Blend

Terms = list[tuple[float, LowRank]]


def terms_of(hooks: Sequence[AdapterHook]) -> dict[Place, Terms] | None:
    """The weighted updates at each site, if the effects are such sums alone; else ``None``.

    LoRAs, stacks of them and fixed mixtures of both are. All read the linear's input and none what
    another added, so their order does not count.
    """
    found: dict[Place, Terms] = {}
    for hook in hooks:
        own = list(_terms(hook, 1.0))
        if None in own:
            return None
        found.setdefault(hook.place, []).extend(term for term in own if term is not None)
    return found


def joined(terms: Terms) -> tuple[Tensor, Tensor]:
    """A sum of updates as one: ``A`` laid on top of each other, scaled ``B`` side by side.

    Returns:
        ``(rank, in)`` and ``(out, rank)``; the rank is the sum of theirs.
    """
    ups = [low.B * (weight * low.scale) for weight, low in terms]
    if len(terms) == 1:
        return terms[0][1].A, ups[0]
    return torch.cat([low.A for _, low in terms]), torch.cat(ups, 1)


def _terms(hook: AdapterHook, weight: float) -> Iterator[tuple[float, LowRank] | None]:
    """Updates with their weights; ``None`` for anything else."""
    if type(hook.fn) is LowRank and hook.reads == "input":
        yield weight, hook.fn
    elif type(hook.fn) is Blend:
        for part, own in zip(hook.fn.parts, hook.fn.weights, strict=True):
            for inner in part:
                yield from _terms(inner, weight * own)
    else:
        yield None
