"""EP: two names of one entity are alike, and unlike the names of other entities."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xadapt.core.text_key import normal_key
from xadapt.data.records import EntityNames
from xadapt.objectives.contract import draws
from xadapt.objectives.name_ranking import Asked, NameRanking, draw_name, keys_of, ranked


@dataclass(frozen=True)
class EntityLabels(NameRanking):
    """InfoNCE of a name of an entity and another of its names, in a language that is drawn.

    ``L = - log (exp(cos(q, p) / t) / sum over names n of the batch of exp(cos(q, n) / t))``. Names
    of the same entity, and texts equal to one of its names, are no negatives.

    Source: "EP" of Hou et al. 2022, https://arxiv.org/abs/2210.13617, section 3.1. In the authors'
    code, entities are told apart by their English labels, and no negative is left out.

    Attributes:
        temperature: Cosines are divided by it.
        both_directions: Also rank the first names of the batch for each second name; published is
            one direction.
    """

    consumes: ClassVar[type] = EntityNames

    def views(self, records: Sequence[EntityNames], rng: random.Random) -> dict[str, Any]:
        """Build views of the names and of other names, drawn anew in each step."""
        asked = []
        for record, chance in zip(records, draws(rng, records), strict=True):
            names = record.others or ((record.pivot_lang, record.pivot),)
            known = keys_of(names) | {normal_key(record.text)}
            drawn = draw_name(names, chance)
            asked.append(
                Asked((record.lang, record.text), drawn, record.entity, {record.entity}, known)
            )
        return ranked(asked)


Part = EntityLabels
