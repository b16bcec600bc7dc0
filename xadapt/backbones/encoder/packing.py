"""Short rows laid end to end beside long ones, so that fewer tokens of a forward are padding."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

LONGEST = 128  # tokens of a line that is longer than its longest row
TRIES = 32  # numbers of lines that are tried, at most twice as many
ATTENTION = 2000  # tokens of a line whose attention costs as much as all else in a layer of MiniLM


class PackedSequences:
    """Rows of a padded batch on lines, several to a line.

    Each row goes to the line with the fewest tokens, the longest first (Graham 1969, "Bounds on
    multiprocessing timing anomalies", the LPT rule); there are as many lines as cost least. Long
    lines leave little padding, but attention between their rows is computed and thrown away.

    Args:
        lengths: Tokens of each row.

    Attributes:
        lines: Number of lines.
        tokens: Tokens of a line.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self._lengths, self._rows, self._longest = lengths, len(lengths), max(lengths)
        self._begins, self.lines, self.tokens = _cheapest(lengths)

    @cached_property
    def _tokens(self) -> tuple[Tensor, Tensor, Tensor]:
        """For each token of the lines where it is in the batch, the reverse, and whose it is."""
        lengths = torch.tensor(self._lengths)
        row = torch.arange(self._rows).repeat_interleave(lengths)
        within = torch.arange(len(row)) - (lengths.cumsum(0) - lengths)[row]
        here = row * self._longest + within
        there = torch.tensor([line * self.tokens + at for line, at in self._begins])[row] + within
        taken = torch.zeros(self.lines * self.tokens, dtype=torch.long)
        given = torch.zeros(self._rows * self._longest, dtype=torch.long)
        owner = torch.zeros_like(taken)
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


def _cheapest(lengths: Sequence[int]) -> tuple[list[tuple[int, int]], int, int]:
    """Line and place on it of each row, number of lines and their tokens."""
    rows, total, longest = len(lengths), sum(lengths), max(lengths)
    order = sorted(range(rows), key=lambda i: (-lengths[i], i))
    limit, cost = max(LONGEST, longest), math.inf
    for lines in range(rows, 0, -max(1, rows // TRIES)):  # the first is a line for each row
        least = max(longest, math.ceil(total / lines))
        if least > limit:
            break
        if _cost(lines, least) < cost:
            begins, tokens = _laid(lengths, order, lines)
            if tokens <= limit and _cost(lines, tokens) < cost:
                cost, found = _cost(lines, tokens), (begins, lines, tokens)
    return found


def _laid(
    lengths: Sequence[int], order: Sequence[int], lines: int
) -> tuple[list[tuple[int, int]], int]:
    """Line and place on it of each row, and the tokens of the fullest line."""
    used = [(0, line) for line in range(lines)]
    begins = [(0, 0)] * len(lengths)
    for row in order:
        taken, line = used[0]
        begins[row] = line, taken
        heapq.heapreplace(used, (taken + lengths[row], line))
    return begins, max(taken for taken, _ in used)


def _cost(lines: int, tokens: int) -> float:
    """What lines cost in a layer: their tokens, each with its attention."""
    return lines * tokens * (1 + tokens / ATTENTION)
