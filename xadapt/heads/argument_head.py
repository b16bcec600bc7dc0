"""The head of open information extraction: labels of words for a predicate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xadapt.heads.head import Head


@dataclass(frozen=True)
class Asked:
    """One predicate of an encoded sentence, and the words whose roles are to be scored.

    Attributes:
        row: Row of the states.
        words: Positions of the words in the sentence that have a token.
        at: The positions of their first tokens.
        predicate: The positions of the first tokens of the predicate's words.
        distances: Signed distance of each word to the predicate, in words: positive after its last
            word, negative before its first word, 0 inside.
    """

    row: int
    words: list[int]
    at: list[int]
    predicate: list[int]
    distances: list[int]


def asked(row: int, first: Sequence[int | None], start: int, stop: int) -> Asked | None:
    """Build the query of one predicate; ``None`` if the predicate was cut off.

    Args:
        row: Row of the states.
        first: The position of each word's first token; ``None`` for a word without a token.
        start: The predicate's first word.
        stop: One past the predicate's last word.
    """
    known = [(word, at) for word, at in enumerate(first) if at is not None]
    predicate = [at for word, at in known if start <= word < stop]
    if not predicate:
        return None
    words = [word for word, _ in known]
    distances = [min(word - start, 0) + max(word - stop + 1, 0) for word in words]
    return Asked(row, words, [at for _, at in known], predicate, distances)


class ArgumentHead(Head):
    """A head that scores the label of each word for one predicate of the sentence.

    The input is ``[h_i ; mean of the predicate's h ; embedding of the clipped signed distance]``,
    where the states are of first tokens. It goes through one hidden layer.

    Multi²OIE (Ro et al. 2020, https://arxiv.org/abs/2009.08128, section 3.3) has the same input,
    but its embedding only separates the predicate's words from other words. It then applies four
    layers of attention to the predicate's words. This head reads, for each word, only its own state
    and the states of the predicate's words.

    Args:
        labels: The labels of the scores, in order.
        width: Features of a state.
        hidden: Features of the hidden layer.
        distance: Features of an embedded distance.
        clip: The largest distance, in words, that has an embedding of its own.
    """

    def __init__(
        self,
        labels: Sequence[str],
        width: int,
        *,
        hidden: int = 256,
        distance: int = 64,
        clip: int = 32,
    ) -> None:
        super().__init__("arguments", labels, hidden)
        self.sizes = {"hidden": hidden, "distance": distance, "clip": clip}
        self.hidden = nn.Linear(2 * width + distance, hidden)
        self.distance = nn.Embedding(2 * clip + 1, distance)

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(..., 2 width + distance)`` to scores ``(..., labels)``, in fp32."""
        scores: Tensor = self.linear(F.gelu(self.hidden(features.float())))
        return scores

    def scores(self, states: Tensor, queries: Sequence[Asked]) -> Tensor:
        """Compute scores ``(words of all queries, labels)``, one query after the other.

        Args:
            states: ``(rows, tokens, width)``.
            queries: The predicates, at least one.
        """
        device, clip = states.device, self.sizes["clip"]
        lengths = torch.tensor([len(query.at) for query in queries], device=device)
        at = torch.tensor([(q.row, at) for q in queries for at in q.at], device=device)
        means = torch.stack([states[q.row, q.predicate].float().mean(0) for q in queries])
        far = torch.tensor([far for q in queries for far in q.distances], device=device)
        words = states[at[:, 0], at[:, 1]].float()
        near = self.distance(far.clamp(-clip, clip) + clip)
        return self(torch.cat([words, means.repeat_interleave(lengths, 0), near], -1))
