"""Words of labelled sentences and of unlabelled ones in another language, as ProKD reads them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.objectives.contract import draws

Windows = Callable[[Sequence[Sequence[str]]], list[Any]]


@dataclass(frozen=True)
class Words:
    """The words of several sentences, each by the first token of the word.

    Attributes:
        rows: Token ids of each window; a sentence that the base reads whole is one window.
        langs: The language of each window.
        places: ``(window, position)`` of each word.
        owners: The sentence of each word.
        numbers: The number of each word in its sentence.
        sentences: Number of sentences.
    """

    rows: list[Sequence[int]]
    langs: list[str]
    places: list[tuple[int, int]]
    owners: list[int]
    numbers: list[int]
    sentences: int

    @classmethod
    def of(cls, records: Sequence[TaggedSentence], windows: Windows) -> Words:
        """Find the words of records, whose labels are not read."""
        found = windows([record.words for record in records])
        known = [(row, window, word) for row, window in enumerate(found) for word in window.known]
        return cls(
            [window.ids for window in found],
            [records[window.owner].lang for window in found],
            [(row, window.first[word]) for row, window, word in known],
            [window.owner for _, window, _ in known],
            [word for _, _, word in known],
            len(records),
        )

    def states(self, hidden: Tensor) -> Tensor:
        """Pick the state of each word from ``hidden (windows, tokens, width)``, in fp32."""
        index = torch.tensor(self.places, device=hidden.device, dtype=torch.long).reshape(-1, 2)
        return hidden[index[:, 0], index[:, 1]].float()

    def owner(self, device: torch.device) -> Tensor:
        """Return the sentence of each word, ``(words,)``."""
        return torch.tensor(self.owners, device=device, dtype=torch.long)

    def means(self, each: Tensor) -> tuple[Tensor, Tensor]:
        """Average numbers of words ``(words,)`` over each sentence.

        Returns:
            The means and the numbers of words, both ``(sentences,)``; 0 without a word.
        """
        owner = self.owner(each.device)
        sums = each.new_zeros(self.sentences).index_add(0, owner, each)
        counts = each.new_zeros(self.sentences).index_add(0, owner, torch.ones_like(each))
        return sums / counts.clamp(min=1), counts


def drawn(
    records: Sequence[TaggedSentence], rng: random.Random, target: Sequence[TaggedSentence]
) -> list[TaggedSentence]:
    """Draw an unlabelled sentence for each record, anew in each step."""
    return [chance.choice(target) for chance in draws(rng, records)]


def require_target(target: Sequence[TaggedSentence]) -> None:
    """Refuse target data without a word.

    Raises:
        UserError: If there is no sentence.
    """
    if not target:
        raise UserError(
            "there is no sentence of the target language",
            where="--data target",
            todo="Give words of sentences, one a line, from the target's training text",
        )
