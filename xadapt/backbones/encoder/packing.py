"""Packing: short rows are joined to lines as long as long rows, which leaves less padding."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

LONGEST = 128  # maximum tokens of a line that is longer than the longest row
TRIES = 32  # numbers of lines to try, at most twice as many
ATTENTION = 2000  # tokens of a line at which attention costs half of a layer of MiniLM


class PackedSequences:
    """The rows of a padded batch, packed on lines with several rows each.

    Each row goes to the line with the fewest tokens, longest rows first (Graham 1969, "Bounds on
    multiprocessing timing anomalies", the LPT rule). The number of lines is the one with the lowest
    cost. Long lines have little padding, but the attention between their rows is computed in vain.

    Args:
        lengths: Number of tokens of each row.

    Attributes:
        lines: Number of lines.
        tokens: Number of tokens of a line.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self._lengths, self._rows, self._longest = lengths, len(lengths), max(lengths)
        self._begins, self.lines, self.tokens = _cheapest(lengths)

    @cached_property
    def _tokens(self) -> tuple[Tensor, Tensor, Tensor]:
        """Indices from lines to the batch, from the batch to lines, and the row of each token."""
        lengths = torch.tensor(self._lengths)
        row = torch.arange(self._rows).repeat_interleave(lengths)
        within = torch.arange(len(row)) - (lengths.cumsum(0) - lengths)[row]
        here = row * self._longest + within
        there = torch.tensor([line * self.tokens + at for line, at in self._begins])[row] + within
        taken = torch.zeros(self.lines * self.tokens, dtype=torch.long)
        given = torch.zeros(self._rows * self._longest, dtype=torch.long)
        segment_ids = torch.zeros_like(taken)
        taken[there], given[here], segment_ids[there] = here, there, row + 1
        return taken, given, segment_ids.view(self.lines, self.tokens)

    @property
    def saved(self) -> int:
        """The number of tokens that packing saves, compared with the padded batch."""
        return self._rows * self._longest - self.lines * self.tokens

    def pack(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Pack rows on lines.

        Args:
            hidden: ``(rows, longest row, width)``.

        Returns:
            States ``(lines, tokens, width)``, and the row number of each token, from 1, or 0 for
            padding, ``(lines, tokens)``.
        """
        taken, _, segment_ids = self._tokens
        flat = hidden.flatten(0, 1).index_select(0, taken.to(hidden.device))
        return flat.view(self.lines, self.tokens, -1), segment_ids.to(hidden.device)

    def unpack(self, states: Tensor) -> Tensor:
        """Unpack lines to rows, ``(rows, longest row, width)``; values at padding are undefined."""
        flat = states.flatten(0, 1).index_select(0, self._tokens[1].to(states.device))
        return flat.view(self._rows, self._longest, -1)


def together(segment_ids: Tensor) -> Tensor:
    """Compute the attention mask of packed rows, ``(lines, tokens, tokens)``.

    The mask is 1 where two tokens of a line belong to one row, else 0. Padding tokens attend to
    padding tokens, so that every token has a token to attend to.

    Args:
        segment_ids: The row number of each token, ``(lines, tokens)``.
    """
    return (segment_ids.unsqueeze(1) == segment_ids.unsqueeze(2)).long()


def _cheapest(lengths: Sequence[int]) -> tuple[list[tuple[int, int]], int, int]:
    """Return the line of each row and its position there, the number of lines, and their tokens."""
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
    """Return the line of each row and its position there, and the tokens of the fullest line."""
    used = [(0, line) for line in range(lines)]
    begins = [(0, 0)] * len(lengths)
    for row in order:
        taken, line = used[0]
        begins[row] = line, taken
        heapq.heapreplace(used, (taken + lengths[row], line))
    return begins, max(taken for taken, _ in used)


def _cost(lines: int, tokens: int) -> float:
    """Compute the cost of lines in a layer: their tokens, each with the cost of its attention."""
    return lines * tokens * (1 + tokens / ATTENTION)
