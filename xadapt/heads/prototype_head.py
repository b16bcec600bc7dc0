"""The head of tagging that keeps a prototype of each label and language."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xadapt.functional.prototypes import class_means
from xadapt.functional.tag_scheme import Scheme
from xadapt.heads.head import Head


class PrototypeHead(Head):
    """A tagging head that also keeps the prototype of each label, in one or two languages.

    A prototype is a moving average of the states of a label's words. Scores do not depend on
    prototypes. They are buffers, so checkpoints and the module's folder hold them.

    Source: Ge et al. 2023 (ProKD), https://arxiv.org/abs/2301.08855; its constants and its code are
    not public, and the averages are those of the abstract's method as we reconstruct it.

    Args:
        labels: The labels of the scores, in order.
        width: Features of a state.
        scheme: The scheme that joins labels of words to spans.
        prototypes: Number of languages, 1 or 2.

    Attributes:
        prototypes: ``(languages, labels, width)``; zeros where a label was not seen.
        seen: ``(languages, labels)``, 1 where a label was seen, else 0.
    """

    prototypes: Tensor
    seen: Tensor

    def __init__(
        self, labels: Sequence[str], width: int, scheme: Scheme = "bio", *, prototypes: int = 2
    ) -> None:
        super().__init__("tagging", labels, width, scheme)
        self.sizes = {"prototypes": prototypes}
        self.register_buffer("prototypes", torch.zeros(prototypes, len(self.labels), width))
        self.register_buffer("seen", torch.zeros(prototypes, len(self.labels)))

    def move(self, language: int, states: Tensor, labels: Tensor, keep: float) -> Tensor:
        """Move the prototypes of the labels that a batch has, and return all prototypes.

        ``c = keep c + (1 - keep) mean``, with the mean of a label's states in the batch. A new
        label begins at its mean, and the prototype of an absent label stays. The gradient of a
        returned prototype is that of its mean, not ``1 - keep`` of it, which would vanish.

        Args:
            language: Number of the language.
            states: States of words, ``(words, width)``.
            labels: Their labels, ``(words,)``.
            keep: The share of an old prototype that stays.

        Returns:
            ``(labels, width)``.
        """
        means, counts = class_means(states.float(), labels, len(self.labels))
        old, known = self.prototypes[language], self.seen[language].unsqueeze(1) > 0
        there = counts.unsqueeze(1) > 0
        moved = torch.where(known, keep * old + (1 - keep) * means.detach(), means.detach())
        moved = torch.where(there, moved, old)
        self.prototypes[language] = moved
        self.seen[language] = torch.maximum(self.seen[language], (counts > 0).float())
        return moved + torch.where(there, means - means.detach(), 0.0)
