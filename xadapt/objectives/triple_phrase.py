"""TP: the names of head and relation of a fact are near the name of its tail."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from xadapt.data.records import NamedTriple
from xadapt.objectives.contract import draws
from xadapt.objectives.name_ranking import Asked, Name, NameRanking, draw_name, keys_of, ranked

Memory = Mapping[tuple[str, str], set[str]]


@dataclass(frozen=True)
class TriplePhrases(NameRanking):
    """InfoNCE of the phrase "head relation" and the name of the tail.

    ``L = - log (exp(cos(q, p) / t) / sum over names n of the batch of exp(cos(q, n) / t))`` with q
    the names of head and relation with a space between them, and p the name of the tail. All tails
    that the data know for this head and relation, and texts equal to a name of the tail, are no
    negatives.

    Source: "TP" of Hou et al. 2022, https://arxiv.org/abs/2210.13617, section 3.1. In the authors'
    code, other known tails and equal tails of the batch are negatives.

    Attributes:
        temperature: Cosines are divided by it.
        both_directions: Also rank the phrases of the batch for each tail; published is one
            direction.
        languages: ``drawn`` draws the language of head, relation and tail apart, as published;
            ``one`` draws one that all three have, if there is one.
    """

    languages: Literal["drawn", "one"] = "drawn"

    consumes: ClassVar[type] = NamedTriple

    def prepare(self, records: Sequence[NamedTriple]) -> Memory:
        """Record the known tails of each head and relation."""
        known: dict[tuple[str, str], set[str]] = {}
        for record in records:
            known.setdefault((record.head, record.relation), set()).add(record.tail)
        return known

    def views(
        self, records: Sequence[NamedTriple], rng: random.Random, memory: Memory
    ) -> dict[str, Any]:
        """Build views of the phrases and of the tails, drawn anew in each step."""
        asked = []
        for record, chance in zip(records, draws(rng, records), strict=True):
            head, relation, tail = self._drawn(record, chance)
            phrase = f"{head[1]} {relation[1]}"
            known = memory.get((record.head, record.relation), set()) | {record.tail}
            asked.append(Asked((head[0], phrase), tail, record.tail, known, keys_of(record.tails)))
        return ranked(asked)

    def _drawn(self, record: NamedTriple, rng: random.Random) -> list[Name]:
        parts = (record.heads, record.relations, record.tails)
        if self.languages == "one":
            shared = set.intersection(*({lang for lang, _ in names} for names in parts))
            if shared:
                lang = rng.choice(sorted(shared))
                parts = tuple(  # type: ignore[assignment]
                    tuple(name for name in names if name[0] == lang) for names in parts
                )
        return [draw_name(names, rng) for names in parts]


Part = TriplePhrases
