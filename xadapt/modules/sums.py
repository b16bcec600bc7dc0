"""Hooks that are fixed sums of low-rank updates, and the merge of such a sum into one update."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from xadapt.modules.hooks import AdapterHook, Place
from xadapt.modules.lora import LowRank
from xadapt.modules.mixing import Blend

Terms = list[tuple[float, LowRank]]


def terms_of(hooks: Sequence[AdapterHook]) -> dict[Place, Terms] | None:
    """Return the weighted updates at each site, if all hooks are such sums; otherwise ``None``.

    LoRAs, stacks of LoRAs and fixed mixtures of both are such sums. All hooks read the linear's
    input, and none reads another's output. So their order has no effect.
    """
    found: dict[Place, Terms] = {}
    for hook in hooks:
        own = list(_terms(hook, 1.0))
        if None in own:
            return None
        found.setdefault(hook.place, []).extend(term for term in own if term is not None)
    return found


def joined(terms: Terms) -> tuple[Tensor, Tensor]:
    """Merge a sum of updates into one: concatenate ``A`` by rows and the scaled ``B`` by columns.

    Returns:
        ``(rank, in)`` and ``(out, rank)``; the rank is the sum of the updates' ranks.
    """
    ups = [low.B * (weight * low.scale) for weight, low in terms]
    if len(terms) == 1:
        return terms[0][1].A, ups[0]
    return torch.cat([low.A for _, low in terms]), torch.cat(ups, 1)


def _terms(hook: AdapterHook, weight: float) -> Iterator[tuple[float, LowRank] | None]:
    """Return updates with their weights; ``None`` for any other hook."""
    if type(hook.fn) is LowRank and hook.reads == "input":
        yield weight, hook.fn
    elif type(hook.fn) is Blend:
        for part, own in zip(hook.fn.parts, hook.fn.weights, strict=True):
            for inner in part:
                yield from _terms(inner, weight * own)
    else:
        yield None
