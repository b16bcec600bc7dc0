"""Arguments: the role of every word for each given predicate of a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from xadapt.core.errors import UserError
from xadapt.data.records import ROLES, OpenTriples
from xadapt.functional.losses import token_cross_entropy
from xadapt.functional.tag_scheme import labels_of, to_labels
from xadapt.heads.argument_head import ArgumentHead, Asked, asked
from xadapt.objectives.contract import EncodeView, Loss, States


@dataclass(frozen=True)
class Arguments:
    """Cross-entropy of word labels (BIO over A0 to A3), once for each predicate of a sentence.

    A sentence is encoded once for all its predicates; its loss is the mean over predicates and
    words. The predicate's own words are outside all arguments.

    Source: the argument tagger of Multi²OIE, Ro et al. 2020, https://arxiv.org/abs/2009.08128,
    section 3.3, with a simpler head: see `xadapt.heads.argument_head.ArgumentHead`.

    Attributes:
        hidden: Features of the head's hidden layer.
        distance: Features of the embedded distance to the predicate.
        clip: The largest distance, in words, that has an embedding of its own.
    """

    hidden: int = 256
    distance: int = 64
    clip: int = 32

    consumes: ClassVar[type] = OpenTriples
    source: ClassVar[str] = "https://arxiv.org/abs/2009.08128"
    coupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if min(self.hidden, self.distance, self.clip) < 1:
            raise ValueError("hidden, distance and clip must be at least 1")

    def heads(self, width: int) -> ArgumentHead:
        """Build the head, which is trained with the module."""
        return ArgumentHead(
            labels_of(ROLES, "bio"),
            width,
            hidden=self.hidden,
            distance=self.distance,
            clip=self.clip,
        )

    def views(
        self,
        records: Sequence[OpenTriples],
        tokenize_words: Callable[[Sequence[Sequence[str]]], list[Any]],
    ) -> dict[str, Any]:
        """Build the view of the sentences, the queries, and the expected labels.

        Raises:
            UserError: If the spans of a sentence overlap or have an unknown role.
        """
        rows = tokenize_words([r.words for r in records])
        number = {label: i for i, label in enumerate(labels_of(ROLES, "bio"))}
        queries: list[Asked] = []
        labels: list[int] = []
        for owner, (record, row) in enumerate(zip(records, rows, strict=True)):
            for predicate, *spans in record.extractions:
                query = asked(owner, row.first, *predicate[:2])
                if query is not None:
                    own = _labels(record, spans)
                    queries.append(query)
                    labels += [number[own[word]] for word in query.words]
        langs = [r.lang for r in records]
        view = EncodeView([row.ids for row in rows], output="states", langs=langs)
        return {"text": view, "queries": queries, "labels": labels}

    def loss(
        self, text: States, queries: list[Asked], labels: list[int], heads: ArgumentHead
    ) -> Loss:
        """Compute each sentence's mean loss over predicates and words, weighted by their number."""
        n, device = len(text.hidden), text.hidden.device
        if not queries:
            return Loss(text.hidden.sum((1, 2)).float() * 0, torch.zeros(n, device=device))
        owner = torch.tensor([q.row for q in queries for _ in q.at], device=device)
        target = torch.tensor(labels, device=device)
        return Loss(*token_cross_entropy(heads.scores(text.hidden, queries), target, owner, n))


def _labels(record: OpenTriples, spans: Sequence[tuple[int, int, str]]) -> list[str]:
    try:
        labels = to_labels(len(record.words), spans, "bio")
    except ValueError as error:
        raise UserError(str(error), where=record.origin) from None
    unknown = {role for *_, role in spans} - set(ROLES)
    if unknown:
        raise UserError(f"there is no role {sorted(unknown)[0]!r}", where=record.origin)
    return labels


Part = Arguments
