"""Random scores in place of a model, behind the interface that a search decodes with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Table:
    """Prefixes whose next tokens have random scores, the same ones for the same prefix.

    Args:
        scores: Log-probabilities ``(rows, vocabulary)``; a prefix is given one of the rows.
        owners: A number for each prefix; prefixes of two numbers have other scores.
        prefixes: What is written; by default nothing.
    """

    def __init__(
        self,
        scores: Tensor,
        owners: Sequence[int],
        prefixes: Sequence[tuple[int, ...]] | None = None,
    ) -> None:
        self.scores, self.owners = scores, list(owners)
        self.prefixes = [()] * len(self.owners) if prefixes is None else list(prefixes)

    @classmethod
    def drawn(cls, owners: Sequence[int], vocabulary: int = 12, seed: int = 0) -> Table:
        """Draw the scores."""
        draw = torch.Generator().manual_seed(seed)
        logits = 2 * torch.randn(4093, vocabulary, generator=draw)
        return cls(logits.log_softmax(-1), owners)

    def step(self, tokens: Sequence[int] | None = None) -> Tensor:
        """Add a token to each prefix."""
        if tokens is not None:
            both = zip(self.prefixes, tokens, strict=True)
            self.prefixes = [(*prefix, int(token)) for prefix, token in both]
        rows = [hash((o, *p)) % 4093 for o, p in zip(self.owners, self.prefixes, strict=True)]
        return self.scores[rows]

    def branch(self, rows: Sequence[int]) -> Table:
        """Return some of the prefixes."""
        own = [self.prefixes[row] for row in rows]
        return Table(self.scores, [self.owners[row] for row in rows], own)

    def join(self, others: Sequence[Table]) -> Table:
        """Return prefixes of several."""
        every = [self, *others]
        assert len({len(p) for one in every for p in one.prefixes}) == 1
        owners = [o for one in every for o in one.owners]
        return Table(self.scores, owners, [p for one in every for p in one.prefixes])

    def reread(self, rows: Sequence[int], tokens: Sequence[Sequence[int]]) -> tuple[Table, Tensor]:
        """Return new prefixes and what follows them."""
        made = Table(self.scores, [self.owners[r] for r in rows], [tuple(own) for own in tokens])
        return made, made.step()

    def total(self, owner: int, tokens: Sequence[int]) -> list[float]:
        """Return the log-probability after each token of an output."""
        totals, value = [], 0.0
        for n, token in enumerate(tokens):
            row = hash((owner, *tokens[:n])) % 4093
            value += self.scores[row, token].item()
            totals.append(value)
        return totals
