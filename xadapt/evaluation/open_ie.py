"""Open information extraction: predicates, their arguments, and whole triples found exactly.

A predicate is right if its span is. An argument is right if its span, its role and its predicate's
span are. A triple is right if its predicate and all its arguments are and none is missing. All are
micro F1 over sentences; lenient matching, as in CaRB, is not tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.data.records import PREDICATE, OpenTriples
from xadapt.evaluation.statistics import Difference, Interval, ratio, ratio_difference

Spans = tuple[tuple[int, int, str], ...]
Measure = Literal["predicates", "arguments given predicates", "arguments", "triples"]
Parts = dict[Measure, NDArray[np.float64]]
GIVEN: Measure = "arguments given predicates"
LEFT_RIGHT = "left and right"


@dataclass(frozen=True)
class Said:
    """What one system says of the sentences.

    Attributes:
        found: The extractions of each sentence, by the system alone.
        given: The extractions of each sentence where the right predicates are given.
    """

    found: Sequence[Sequence[Spans]]
    given: Sequence[Sequence[Spans]]


def _predicates(extractions: Sequence[Spans]) -> set[Any]:
    return {spans[0] for spans in extractions}


def _arguments(extractions: Sequence[Spans]) -> set[Any]:
    return {(spans[0], span) for spans in extractions for span in spans[1:]}


def _triples(extractions: Sequence[Spans]) -> set[Any]:
    return {(spans[0], frozenset(spans[1:])) for spans in extractions if len(spans) > 1}


MEASURES: dict[Measure, Callable[[Sequence[Spans]], set[Any]]] = {
    "predicates": _predicates,
    GIVEN: _arguments,
    "arguments": _arguments,
    "triples": _triples,
}


@dataclass(frozen=True)
class Row:
    """The scores of one system.

    Attributes:
        system: Its name.
        scores: F1 by measure, from 0 to 1, each with its interval over sentences.
        gain: The differences to the base system on the same sentences; ``None`` for the base.
        by_role: F1 of each role's arguments with the right predicates given.
    """

    system: str
    scores: dict[Measure, Interval]
    gain: dict[Measure, Difference] | None
    by_role: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        scores = {name: score.to_dict() for name, score in self.scores.items()}
        gains = {name: gain.to_dict() for name, gain in (self.gain or {}).items()}
        return {
            "system": self.system,
            "scores": scores,
            "gain": gains or None,
            "by_role": self.by_role,
        }


@dataclass(frozen=True)
class Result:
    """A table of systems on the same sentences.

    Attributes:
        rows: In the order the systems were given.
        sentences: How many.
        extractions: How many triples are in them.
        options: What the numbers depend on: resamples, seed, base.
    """

    rows: tuple[Row, ...]
    sentences: int
    extractions: int
    options: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, system: str) -> Row:
        return next(row for row in self.rows if row.system == system)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        plain = ("sentences", "extractions", "options")
        head = {"task": "open_ie"} | {name: getattr(self, name) for name in plain}
        return head | {"rows": [row.to_dict() for row in self.rows]}


def evaluate(
    sentences: Sequence[OpenTriples],
    systems: Mapping[str, Said],
    *,
    base: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Result:
    """Compare what systems extract with what is right.

    Args:
        sentences: The sentences with their extractions.
        systems: By name.
        base: The system the others are compared with.
        resamples: Of the bootstrap over sentences.
        seed: Of the bootstrap.

    Raises:
        UserError: There are no sentences, or a system has not one answer for each.
    """
    if not sentences:
        raise UserError("there are no sentences to evaluate on")
    gold = [sentence.extractions for sentence in sentences]
    settings = {"resamples": resamples, "seed": seed}
    parts = {name: _parts(gold, said, name) for name, said in systems.items()}
    rows = [
        Row(
            name,
            {measure: ratio(*own[measure].T, **settings) for measure in MEASURES},
            _gain(own, parts[base], settings) if base in parts and name != base else None,
            _by_role(gold, systems[name].given),
        )
        for name, own in parts.items()
    ]
    return Result(tuple(rows), len(gold), sum(map(len, gold)), {**settings, "base": base})


def left_and_right(
    words: Sequence[str], predicates: Sequence[tuple[int, int]]
) -> tuple[Spans, ...]:
    """The control: what stands left of each predicate is A0, what stands right of it A1.

    Both reach to the next mark of punctuation, the next predicate, or the end of the sentence.
    Nothing is learnt and no tree is read.

    Args:
        words: The words of a sentence.
        predicates: ``(start, stop)`` of each predicate in it.
    """
    bound = [not any(letter.isalnum() for letter in word) for word in words]
    for start, stop in predicates:
        bound[start:stop] = [True] * (stop - start)
    rows = []
    for start, stop in predicates:
        left, right = start, stop
        while left > 0 and not bound[left - 1]:
            left -= 1
        while right < len(words) and not bound[right]:
            right += 1
        sides = ((left, start, "A0"), (stop, right, "A1"))
        rows.append(((start, stop, PREDICATE), *(side for side in sides if side[0] < side[1])))
    return tuple(rows)


def guessed(sentences: Sequence[OpenTriples], found: Sequence[Sequence[Spans]]) -> Said:
    """The control over the predicates that a system found, and over the right ones."""

    def over(extractions: Sequence[Sequence[Spans]]) -> list[tuple[Spans, ...]]:
        places = [[spans[0][:2] for spans in own] for own in extractions]
        return [left_and_right(s.words, own) for s, own in zip(sentences, places, strict=True)]

    return Said(over(found), over([sentence.extractions for sentence in sentences]))


def _parts(gold: Sequence[Sequence[Spans]], said: Said, name: str) -> Parts:
    """``(sentences, 2)`` by measure: what is summed above and below the fraction bar of F1."""
    if not len(gold) == len(said.found) == len(said.given):
        raise UserError(f"{name} does not give one answer a sentence")
    rows: Parts = {}
    for measure, facts in MEASURES.items():
        told = said.given if measure == GIVEN else said.found
        pairs = [(facts(right), facts(own)) for right, own in zip(gold, told, strict=True)]
        counts = [(2 * len(right & own), len(right) + len(own)) for right, own in pairs]
        rows[measure] = np.array(counts, dtype=np.float64)
    return rows


def _gain(own: Parts, base: Parts, settings: Mapping[str, Any]) -> dict[Measure, Difference]:
    return {m: ratio_difference(*own[m].T, *base[m].T, **settings) for m in MEASURES}


def _by_role(gold: Sequence[Sequence[Spans]], given: Sequence[Sequence[Spans]]) -> dict[str, float]:
    right = {(i, *fact) for i, own in enumerate(gold) for fact in _arguments(own)}
    said = {(i, *fact) for i, own in enumerate(given) for fact in _arguments(own)}
    roles = sorted({fact[-1][-1] for fact in right | said})

    def of(facts: set[Any], role: str) -> set[Any]:
        return {fact for fact in facts if fact[-1][-1] == role}

    return {
        role: 2 * len(of(right & said, role)) / (len(of(right, role)) + len(of(said, role)))
        for role in roles
    }
