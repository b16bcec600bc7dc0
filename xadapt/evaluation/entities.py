"""Entity retrieval: does a name find the entity's name in the other language?

Each name is looked up among the names of all entities of the pool. Hits@1, Hits@10 and MRR use
realistic ranks: names spelt alike that belong to different entities are ties, so nobody gains from
their order. If an entity has several names, any is right and the others are left out of the
ranking. Scores come by cosine and with CSLS, which corrects hubs but looks at all queries at once
(transductive), over the whole pool of both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.evaluation.statistics import Difference, Interval, difference, interval
from xadapt.evaluation.systems import Direction, Encoded, System, similarities
from xadapt.functional import metrics
from xadapt.vectors import matching

Scorer = Literal["cosine", "csls"]
Measure = Literal["hits@1", "hits@10", "mrr"]
Ranks = dict[Direction, dict[Scorer, NDArray[np.float64]]]


class LabelPair(NamedTuple):
    """An entity with its name in the language and its name in the pivot language."""

    entity: str
    text: str
    pivot: str


@dataclass(frozen=True)
class Row:
    """The scores of one system.

    Attributes:
        system: Its name.
        scores: By direction, scorer and measure, from 0 to 1.
        gain: Differences to the base likewise; empty for the base itself.
        per_query: Realistic ranks from 1 by direction and scorer, one a query.
    """

    system: str
    scores: dict[Direction, dict[Scorer, dict[Measure, Interval]]]
    gain: dict[Direction, dict[Scorer, dict[Measure, Difference]]]
    per_query: Ranks = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the ranks per query."""
        return {"system": self.system, "scores": _plain(self.scores), "gain": _plain(self.gain)}


@dataclass(frozen=True)
class Result:
    """A table of systems over one pool.

    Attributes:
        rows: In the order the systems were given, TF-IDF last.
        pool: ``test`` if names are looked up among those of the test entities only, ``all`` if
            the names of other entities stand among them.
        pool_size: By direction, the number of names each one is looked up among.
        queries: By direction, the number of names looked up; a name two entities share is two.
        options: What the numbers depend on: csls (neighbours; None if off), resamples, seed, base.
    """

    rows: tuple[Row, ...]
    pool: Literal["test", "all"]
    pool_size: dict[Direction, int]
    queries: dict[Direction, int]
    options: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, system: str) -> Row:
        return next(row for row in self.rows if row.system == system)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the ranks per query."""
        plain = ("pool", "pool_size", "queries", "options")
        head = {"task": "entities"} | {name: getattr(self, name) for name in plain}
        return head | {"rows": [row.to_dict() for row in self.rows]}


def evaluate(
    labels: Sequence[tuple[str, str, str]],
    systems: Mapping[str, System],
    *,
    others: Sequence[tuple[str, str, str]] = (),
    csls: int = 10,
    resamples: int = 1000,
    seed: int = 0,
    base: str = "base",
    control: bool = True,
) -> Result:
    """Look every entity's name up among the names of the other side, in both directions.

    Args:
        labels: ``(entity, text, pivot text)`` of the entities asked for, `LabelPair` or tuples.
        systems: By the name that stands in the table.
        others: Entities that only stand in the pool, such as those of the training split.
        csls: Neighbours CSLS looks at, cut to the pool; 0: without CSLS.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        base: Name of the system the others are compared with, if it is among them.
        control: Add the TF-IDF row.

    Raises:
        UserError: There are no labels or no systems, or a system gives NaN or the wrong shape.
    """
    if not labels:
        raise UserError("there are no entities to evaluate on", todo="Give at least one")
    codes = {entity: code for code, entity in enumerate({row[0]: 0 for row in (*labels, *others)})}
    texts, pivots = _names(labels, others, codes, 1), _names(labels, others, codes, 2)
    scores = similarities(Encoded(texts.texts, pivots.texts), systems, control=control)
    ranks = {name: _ranks(score, texts, pivots, csls) for name, score in scores.items()}
    settings = {"resamples": resamples, "seed": seed}
    grown = len(texts.texts) > texts.asked or len(pivots.texts) > pivots.asked
    rows = [
        Row(
            name,
            _scores(table, settings),
            _gains(table, ranks[base], settings) if base in ranks and name != base else {},
            table,
        )
        for name, table in ranks.items()
    ]
    return Result(
        tuple(rows),
        "all" if grown else "test",
        {"to_pivot": len(pivots.texts), "from_pivot": len(texts.texts)},
        {"to_pivot": texts.asked, "from_pivot": pivots.asked},
        {"csls": csls or None, **settings, "base": base if base in ranks else None},
    )


@dataclass(frozen=True)
class _Names:
    """The distinct names of one side, those asked for first."""

    texts: list[str]
    entities: NDArray[np.int64]
    asked: int


def _names(
    labels: Sequence[tuple[str, str, str]],
    others: Sequence[tuple[str, str, str]],
    codes: Mapping[str, int],
    column: int,
) -> _Names:
    asked = dict.fromkeys((row[0], row[column]) for row in labels)
    every = list(asked | dict.fromkeys((row[0], row[column]) for row in others))
    entities = np.asarray([codes[entity] for entity, _ in every], dtype=np.int64)
    return _Names([text for _, text in every], entities, len(asked))


def _ranks(similarity: matching.Similarity, texts: _Names, pivots: _Names, csls: int) -> Ranks:
    scorers: dict[Scorer, matching.Similarity] = {"cosine": similarity}
    if csls:
        scorers["csls"] = matching.csls(similarity, csls)
    there = (texts.entities[: texts.asked], pivots.entities)
    back = (pivots.entities[: pivots.asked], texts.entities)
    return {
        "to_pivot": {key: metrics.ranks(score, *there) for key, score in scorers.items()},
        "from_pivot": {
            key: metrics.ranks(score.swapped(), *back) for key, score in scorers.items()
        },
    }


def _measures(ranks: NDArray[np.float64]) -> dict[Measure, NDArray[np.float64]]:
    return {
        "hits@1": metrics.hits(ranks, 1),
        "hits@10": metrics.hits(ranks, 10),
        "mrr": metrics.reciprocal(ranks),
    }


def _scores(ranks: Ranks, settings: dict[str, int]) -> dict[Any, Any]:
    return {
        direction: {
            scorer: {
                measure: interval(values, **settings)
                for measure, values in _measures(table).items()
            }
            for scorer, table in tables.items()
        }
        for direction, tables in ranks.items()
    }


def _gains(ranks: Ranks, base: Ranks, settings: dict[str, int]) -> dict[Any, Any]:
    return {
        direction: {
            scorer: {
                measure: difference(values, _measures(base[direction][scorer])[measure], **settings)
                for measure, values in _measures(table).items()
            }
            for scorer, table in tables.items()
        }
        for direction, tables in ranks.items()
    }


def _plain(nested: Any) -> Any:
    if isinstance(nested, Interval):
        return nested.to_dict()
    return {key: _plain(value) for key, value in nested.items()}
