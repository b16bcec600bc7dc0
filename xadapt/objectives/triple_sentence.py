"""TS: a sentence without the mention of an entity is near a name of the entity."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.data.records import EntityMention
from xadapt.objectives.contract import draws
from xadapt.objectives.name_ranking import Asked, NameRanking, draw_name, keys_of, ranked


@dataclass(frozen=True)
class TripleSentences(NameRanking):
    """InfoNCE of a sentence, out of which the object is cut, and a name of the object.

    ``L = - log (exp(cos(q, p) / t) / sum over names n of the batch of exp(cos(q, n) / t))`` with q
    the sentence. Names of the same entity, and texts equal to one of its names, are no negatives.

    Source: "TS" of Hou et al. 2022, https://arxiv.org/abs/2210.13617, section 3.1. In the rows of
    the authors' data, the end of the subject is inclusive and that of the object exclusive; the
    reader ``relation_sentences`` reads each as what it is.

    Attributes:
        temperature: Cosines are divided by it.
        both_directions: Also rank the sentences of the batch for each name; published is one
            direction.
    """

    consumes: ClassVar[type] = EntityMention

    def views(self, records: Sequence[EntityMention], rng: random.Random) -> dict[str, Any]:
        """Build views of the sentences and of names, drawn anew in each step."""
        asked = [
            Asked((record.lang, without_mention(record)), draw_name(record.names, chance),
                  record.entity, {record.entity}, keys_of(record.names))
            for record, chance in zip(records, draws(rng, records), strict=True)
        ]  # fmt: skip
        return ranked(asked)


def without_mention(record: EntityMention) -> str:
    """Return the sentence without the mention, with single spaces."""
    start, end = record.span
    return " ".join(f"{record.text[:start]} {record.text[end:]}".split())


Part = TripleSentences
