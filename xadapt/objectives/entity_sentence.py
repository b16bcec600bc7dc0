"""ES: a description of an entity is near a name of the entity."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.data.records import DescribedEntity
from xadapt.objectives.contract import draws
from xadapt.objectives.name_ranking import Asked, NameRanking, draw_name, keys_of, ranked


@dataclass(frozen=True)
class EntitySentences(NameRanking):
    """InfoNCE of a description of an entity and one of its names, in a language that is drawn.

    ``L = - log (exp(cos(q, p) / t) / sum over names n of the batch of exp(cos(q, n) / t))`` with q
    the description. Names of the same entity, and texts equal to one of its names, are no
    negatives.

    Source: "ES" of Hou et al. 2022, https://arxiv.org/abs/2210.13617, section 3.1.

    Attributes:
        temperature: Cosines are divided by it.
        both_directions: Also rank the descriptions of the batch for each name; published is one
            direction.
    """

    consumes: ClassVar[type] = DescribedEntity

    def views(self, records: Sequence[DescribedEntity], rng: random.Random) -> dict[str, Any]:
        """Build views of the descriptions and of names, drawn anew in each step."""
        asked = [
            Asked((record.lang, record.text), draw_name(record.names, chance), record.entity,
                  {record.entity}, keys_of(record.names))
            for record, chance in zip(records, draws(rng, records), strict=True)
        ]  # fmt: skip
        return ranked(asked)


Part = EntitySentences
