"""Overlapping windows: a text or sentence that is longer than a base reads, in several rows.

Each window is as full as it can be. Neighbouring windows share some tokens, so that a word at the
edge of one window has context in the next.
"""

from __future__ import annotations

import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from xadapt.core import registry
from xadapt.core.errors import Notice, UserError

Windows = Literal["first", "mean", "max"]
"""What a text longer than the base reads becomes: its first window, or the mean or the largest
values of the vectors of all its windows."""
FIRST: Windows = "first"
WINDOWS: tuple[Windows, ...] = ("first", "mean", "max")
Bound = tuple[int, int]
SHARED = 4
"""Two windows of a text share one of this many tokens."""


class CutNotice(Notice):
    """The warning that inputs were cut, or that no forward has seen a word."""


def require_windows(name: str) -> Windows:
    """Return a name of `WINDOWS`.

    Raises:
        UserError: If it is none of them.
    """
    if name not in WINDOWS:
        raise UserError(registry.unknown("value", str(name), list(WINDOWS)), where="windows")
    return name


def bounds(sizes: Sequence[int], room: int, overlap: int) -> list[Bound]:
    """Cut a sequence of units, such as words, into windows of at most ``room`` tokens.

    All windows are as full as units allow; the last one reaches back for that. A unit larger than
    ``room`` is a window of its own.

    Args:
        sizes: Number of tokens of each unit.
        room: Largest number of tokens of a window, 1 or more.
        overlap: Largest number of tokens that a window shares with the one before.

    Returns:
        ``(start, stop)`` of each window in units, half-open, in order; one window if all units fit.
    """
    ends = [0, *accumulate(sizes)]
    n, start = len(sizes), 0
    found: list[Bound] = []
    while True:
        stop = max(start + 1, bisect_right(ends, ends[start] + room) - 1)
        if stop >= n:
            break
        found.append((start, stop))
        # The next window begins where both the overlap and the first new unit allow it.
        least = max(ends[stop] - overlap, ends[stop + 1] - room)
        start = min(max(start + 1, bisect_left(ends, least)), stop)
    if found:
        last = found[-1][0] + 1
        start = min(max(last, bisect_left(ends, ends[n] - room)), start)
    return [*found, (start, n)]


def most_context(sizes: Sequence[int], windows: Sequence[Bound]) -> list[int]:
    """Choose for each unit the window in which it has the most context.

    The context is the smaller one of the numbers of tokens to the left and to the right of the
    unit in the window. Among equals, the first window is chosen.

    Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, the code for SQuAD.

    Args:
        sizes: Number of tokens of each unit.
        windows: ``(start, stop)`` of each window, as `bounds` gives them.

    Returns:
        The position of a window for each unit.
    """
    ends = [0, *accumulate(sizes)]
    best, chosen = [-1] * len(sizes), [0] * len(sizes)
    for number, (start, stop) in enumerate(windows):
        for unit in range(start, stop):
            context = min(ends[unit] - ends[start], ends[stop] - ends[unit + 1])
            if context > best[unit]:
                best[unit], chosen[unit] = context, number
    return chosen


def passes(owners: Sequence[int]) -> list[list[int]]:
    """Group windows: the first ones of all owners, and then all others.

    So the forwards of the first windows are those of a run without windows, bit for bit.

    Args:
        owners: The owner of each window.

    Returns:
        Positions of the windows of each group; no group is empty.
    """
    first: list[int] = []
    others: list[int] = []
    seen: set[int] = set()
    for position, owner in enumerate(owners):
        (others if owner in seen else first).append(position)
        seen.add(owner)
    return [group for group in (first, others) if group]


def tell(line: str) -> None:
    """Warn that inputs were cut or not seen."""
    warnings.warn(line, CutNotice, stacklevel=3)


def combined(
    vectors: Tensor, owners: Sequence[int], count: int, how: Windows, unit: bool
) -> Tensor:
    """Combine the vectors of windows to one vector for each text.

    Args:
        vectors: ``(windows, dim)``.
        owners: The text of each window.
        count: Number of texts; each has a window.
        how: ``mean`` or ``max`` over the windows of a text; ``first`` takes the first one.
        unit: Whether vectors of several windows are scaled to length 1 afterwards.

    Returns:
        ``(count, dim)``; the vector of the window for a text of one window, bit for bit.
    """
    places: list[list[int]] = [[] for _ in range(count)]
    for position, owner in enumerate(owners):
        places[owner].append(position)
    found = vectors[[own[0] for own in places]].clone()
    if how == FIRST:
        return found
    for owner, own in enumerate(places):
        if len(own) > 1:
            several = vectors[own]
            one = several.mean(0) if how == "mean" else several.amax(0)
            found[owner] = F.normalize(one, dim=0) if unit else one
    return found
