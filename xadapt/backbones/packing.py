"""Short rows laid end to end beside long ones, so that fewer tokens of a forward are padding."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor


class Packs:
    """Rows of a padded batch on lines, several to a line, none longer than the longest row.

    Each row goes to the first line that has room for it, the longest first.

    Args:
        lengths: Tokens of each row; the longest is the length of a line.

    Attributes:
        lines: Number of lines.
        longest: Tokens of a line.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self.longest = max(lengths)
        self._lengths, self._rows = lengths, len(lengths)
        used: list[int] = []
        self._place: dict[int, tuple[int, int]] = {}
        for row in sorted(range(self._rows), key=lambda i: (-lengths[i], i)):
            fits = (i for i, taken in enumerate(used) if taken + lengths[row] <= self.longest)
            line = next(fits, len(used))
            if line == len(used):
                used.append(0)
            self._place[row] = line, used[line]
            used[line] += lengths[row]
        self.lines = len(used)

    @cached_property
    def _tokens(self) -> tuple[Tensor, Tensor, Tensor]:
        """For each token of the lines where it is in the batch, the reverse, and whose it is."""
        taken = torch.zeros(self.lines * self.longest, dtype=torch.long)
        given = torch.zeros(self._rows * self.longest, dtype=torch.long)
        owner = torch.zeros_like(taken)
        for row, (line, begin) in self._place.items():
            there = torch.arange(self._lengths[row]) + line * self.longest + begin
            here = torch.arange(self._lengths[row]) + row * self.longest
            taken[there], given[here], owner[there] = here, there, row + 1
        return taken, given, owner.view(self.lines, self.longest)

    @property
    def saved(self) -> int:
        """Lines fewer than rows."""
        return self._rows - self.lines

    def pack(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Rows to lines.

        Args:
            hidden: ``(rows, longest, width)``.

        Returns:
            States ``(lines, longest, width)``, and for each token the number of its row, from 1,
            or 0 for padding, ``(lines, longest)``.
        """
        taken, _, owner = self._tokens
        flat = hidden.flatten(0, 1).index_select(0, taken.to(hidden.device))
        return flat.view(self.lines, self.longest, -1), owner.to(hidden.device)

    def unpack(self, states: Tensor) -> Tensor:
        """Lines to rows, ``(rows, longest, width)``; what stands at padding has no meaning."""
        flat = states.flatten(0, 1).index_select(0, self._tokens[1].to(states.device))
        return flat.view(self._rows, self.longest, -1)


def together(owner: Tensor) -> Tensor:
    """1 where two tokens of a line are of one row: ``(lines, tokens)`` to ``(.., tokens, tokens)``.

    Padding goes with padding, so that no token is left with nothing to attend to.
    """
    return (owner.unsqueeze(1) == owner.unsqueeze(2)).long()
