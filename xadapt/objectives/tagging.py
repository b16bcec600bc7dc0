"""Tagging: the label of each word, predicted from its first token by a linear head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from xadapt.core.errors import UserError
from xadapt.data.records import TaggedSentence
from xadapt.functional.losses import token_cross_entropy
from xadapt.functional.tag_scheme import labels_of, to_labels
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
        tokenize_words: Callable[[Sequence[Sequence[str]]], list[Any]],
    ) -> dict[str, Any]:
        """Build the view of the sentences, and the expected labels with their positions.

        Raises:
            UserError: If the spans of a sentence do not follow the scheme.
        """
        rows = tokenize_words([r.words for r in records])
        number = {label: i for i, label in enumerate(memory)}
        places, labels = [], []
        for owner, (record, row) in enumerate(zip(records, rows, strict=True)):
            own = self._labels(record)
            places += [(owner, row.first[word]) for word in row.known]
            labels += [number[own[word]] for word in row.known]
        langs = [r.lang for r in records]
        view = EncodeView([row.ids for row in rows], output="states", langs=langs)
        return {"text": view, "places": places, "labels": labels}

    def loss(
        self, text: States, places: list[tuple[int, int]], labels: list[int], heads: Head
    ) -> Loss:
        """Compute the mean loss of each sentence's words, weighted by their number: ``(n,)``."""
        device = text.hidden.device
        index = torch.tensor(places, device=device, dtype=torch.long).reshape(-1, 2)
        scores = heads(text.hidden[index[:, 0], index[:, 1]])
        target = torch.tensor(labels, device=device, dtype=torch.long)
        return Loss(*token_cross_entropy(scores, target, index[:, 0], len(text.hidden)))

    def _labels(self, record: TaggedSentence) -> list[str]:
        try:
            return to_labels(len(record.words), record.spans, self.scheme)
        except ValueError as error:
            raise UserError(str(error), where=record.origin) from None


Part = Tagging
