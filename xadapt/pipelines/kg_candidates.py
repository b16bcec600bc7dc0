"""The candidates of an alignment that are judged, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from xadapt.core.errors import UserError
from xadapt.data.graphs.graph import KnowledgeGraph
from xadapt.data.readers.graph_files import rows
from xadapt.tasks.kg.judging import Identify

MANY = 26
"""Most candidates of an entity that a language model is shown."""


@dataclass(frozen=True)
class Judging:
    """How candidates are judged.

    Attributes:
        top: Candidates of each entity, the first of the table.
        rounds: Rounds in which a language model is asked in each stage, an odd number.
        facts: Facts of each entity that it reads.
        identify: What makes a fact identify, see `xadapt.tasks.kg.judging.KeyCounts.identifies`.
        names: Whether it reads the names of entities.
        limit: Entities that are judged, the first of the table; 0 for all.
        resamples: Number of bootstrap samples.
        seed: Seed of the bootstrap and of the orders.
    """

    top: int = 10
    rounds: int = 5
    facts: int = 6
    identify: Identify = "functionality"
    names: bool = True
    limit: int = 0
    resamples: int = 1000
    seed: int = 0

    def check(self) -> None:
        """Refuse options that are out of range.

        Raises:
            UserError: If there is such an option.
        """
        for name, least in (("top", 2), ("rounds", 1), ("facts", 0), ("limit", 0)):
            if getattr(self, name) < least:
                raise UserError(f"{getattr(self, name)} is below {least}", where=f"--{name}")
        if self.rounds % 2 == 0:
            raise UserError("this is an odd number, so that there is a majority", where="--rounds")
        if self.top > MANY:
            raise UserError(f"this is at most {MANY}", where="--top")
        if self.identify not in get_args(Identify):
            raise UserError(f"this is {' or '.join(get_args(Identify))}", where="--identify")


@dataclass(frozen=True)
class Candidates:
    """An entity and what an alignment found for it, the best first."""

    source: str
    targets: tuple[str, ...]


def read_candidates(
    path: str | Path, left: KnowledgeGraph, right: KnowledgeGraph, how: Judging
) -> Iterator[Candidates]:
    """Read the candidates of each entity, in the order of the table.

    Args:
        path: The table.
        left: The left graph.
        right: The right graph.
        how: The options.

    Raises:
        UserError: If the table can't be read, is empty, or has an id of no graph.
    """
    found: dict[str, list[str]] = {}
    for number, (where, cells) in enumerate(rows(str(path), (2, 9), "left id and right id")):
        if number == 0 and cells[:2] == ["src", "tgt"]:
            continue
        for cell, graph in zip(cells, (left, right), strict=False):
            if cell not in graph.index:
                raise UserError(f"{cell[:60]!r} is not in {graph.name}", where=where)
        own = found.setdefault(cells[0], [])
        if cells[1] not in own and len(own) < how.top:
            own.append(cells[1])
    if not found:
        raise UserError("there is no candidate", where=str(path))
    for number, (source, targets) in enumerate(found.items()):
        if not how.limit or number < how.limit:
            yield Candidates(source, tuple(targets))
