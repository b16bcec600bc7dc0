"""Relations: the relation between two entities of a text, between markers of the module's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from xadapt.backbones.encoder.marked_rows import MARKERS, MarkedRow, marked_row
from xadapt.backbones.encoder.text_places import PlacedText
from xadapt.core.errors import UserError
from xadapt.data.records import RelationExample
from xadapt.heads.relation_head import RelationHead
from xadapt.objectives.class_weights import ClassWeights, Labels, require_weights, weighted_classes
from xadapt.objectives.classification import cross_entropy
from xadapt.objectives.contract import EncodeView, Loss, States

Tokenize = Callable[..., list[PlacedText]]


@dataclass(frozen=True)
class Relation:
    """Cross-entropy of the relation between two entities of a text.

    Four markers stand before and behind the head and the tail. They are ids beyond the base's
    vocabulary, whose vectors the module kind ``own_tokens`` trains; the base's table stays frozen.

    Source: Hennig et al. 2023 (MultiTACRED), https://arxiv.org/abs/2305.04582, with the row's first
    token; Baldini Soares et al. 2019, https://arxiv.org/abs/1906.03158, section 3.2, with both
    opening markers.

    Attributes:
        features: What the head reads: ``markers``, the states of the markers before head and tail;
            or ``cls``, the state of the row's first token.
        types: Whether the types of head and tail follow the text, as words.
        class_weights: As for `xadapt.objectives.classification`.
    """

    features: Literal["markers", "cls"] = "markers"
    types: bool = False
    class_weights: ClassWeights = None

    consumes: ClassVar[type] = RelationExample
    source: ClassVar[str] = "https://arxiv.org/abs/2305.04582"
    coupled: ClassVar[bool] = False
    own_tokens: ClassVar[int] = MARKERS

    def __post_init__(self) -> None:
        require_weights(self.class_weights)

    def prepare(self, records: Sequence[RelationExample]) -> Labels:
        """Collect all relations of the data, with their weights.

        Raises:
            UserError: If there is only one relation, or types are asked for and no text has any.
        """
        found = weighted_classes([record.relation for record in records], self.class_weights)
        if len(found) < 2:
            raise UserError(
                f"all {len(records)} texts have the same relation", where=records[0].origin
            )
        if self.types and not any(any(record.types) for record in records):
            raise UserError(
                "no text has types of its head and tail",
                where=records[0].origin,
                todo="Leave the option types out",
            )
        return found

    def heads(self, width: int, memory: tuple[str, ...]) -> RelationHead:
        """Build the linear head, which is trained with the module."""
        states = 2 if self.features == "markers" else 1
        return RelationHead(memory, width, states=states, types=int(self.types))

    def views(
        self,
        records: Sequence[RelationExample],
        tokenize_places: Tokenize,
        tokenizer: Any,
        vocabulary: int,
        max_length: int,
        memory: tuple[str, ...],
    ) -> dict[str, Any]:
        """Build the view of the marked texts, the places of the markers, and the relations."""
        rows = marked_rows(
            records, tokenize_places, tokenizer, vocabulary, max_length, types=self.types
        )
        number = {label: i for i, label in enumerate(memory)}
        view = EncodeView(
            [row.ids for row in rows], output="states", langs=[record.lang for record in records]
        )
        return {
            "text": view,
            "markers": [(row.head, row.tail) for row in rows],
            "labels": [number[record.relation] for record in records],
        }

    def loss(
        self,
        text: States,
        markers: list[tuple[int, int]],
        labels: list[int],
        heads: RelationHead,
        memory: Labels | None = None,
    ) -> Loss:
        """Compute the loss of each text: ``(n,)``."""
        weights = memory.weights if memory is not None else None
        scores = heads.scores(text.hidden, torch.tensor(markers))
        return cross_entropy(scores, labels, 0.0, weights)


def marked_rows(
    records: Sequence[RelationExample],
    tokenize_places: Tokenize,
    tokenizer: Any,
    vocabulary: int,
    max_length: int,
    *,
    types: bool = False,
) -> list[MarkedRow]:
    """Make the rows of texts with markers around their entities.

    Args:
        records: The texts.
        tokenize_places: As `xadapt.backbones.encoder.text_places.tokenize_places`, without the
            encoder.
        tokenizer: The base's tokenizer.
        vocabulary: Id of the first marker.
        max_length: Largest number of tokens of a row.
        types: Whether the types of head and tail follow each text.
    """
    special = frozenset(tokenizer.all_special_ids)
    placed = tokenize_places([record.text for record in records], whole=True)
    return [
        marked_row(
            text,
            record.head,
            record.tail,
            first=vocabulary,
            special=special,
            max_length=max_length,
            suffix=_types(record, tokenizer) if types else (),
        )
        for text, record in zip(placed, records, strict=True)
    ]


def _types(record: RelationExample, tokenizer: Any) -> list[int]:
    """Return the tokens of both types, each behind a separator."""
    found = []
    for name in record.types:
        words = name.replace("_", " ").lower()
        ids = tokenizer(words, add_special_tokens=False)["input_ids"] if words else []
        found += [tokenizer.sep_token_id, *ids]
    return found


Part = Relation
