"""The values of a report: the caller fills them, and the other files of this folder draw them."""

from __future__ import annotations

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
    """One score, drawn as one bar.

    Attributes:
        system: One of the names above, or another name, which is drawn as a control.
        direction: ``to_pivot`` (texts of the language are looked up) or ``from_pivot``.
        value: From 0 to 1, higher is better.
        low: Lower end of the 95 % interval, None without one.
        high: Upper end of the interval.

    Raises:
        UserError: If a number is not finite or not from 0 to 1, or only one end is given.
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
class Example:
    """One query with the answers of the base and of the module, and the right answer."""

    query: str
    before: str
    after: str
    right: str


@dataclass(frozen=True)
class LanguageResult:
    """The results for one language.

    Attributes:
        lang: BCP-47 tag of the language.
        name: English name of the language.
        measure: Name of the measure. ``accuracy``, ``hits@1`` and ``hits@10`` are worded as shares.
        pool: Number of candidates for each answer; 0 if there is no such number.
        scores: Scores in the order of drawing.
        examples: Example queries in the language.
        pivot: BCP-47 tag of the pivot language.
        item: Name of a retrieved item, in the singular.
        asked: Name of the test items, in the plural. A caller that held them out of training
            states this here, as in "entities never seen".
        about: A sentence over the bars that explains the systems, if they need it.
        drawn: How the examples were chosen.
    """

    lang: str
    name: str
    measure: str
    pool: int
    scores: Sequence[Score] = ()
    examples: Sequence[Example] = ()
    pivot: str = "en"
    item: str = "sentence"
    asked: str = "test sentences"
    about: str = ""
    drawn: str = ""

    @property
    def pivot_name(self) -> str:
        """The English name of the pivot language."""
        return display_name(self.pivot)

    def value(self, system: str, direction: str) -> float | None:
        """Return the score of a system, or None if the score was not measured."""
        found = (s.value for s in self.scores if (s.system, s.direction) == (system, direction))
        return next(found, None)

    def directions(self) -> list[str]:
        """Return the directions that have a score, ``to_pivot`` first."""
        present = dict.fromkeys(score.direction for score in self.scores)
        return [d for d in DIRECTIONS if d in present] + [d for d in present if d not in DIRECTIONS]

    def arrow(self, direction: str) -> str:
        """Return a direction in words, such as ``Swahili → English``."""
        there, back = f"{self.name} → {self.pivot_name}", f"{self.pivot_name} → {self.name}"
        return {TO_PIVOT: there, FROM_PIVOT: back}.get(direction, direction)


@dataclass(frozen=True)
class Report:
    """The contents of the page. Empty parts are omitted.

    Attributes:
        title: Title of the page.
        lead: Sentences at the top that say what was done.
        facts: ``(name, value)``: base, module, size, pairs, seconds and so on.
        languages: Results by language, one section for each language.
        curves: Losses by objective and ``total``: ``(step, loss)``, steps ascending.
        dev: ``(step, score on the development split)``.
        snippet: Code that loads the module.
        steps: ``(what for, command)``: what the reader can do next.
        notes: Limits of the results, and missing measurements.
        command: The command that made the page.
    """

    title: str
    lead: str = ""
    facts: Sequence[tuple[str, str]] = ()
    languages: Sequence[LanguageResult] = ()
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    dev: Sequence[tuple[int, float]] = ()
    snippet: str = ""
    steps: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    command: str = ""
