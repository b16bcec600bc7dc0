"""Short rows laid end to end beside long ones, so that fewer tokens of a forward are padding."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

STRETCHES = (1, 1.25, 1.5, 2, 3)
LONGEST = 128  # tokens of a line that is longer than its longest row
ATTENTION = 400  # tokens of a line whose attention costs as much as all else in a layer


class Packs:
    """Rows of a padded batch on lines, several to a line.

    Lines are as long as the longest row, or longer where that leaves so little padding that it
    outweighs the attention between rows, which is computed and thrown away. Each row goes to the
    first line that has room for it, the longest first.

    Args:
        lengths: Tokens of each row.

    Attributes:
        lines: Number of lines.
        tokens: Tokens of a line.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self._lengths, self._rows, self._longest = lengths, len(lengths), max(lengths)
        stretched = {int(self._longest * by) for by in STRETCHES}
        tries = [n for n in sorted(stretched) if n <= max(LONGEST, self._longest)]
        laid = [_laid(lengths, tokens) for tokens in tries]
        best = min(range(len(tries)), key=lambda i: _cost(laid[i][1], tries[i]))
        self.tokens = tries[best]
        self._place, self.lines = laid[best]

    @cached_property
    def _tokens(self) -> tuple[Tensor, Tensor, Tensor]:
        """For each token of the lines where it is in the batch, the reverse, and whose it is."""
        taken = torch.zeros(self.lines * self.tokens, dtype=torch.long)
        given = torch.zeros(self._rows * self._longest, dtype=torch.long)
        owner = torch.zeros_like(taken)
        for row, (line, begin) in self._place.items():
            there = torch.arange(self._lengths[row]) + line * self.tokens + begin
            here = torch.arange(self._lengths[row]) + row * self._longest
            taken[there], given[here], owner[there] = here, there, row + 1
        return taken, given, owner.view(self.lines, self.tokens)

    @property
    def saved(self) -> int:
        """Tokens fewer than in the padded batch."""
        return self._rows * self._longest - self.lines * self.tokens

    def pack(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Rows to lines.

        Args:
            hidden: ``(rows, longest row, width)``.

        Returns:
            States ``(lines, tokens, width)``, and for each token the number of its row, from 1,
            or 0 for padding, ``(lines, tokens)``.
        """
        taken, _, owner = self._tokens
        flat = hidden.flatten(0, 1).index_select(0, taken.to(hidden.device))
        return flat.view(self.lines, self.tokens, -1), owner.to(hidden.device)

    def unpack(self, states: Tensor) -> Tensor:
        """Lines to rows, ``(rows, longest row, width)``; what stands at padding has no meaning."""
        flat = states.flatten(0, 1).index_select(0, self._tokens[1].to(states.device))
        return flat.view(self._rows, self._longest, -1)


def together(owner: Tensor) -> Tensor:
    """1 where two tokens of a line are of one row: ``(lines, tokens)`` to ``(.., tokens, tokens)``.

    Padding goes with padding, so that no token is left with nothing to attend to.
    """
    return (owner.unsqueeze(1) == owner.unsqueeze(2)).long()


def _laid(lengths: Sequence[int], tokens: int) -> tuple[dict[int, tuple[int, int]], int]:
    """Line and place on it of each row, and the number of lines."""
    used: list[int] = []
    place = {}
    for row in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        fits = (i for i, taken in enumerate(used) if taken + lengths[row] <= tokens)
        line = next(fits, len(used))
        if line == len(used):
            used.append(0)
        place[row] = line, used[line]
        used[line] += lengths[row]
    return place, len(used)


def _cost(lines: int, tokens: int) -> float:
    """What lines cost in a layer: their tokens, each with its attention."""
    return lines * tokens * (1 + tokens / ATTENTION)
