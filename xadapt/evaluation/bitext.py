"""Sentence retrieval: does a sentence find its translation among all the others?

For a list of translation pairs, each sentence of one side is looked up by cosine among all of the
other side: accuracy (the nearest is the translation, by position) in both directions, and LASER's
xsim, the error in percent, by each margin. Every system stands beside the frozen base and a
TF-IDF control, with paired bootstrap intervals over the pairs.

Two pairs that share a sentence on a side have each other's translation as a right answer, which
accuracy by position would count as wrong. So a later pair that shares one with an earlier pair is
dropped, and the result says how many. Sentences are equal by `xadapt.core.text_key.normal_key`, as in
the pair filter and in splits: case, punctuation and spaces do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xadapt.core.errors import UserError
from xadapt.core.text_key import normal_key
from xadapt.data.records import ParallelPair
from xadapt.evaluation.statistics import Difference, Interval, difference, interval
from xadapt.evaluation.systems import (
    DIRECTIONS,
    Direction,
    Encoded,
    System,
    pivot_kept,
    similarities,
)
from xadapt.functional import metrics
from xadapt.vectors import matching
from xadapt.vectors.matching import Margin

Found = dict[Direction, dict[Margin, NDArray[np.int64]]]


@dataclass(frozen=True)
class Row:
    """The scores of one system.

    Attributes:
        system: Its name.
        accuracy: By direction, a share from 0 to 1.
        xsim: By margin and direction, percent of errors.
        gain: Difference in accuracy to the base by direction; empty for the base itself.
        pivot_kept: Mean cosine of its pivot vectors with those of the base; None for TF-IDF, or
            where there is no base of the same width.
        per_query: By direction, 1 or 0 for each pair kept, in order.
    """

    system: str
    accuracy: dict[Direction, Interval]
    xsim: dict[Margin, dict[Direction, float]]
    gain: dict[Direction, Difference]
    pivot_kept: float | None
    per_query: dict[Direction, NDArray[np.float64]] = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the values per query."""
        return {
            "system": self.system,
            "accuracy": {key: value.to_dict() for key, value in self.accuracy.items()},
            "xsim": self.xsim,
            "gain": {key: value.to_dict() for key, value in self.gain.items()},
            "pivot_kept": self.pivot_kept,
        }


@dataclass(frozen=True)
class Result:
    """A table of systems over one pool.

    Attributes:
        rows: In the order the systems were given, TF-IDF last.
        lang: Language of the texts, ``mul`` if there are several.
        pivot_lang: Language of the pivot side.
        pool: Number of pairs kept, which is how many sentences each one is looked up among.
        dropped: Pairs left out because they repeat a sentence of an earlier one.
        duplicate_groups: Pairs kept of which a repetition was left out (or, where duplicates are
            kept, is there).
        kept: Positions of the kept pairs in what was given, ``(pool,)``.
        options: What the numbers depend on: k, resamples, seed, the base's name.
    """

    rows: tuple[Row, ...]
    lang: str
    pivot_lang: str
    pool: int
    dropped: int
    duplicate_groups: int
    kept: NDArray[np.int64] = field(repr=False, compare=False)
    options: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, system: str) -> Row:
        return next(row for row in self.rows if row.system == system)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the values per query."""
        plain = ("lang", "pivot_lang", "pool", "dropped", "duplicate_groups", "options")
        head = {"task": "bitext"} | {name: getattr(self, name) for name in plain}
        return head | {"rows": [row.to_dict() for row in self.rows]}


def evaluate(
    pairs: Sequence[ParallelPair],
    systems: Mapping[str, System],
    *,
    margins: Sequence[Margin] = matching.MARGINS,
    k: int = 4,
    resamples: int = 1000,
    seed: int = 0,
    base: str = "base",
    control: bool = True,
    drop_duplicates: bool = True,
) -> Result:
    """Look every sentence up among the translations of all, in both directions.

    Args:
        pairs: Translation pairs the systems have not seen.
        systems: By the name that stands in the table.
        margins: Which of xsim's margins to report.
        k: Neighbours a margin looks at; cut to the number of pairs.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        base: Name of the system the others are compared with, if it is among them.
        control: Add the TF-IDF row.
        drop_duplicates: Leave out pairs that repeat a sentence; without it, a repeated sentence
            counts by position, as in LASER's xsim.

    Raises:
        UserError: There are no pairs or no systems, or a system gives NaN or the wrong shape.
    """
    if not pairs:
        raise UserError("there are no pairs to evaluate on", todo="Give at least one pair")
    kept, groups = _first_of_equals(pairs)
    if not drop_duplicates:
        kept = np.arange(len(pairs))
    chosen = [pairs[position] for position in kept]
    encoded = Encoded([pair.text for pair in chosen], [pair.pivot for pair in chosen])
    scores = similarities(encoded, systems, control=control)
    found = {name: _matches(score, margins, k) for name, score in scores.items()}
    right = {name: _correct(table) for name, table in found.items()}
    settings = {"resamples": resamples, "seed": seed}
    rows = [
        Row(
            name,
            {way: interval(values, **settings) for way, values in right[name].items()},
            _xsim(table, margins),
            _gains(right[name], right.get(base) if name != base else None, settings),
            _kept(encoded, systems, name, base),
            right[name],
        )
        for name, table in found.items()
    ]
    return Result(
        tuple(rows),
        _language({pair.lang for pair in chosen}),
        _language({pair.pivot_lang for pair in chosen}),
        len(chosen),
        len(pairs) - len(chosen),
        groups,
        kept,
        {"k": min(k, len(chosen)), **settings, "base": base if base in found else None},
    )


def _matches(similarity: matching.Similarity, margins: Sequence[Margin], k: int) -> Found:
    ways = matching.top_both(similarity, k)
    wanted: tuple[Margin, ...] = ("absolute", *margins)
    return {
        direction: {
            margin: matching.margin_best(there, back, margin).indices[:, 0] for margin in wanted
        }
        for direction, there, back in zip(DIRECTIONS, ways, reversed(ways), strict=True)
    }


def _correct(found: Found) -> dict[Direction, NDArray[np.float64]]:
    return {direction: metrics.correct(found[direction]["absolute"]) for direction in DIRECTIONS}


def _xsim(found: Found, margins: Sequence[Margin]) -> dict[Margin, dict[Direction, float]]:
    return {
        margin: {way: metrics.error_rate(found[way][margin]) for way in DIRECTIONS}
        for margin in margins
    }


def _gains(
    values: dict[Direction, NDArray[np.float64]],
    base: dict[Direction, NDArray[np.float64]] | None,
    settings: dict[str, int],
) -> dict[Direction, Difference]:
    if base is None:
        return {}
    return {way: difference(values[way], base[way], **settings) for way in DIRECTIONS}


def _kept(encoded: Encoded, systems: Mapping[str, System], name: str, base: str) -> float | None:
    if name not in systems or base not in systems:
        return None
    return pivot_kept(encoded, systems[name], systems[base])


def _first_of_equals(pairs: Sequence[ParallelPair]) -> tuple[NDArray[np.int64], int]:
    """Positions of the pairs that repeat no sentence of a kept one; how many are repeated."""
    owner: dict[tuple[bool, str], int] = {}
    kept: list[int] = []
    repeated: set[int] = set()
    for position, pair in enumerate(pairs):
        keys = ((False, normal_key(pair.text)), (True, normal_key(pair.pivot)))
        earlier = {owner[key] for key in keys if key in owner}
        if earlier:
            repeated.add(min(earlier))
            continue
        kept.append(position)
        owner.update(dict.fromkeys(keys, position))
    return np.asarray(kept, dtype=np.int64), len(repeated)


def _language(tags: set[str]) -> str:
    return tags.pop() if len(tags) == 1 else "mul"
