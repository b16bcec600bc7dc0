"""Ranking of names for queries about entities: the loss that EP, TP, ES and TS share."""

from __future__ import annotations

import random
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from xadapt.core.text_key import normal_key
from xadapt.functional.losses import info_nce, over_dimensions
from xadapt.objectives.contract import EncodeView, Loss
from xadapt.objectives.translation_ranking import in_batch

Name = tuple[str, str]


@dataclass(frozen=True)
class Asked:
    """A query with the name that answers it.

    Attributes:
        query: The query.
        name: The drawn name of the entity that is asked for, with its language.
        entity: This entity.
        answers: All entities that are known to answer the query.
        names: All names of this entity, as normal keys; texts that are no negatives of the query.
    """

    query: Name
    name: Name
    entity: str
    answers: Set[str]
    names: Set[str]


@dataclass(frozen=True)
class NameRanking:
    """InfoNCE of queries and names of entities, by cosine over a temperature.

    ``L = - log (exp(cos(q, p) / t) / sum over names n of the batch of exp(cos(q, n) / t))``. Left
    out of the sum are the names of entities that answer the query too, and texts that are equal to
    a name of the right entity. Entities are compared by their ids, never by their names. Vectors
    are those of the base's own pooling; without such files of the base, the mean over real tokens.

    Source: Hou et al. 2022, https://arxiv.org/abs/2210.13617, section 3. The authors' code leaves
    no negative out, and pools over padding.

    Attributes:
        temperature: Cosines are divided by it.
        both_directions: Also rank the queries of the batch for each name; published is one.
    """

    temperature: float = 0.1
    both_directions: bool = False

    source: ClassVar[str] = "https://arxiv.org/abs/2210.13617"
    coupled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0")

    def loss(
        self, query: Tensor, name: Tensor, asked: Sequence[Asked], dimensions: Sequence[int] = ()
    ) -> Loss:
        """Rank ``name (n, dim)`` for ``query (n, dim)``: ``(n,)``."""
        barred = no_negatives(asked, query.device)
        own = torch.arange(len(query), device=query.device)

        def one_way(left: Tensor, right: Tensor, hidden: tuple[Tensor, Tensor]) -> Tensor:
            def measure(queries: Tensor, keys: Tensor) -> Tensor:
                return info_nce(queries, keys, own, self.temperature, hidden)

            return over_dimensions(measure, dimensions, left, right)

        found = one_way(query, name, barred)
        if self.both_directions:
            # A name is right for a query in both directions, so the same pairs are left out.
            found = (found + one_way(name, query, (barred[1], barred[0]))) / 2
        return Loss(found)


def ranked(asked: Sequence[Asked]) -> dict[str, Any]:
    """Return the views of queries and names."""
    queries, names = [one.query for one in asked], [one.name for one in asked]
    return {"query": _view(queries), "name": _view(names), "asked": asked}


def _view(texts: Sequence[Name]) -> EncodeView:
    return EncodeView([text for _, text in texts], langs=[lang for lang, _ in texts])


def no_negatives(asked: Sequence[Asked], device: torch.device) -> tuple[Tensor, Tensor]:
    """Find the names of a batch that are no negatives of a query.

    Args:
        asked: The queries with their names, in the order of the batch.
        device: Device of the result.

    Returns:
        Positions of queries and of names, each ``(pairs,)``.
    """
    by_entity = in_batch([set(one.answers) for one in asked], [one.entity for one in asked], device)
    keys = [normal_key(one.name[1]) for one in asked]
    by_name = in_batch([set(one.names) for one in asked], keys, device)
    return torch.cat([by_entity[0], by_name[0]]), torch.cat([by_entity[1], by_name[1]])


def draw_name(names: Sequence[Name], rng: random.Random) -> Name:
    """Draw a language, then one of the names in it, so that languages with many names count alike.

    Args:
        names: Names as ``(language, name)``, at least one.
        rng: The generator.
    """
    langs = sorted({lang for lang, _ in names})
    chosen = rng.choice(langs)
    return rng.choice([name for name in names if name[0] == chosen])


def keys_of(names: Sequence[Name]) -> set[str]:
    """Return the normal keys of names."""
    return {normal_key(name) for _, name in names}
