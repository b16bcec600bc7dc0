"""What a report shows, as plain values: filled by the caller, drawn by the other files here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from xadapt.core.errors import UserError
from xadapt.languages.tags import display_name

BASE = "frozen base"
TFIDF = "TF-IDF"
SHUFFLED = "shuffled-pairs control"
LANGUAGE_SIDE = "module, language side only"
BOTH_SIDES = "module, both sides"
MODULE = (LANGUAGE_SIDE, BOTH_SIDES)

TO_PIVOT, FROM_PIVOT = "to_pivot", "from_pivot"
DIRECTIONS = (TO_PIVOT, FROM_PIVOT)


@dataclass(frozen=True)
class Score:
    """One bar.

    Attributes:
        system: One of the names above, or another, which is then drawn as a control.
        direction: ``to_pivot`` (texts of the language are looked up) or ``from_pivot``.
        value: From 0 to 1, higher is better.
        low: Lower end of the 95 % interval, None without one.
        high: Its upper end.

    Raises:
        UserError: A number is not finite or not from 0 to 1, or one end stands without the other.
    """

    system: str
    direction: str
    value: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        given = [number for number in (self.value, self.low, self.high) if number is not None]
        if not all(-1e-9 <= number <= 1 + 1e-9 for number in given):
            raise UserError(f"a score of a report runs from 0 to 1, {self.system!r} has {given}")
        if (self.low is None) != (self.high is None):
            raise UserError(f"the interval of {self.system!r} has only one end")


@dataclass(frozen=True)
class Heat:
    """Similarities of some test items before and after, row i and column i being a right pair.

    Attributes:
        labels_left: ``(rows,)`` texts of the language.
        labels_right: ``(columns,)`` texts of the pivot language.
        before: ``(rows, columns)`` similarities under the frozen base.
        after: ``(rows, columns)`` similarities with the module.

    Raises:
        UserError: A matrix is not ``(rows, columns)``, or holds a number that is not finite.
    """

    labels_left: Sequence[str]
    labels_right: Sequence[str]
    before: Sequence[Sequence[float]]
    after: Sequence[Sequence[float]]

    def __post_init__(self) -> None:
        shape = (len(self.labels_left), len(self.labels_right))
        for name, matrix in (("before", self.before), ("after", self.after)):
            if len(matrix) != shape[0] or any(len(row) != shape[1] for row in matrix):
                raise UserError(f"the heat map {name!r} is not {shape[0]} x {shape[1]}")
            if not all(math.isfinite(value) for row in matrix for value in row):
                raise UserError(f"the heat map {name!r} holds a number that is not finite")


@dataclass(frozen=True)
class Example:
    """One query with what the base and the module answer, and the right answer."""

    query: str
    before: str
    after: str
    right: str


@dataclass(frozen=True)
class LanguageResult:
    """What was measured for one language.

    Attributes:
        lang: Its BCP-47 tag.
        name: Its English name.
        measure: ``accuracy``, ``hits@1`` and ``hits@10`` are worded as shares; others by name.
        pool: Among how many candidates the answer is looked for; 0 if that means nothing here.
        scores: In the order they are drawn.
        heat: Similarities before and after.
        examples: Of queries in the language.
        pivot: BCP-47 tag of the pivot language.
        item: What is looked for, in the singular.
        asked: What the score is a share of, in the plural; a caller that kept them out of training
            says so here, as in "entities never seen".
    """

    lang: str
    name: str
    measure: str
    pool: int
    scores: Sequence[Score] = ()
    heat: Heat | None = None
    examples: Sequence[Example] = ()
    pivot: str = "en"
    item: str = "sentence"
    asked: str = "test sentences"

    @property
    def pivot_name(self) -> str:
        """English name of the pivot language."""
        return display_name(self.pivot)

    def value(self, system: str, direction: str) -> float | None:
        """A system's score, None if it was not measured."""
        found = (s.value for s in self.scores if (s.system, s.direction) == (system, direction))
        return next(found, None)

    def directions(self) -> list[str]:
        """The directions that have a score, ``to_pivot`` first."""
        present = dict.fromkeys(score.direction for score in self.scores)
        return [d for d in DIRECTIONS if d in present] + [d for d in present if d not in DIRECTIONS]

    def arrow(self, direction: str) -> str:
        """A direction in words, such as ``Swahili → English``."""
        there, back = f"{self.name} → {self.pivot_name}", f"{self.pivot_name} → {self.name}"
        return {TO_PIVOT: there, FROM_PIVOT: back}.get(direction, direction)


@dataclass(frozen=True)
class Report:
    """All that stands on the page. What is empty is left out of it.

    Attributes:
        title: Of the page.
        facts: ``(name, value)``: base, module, size, pairs, seconds and so on.
        languages: One section each.
        curves: By objective and ``total``: ``(step, loss)``, steps rising.
        dev: ``(step, score on the development split)``.
        snippet: Code that loads the module.
        notes: Limits, and what was not measured.
        command: The command that made the page.
    """

    title: str
    facts: Sequence[tuple[str, str]] = ()
    languages: Sequence[LanguageResult] = ()
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    dev: Sequence[tuple[int, float]] = ()
    snippet: str = ""
    notes: Sequence[str] = ()
    command: str = ""
