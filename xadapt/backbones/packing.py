"""Short rows laid end to end beside long ones, so that fewer tokens of a forward are padding."""

from __future__ import annotations

from collections.abc import Sequence

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
        self._rows = len(lengths)
        used: list[int] = []
        place: dict[int, tuple[int, int]] = {}
        for row in sorted(range(self._rows), key=lambda i: (-lengths[i], i)):
            fits = (i for i, taken in enumerate(used) if taken + lengths[row] <= self.longest)
            line = next(fits, len(used))
            if line == len(used):
                used.append(0)
            place[row] = line, used[line]
            used[line] += lengths[row]
        self.lines = len(used)
        self._fill(lengths, place)

    def _fill(self, lengths: Sequence[int], place: dict[int, tuple[int, int]]) -> None:
        """Which token of the batch is where on the lines, and the other way round."""
        self._taken = torch.zeros(self.lines * self.longest, dtype=torch.long)
        self._given = torch.zeros(self._rows * self.longest, dtype=torch.long)
        owner = torch.zeros(self.lines * self.longest, dtype=torch.long)
        for row, (line, begin) in place.items():
            there = torch.arange(lengths[row]) + line * self.longest + begin
            here = torch.arange(lengths[row]) + row * self.longest
            self._taken[there], self._given[here], owner[there] = here, there, row + 1
        self.owner = owner.view(self.lines, self.longest)

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
        flat = hidden.flatten(0, 1).index_select(0, self._taken.to(hidden.device))
        return flat.view(self.lines, self.longest, -1), self.owner.to(hidden.device)

    def unpack(self, states: Tensor) -> Tensor:
        """Lines to rows, ``(rows, longest, width)``; what stands at padding has no meaning."""
        flat = states.flatten(0, 1).index_select(0, self._given.to(states.device))
        return flat.view(self._rows, self.longest, -1)


def together(owner: Tensor) -> Tensor:
    """1 where two tokens of a line are of one row: ``(lines, tokens)`` to ``(.., tokens, tokens)``.

    Padding goes with padding, so that no token is left with nothing to attend to.
    """
    return (owner.unsqueeze(1) == owner.unsqueeze(2)).long()
