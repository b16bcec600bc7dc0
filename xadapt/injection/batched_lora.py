"""LoRAs that act on different rows of one batch, computed together at each linear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from xadapt.backbones.families import SitePoint
from xadapt.modules.hooks import Place
from xadapt.modules.low_rank import AddLowRank
from xadapt.modules.sums import Terms, joined

LONG = 4
"""Tokens a rank from which a copy of the factors for each row is cheaper than one of its states."""

Updates = Mapping[Place, tuple[SitePoint, Terms]]
Factors = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _Which:
    """Which of the sums act at a linear: their numbers, whose each row is, and the rows."""

    numbers: list[int]
    owners: Tensor
    rows: Tensor | None


class RowSums:
    """Sums of low-rank updates, each on its own rows of a batch.

    What sums on different rows add is computed together: every row is multiplied by factors of
    its own in one batched product. A batch whose rows are all under one sum takes the plain
    product, and rows under none are left as they are, bitwise.

    Source: the batched products are those of Punica, https://arxiv.org/abs/2310.18547, section 4,
    and S-LoRA, https://arxiv.org/abs/2311.03285, section 5, for the rows of an encoder.

    Args:
        sums: For each its updates with the linears that they are of.
        acts: The number of the sum that acts on each row of the batch, ``None`` for none. Without,
            the first acts on all rows, however many they are.
    """

    def __init__(self, sums: Sequence[Updates], acts: Sequence[int | None] | None = None) -> None:
        self._sums, self._acts = sums, acts
        self._seen: dict[tuple[int, ...], _Which | None] = {}
        self._at: dict[str, dict[Place, SitePoint]] = {}
        for own in sums:
            for place, (site, _) in own.items():
                self._at.setdefault(site.path, {})[place] = site

    def added(self, path: str, x: Tensor, y: Tensor) -> Tensor:
        """The output of a linear with what the sums add to it.

        Args:
            path: Of the linear.
            x: Its input, ``(batch, tokens, in)``.
            y: Its output, ``(batch, tokens, out)``.
        """
        for place, site in self._at.get(path, {}).items():
            able = tuple(number for number, own in enumerate(self._sums) if place in own)
            which = self._which(able, y.device)
            if which is None:
                continue
            factors = [joined(self._sums[number][place][1]) for number in which.numbers]
            inside, part = x, y[..., site.start : site.stop]
            if which.rows is not None:
                inside, part = x[which.rows], part[which.rows]
            y = _put(y, site, which.rows, _sum(inside, part, factors, which.owners))
        return y

    def _which(self, able: tuple[int, ...], device: torch.device) -> _Which | None:
        if self._acts is None:
            return _Which([0], torch.zeros(0, dtype=torch.long), None) if 0 in able else None
        if able not in self._seen:
            rows = [row for row, act in enumerate(self._acts) if act in able]
            own = [act for act in self._acts if act is not None and act in able]
            numbers = sorted(set(own))
            owners = torch.tensor([numbers.index(act) for act in own], device=device)
            some = None if len(rows) == len(self._acts) else torch.tensor(rows, device=device)
            self._seen[able] = _Which(numbers, owners, some) if rows else None
        return self._seen[able]


def _sum(x: Tensor, y: Tensor, factors: Factors, owners: Tensor) -> Tensor:
    """``y + up down x``, for each row by the factors of its owner."""
    if len(factors) == 1:
        [(down, up)] = factors
        added: Tensor = AddLowRank.apply(x, y, down, up, 1.0)
        return added
    rank = max(len(down) for down, _ in factors)
    if x.shape[1] < LONG * rank:
        return _by_owner(x, y, factors, owners)
    down = torch.stack([F.pad(a, (0, 0, 0, rank - len(a))) for a, _ in factors]).to(x.dtype)
    up = torch.stack([F.pad(b, (0, rank - b.shape[1])) for _, b in factors]).to(x.dtype)
    narrow = torch.bmm(x, down[owners].transpose(1, 2))
    return torch.baddbmm(y, narrow, up[owners].transpose(1, 2))


def _by_owner(x: Tensor, y: Tensor, factors: Factors, owners: Tensor) -> Tensor:
    """The same, owner after owner."""
    out = y.clone()
    for number, (down, up) in enumerate(factors):
        rows = (owners == number).nonzero().flatten()
        delta = F.linear(F.linear(x[rows], down.to(x.dtype)), up.to(x.dtype))
        out.index_add_(0, rows, delta)
    return out


def _put(y: Tensor, site: SitePoint, rows: Tensor | None, part: Tensor) -> Tensor:
    """The output with a part of it, some rows or some features, replaced."""
    if part.shape == y.shape:
        return part
    out = y.clone()
    inside = out[..., site.start : site.stop]
    if rows is None:
        inside.copy_(part)
    else:
        inside.index_copy_(0, rows, part)
    return out
