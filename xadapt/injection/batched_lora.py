"""LoRAs on different rows of one batch, computed together at each linear."""

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
    """The sums that act at a linear: their numbers, the owner of each row, and the rows."""

    numbers: list[int]
    owners: Tensor
    rows: Tensor | None


class RowSums:
    """Sums of low-rank updates, each on its own rows of a batch.

    The sums on different rows are computed together: every row is multiplied by its own factors
    in one batched product. A batch with all rows under one sum takes the plain product. Rows
    without a sum stay bitwise unchanged.

    Source: the batched products are those of Punica, https://arxiv.org/abs/2310.18547, section 4,
    and S-LoRA, https://arxiv.org/abs/2311.03285, section 5, for the rows of an encoder.

    Args:
        sums: The updates of each sum, with their linears.
        acts: The number of the sum that acts on each row of the batch, ``None`` for none. Without
            this argument, the first sum acts on all rows, for any number of rows.
    """

    def __init__(self, sums: Sequence[Updates], acts: Sequence[int | None] | None = None) -> None:
        self._sums, self._acts = sums, acts
        self._seen: dict[tuple[int, ...], _Which | None] = {}
        self._at: dict[str, dict[Place, SitePoint]] = {}
        for own in sums:
            for place, (site, _) in own.items():
                self._at.setdefault(site.path, {})[place] = site

    def added(self, path: str, x: Tensor, y: Tensor) -> Tensor:
        """Add the sums to the output of a linear.

        Args:
            path: Path of the linear.
            x: Input of the linear, ``(batch, tokens, in)``.
            y: Output of the linear, ``(batch, tokens, out)``.
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
    """Compute ``y + up down x``, with the factors of each row's owner."""
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
    """Compute ``y + up down x`` for one owner after another."""
    out = y.clone()
    for number, (down, up) in enumerate(factors):
        rows = (owners == number).nonzero().flatten()
        out.index_copy_(0, rows, AddLowRank.apply(x[rows], y[rows], down, up, 1.0))
    return out


def _put(y: Tensor, site: SitePoint, rows: Tensor | None, part: Tensor) -> Tensor:
    """Replace a part of the output: some rows or some features."""
    if part.shape == y.shape:
        return part
    out = y.clone()
    inside = out[..., site.start : site.stop]
    if rows is None:
        inside.copy_(part)
    else:
        inside.index_copy_(0, rows, part)
    return out
