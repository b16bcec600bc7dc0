"""Tagging: the label of each word, predicted from its first token by a linear head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.functional.losses import token_cross_entropy
from xadapt.functional.tag_scheme import Scheme, labels_of, to_labels
from xadapt.heads.head import Head
from xadapt.objectives.contract import EncodeView, Loss, States


@dataclass(frozen=True)
class Tagging:
    """Cross-entropy of word labels, the mean over words; the first token represents each word.

    Source: Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 5.3.

    Attributes:
        scheme: ``bio`` for spans, such as named entities; ``word`` where each word has a label,
            such as a part of speech.
    """

    scheme: Literal["bio", "word"] = "bio"

    consumes: ClassVar[type] = TaggedSentence
    source: ClassVar[str] = "https://arxiv.org/abs/1810.04805"
    coupled: ClassVar[bool] = False

    def prepare(self, records: Sequence[TaggedSentence]) -> tuple[str, ...]:
        """Collect all labels of the data.

        Raises:
            UserError: If there is only one label, so there is nothing to learn.
        """
        found = labels_of((name for r in records for *_, name in r.spans), self.scheme)
        if len(found) < 2:
            raise UserError(
                f"all words of the {len(records)} sentences have the same label",
                where=records[0].origin,
                todo="Check the labels and the scheme of the recipe",
            )
        return found

    def heads(self, width: int, memory: tuple[str, ...]) -> Head:
        """Build the linear head, which is trained with the module."""
        return Head("tagging", memory, width, self.scheme)

    def views(
        self,
        records: Sequence[TaggedSentence],
        memory: tuple[str, ...],
        tokenize_word_windows: Callable[[Sequence[Sequence[str]]], list[Any]],
    ) -> dict[str, Any]:
        """Build the view of the sentences' windows, and the expected labels with their positions.

        A sentence that the base reads whole is one window. Each word has its label in one window:
        the one in which the word has the most context.

        Raises:
            UserError: If the spans of a sentence do not follow the scheme.
        """
        windows = tokenize_word_windows([r.words for r in records])
        number = {label: i for i, label in enumerate(memory)}
        places, labels = [], []
        every = [word_labels(record, self.scheme) for record in records]
        for position, window in enumerate(windows):
            own = every[window.owner]
            places += [(position, window.first[word]) for word in window.known]
            labels += [number[own[word]] for word in window.known]
        owners = [window.owner for window in windows]
        view = EncodeView(
            [window.ids for window in windows],
            output="states",
            langs=[records[owner].lang for owner in owners],
        )
        return {"text": view, "owners": owners, "places": places, "labels": labels}

    def loss(
        self,
        text: States,
        owners: list[int],
        places: list[tuple[int, int]],
        labels: list[int],
        heads: Head,
    ) -> Loss:
        """Compute the mean loss of each sentence's words, weighted by their number: ``(n,)``."""
        device = text.hidden.device
        index = torch.tensor(places, device=device, dtype=torch.long).reshape(-1, 2)
        scores = heads(text.hidden[index[:, 0], index[:, 1]])
        target = torch.tensor(labels, device=device, dtype=torch.long)
        owner = torch.tensor(owners, device=device, dtype=torch.long)
        return Loss(
            *token_cross_entropy(scores, target, owner[index[:, 0]], max(owners, default=-1) + 1)
        )


def word_labels(record: TaggedSentence, scheme: Scheme) -> list[str]:
    """Return the label of each word of a sentence.

    Raises:
        UserError: If the spans do not follow the scheme.
    """
    try:
        return to_labels(len(record.words), record.spans, scheme)
    except ValueError as error:
        raise UserError(str(error), where=record.origin) from None


Part = Tagging
