"""Names of entities voted over sources, and the two measures of WikiKGE-10.

A name has as many votes as sources give it. Names are compared without case and without all signs
but letters, digits and spaces. **Coverage** compares the names that have enough votes with right
names. The **check** of known names flags each one that no source gives; its first score is called
precision by the authors, and is the accuracy over all known names.

Source: Conia et al. 2023, https://arxiv.org/abs/2311.15781, section 4; the scores are those of
``src/evaluation`` in github.com/apple/ml-kge, which tests compare with by hand-made cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xadapt.data.readers.name_files import CheckedNames, NameTable
from xadapt.evaluation.statistics import Interval, Statistic, statistic_interval

Alike = Callable[[Sequence[str]], NDArray[np.bool_]]
"""From ``n`` names to whether each two are spellings of one name, ``(n, n)``."""
COVERAGE = ("coverage P", "coverage R", "coverage F1")
CHECK = ("check P", "check R", "check F1")
FLAGS = "right flags"
"""The share of flagged names that are wrong."""


@dataclass(frozen=True)
class VotedName:
    """A name with its votes.

    Attributes:
        name: The name as most sources spell it.
        votes: Number of votes.
        primary: Whether a source marks it as the usual name.
        sources: The sources that give it, in their order.
    """

    name: str
    votes: int
    primary: bool
    sources: tuple[str, ...]


Voted = Mapping[str, tuple[VotedName, ...]]
"""The names of each entity, most votes first."""


def normal_name(name: str) -> str:
    """Return a name in lower case with letters, digits and spaces alone."""
    return "".join(sign for sign in name.lower() if sign.isalnum() or sign == " ")


def vote(
    sources: Mapping[str, NameTable], *, scored: bool = False, alike: Alike | None = None
) -> dict[str, tuple[VotedName, ...]]:
    """Count the votes of each name.

    Args:
        sources: The names of each source, by entity.
        scored: Whether a source gives as many votes as its score of the name; else one.
        alike: Which names of one entity are spellings of one name. Such a name has the votes of all
            sources that give one of its spellings. Without it, only equal names are.

    Returns:
        The entities in the order of the sources; of each its names, most votes first. Names with
        equal votes stay in the order of the sources.
    """
    entities = dict.fromkeys(entity for own in sources.values() for entity in own)
    return {entity: _voted(entity, sources, scored, alike) for entity in entities}


def _voted(
    entity: str, sources: Mapping[str, NameTable], scored: bool, alike: Alike | None
) -> tuple[VotedName, ...]:
    spellings: dict[str, Counter[str]] = {}
    given: dict[str, dict[str, int]] = {}
    primary: set[str] = set()
    for source, table in sources.items():
        for one in table.get(entity, ()):
            key = normal_name(one.name)
            spellings.setdefault(key, Counter())[one.name] += 1
            own = given.setdefault(key, {})
            own[source] = max(own.get(source, 0), one.score if scored else 1)
            if one.primary:
                primary.add(key)
    keys = list(given)
    if alike is not None and len(keys) > 1:
        same = alike([spellings[key].most_common(1)[0][0] for key in keys])
        given = {key: _together(keys, given, same[i]) for i, key in enumerate(keys)}
    order = list(sources)
    found = [
        VotedName(
            spellings[key].most_common(1)[0][0],
            sum(given[key].values()),
            key in primary,
            tuple(sorted(given[key], key=order.index)),
        )
        for key in keys
    ]
    return tuple(sorted(found, key=lambda one: -one.votes))


def _together(
    keys: Sequence[str], given: Mapping[str, Mapping[str, int]], same: NDArray[np.bool_]
) -> dict[str, int]:
    """Return the votes of a name and of the names that are alike, each source once."""
    found: dict[str, int] = {}
    for key, is_same in zip(keys, same.tolist(), strict=True):
        for source, votes in given[key].items() if is_same else ():
            found[source] = max(found.get(source, 0), votes)
    return found


@dataclass(frozen=True)
class NameCounts:
    """Counts by entity from which the measures are computed, each ``(entities,)``.

    Attributes:
        covered: Names with enough votes that are right.
        predicted: Names with enough votes, of entities that have right names.
        right: Right names, each once.
        found_wrong: Wrong names that are flagged.
        found_right: Right names that are flagged.
        known_wrong: Wrong names.
        known_right: Right names.
        entities: Number of entities with a name that has enough votes.
    """

    covered: NDArray[np.float64]
    predicted: NDArray[np.float64]
    right: NDArray[np.float64]
    found_wrong: NDArray[np.float64]
    found_right: NDArray[np.float64]
    known_wrong: NDArray[np.float64]
    known_right: NDArray[np.float64]
    entities: int


def count_names(
    voted: Voted, checked: Mapping[str, CheckedNames], least: int = 2, confirms: int = 1
) -> NameCounts:
    """Compare voted names with checked ones.

    Args:
        voted: The voted names.
        checked: The checked names by entity.
        least: Votes that a name needs to count as predicted.
        confirms: Votes that keep a known name from being flagged.
    """
    rows = []
    for entity, gold in checked.items():
        own = {votes: _keys(voted.get(entity, ()), votes) for votes in (least, confirms)}
        names, enough = {normal_name(name) for name in gold.right}, own[least]
        wrong_list = [normal_name(name) in own[confirms] for name in gold.wrong]
        right_list = [normal_name(name) in own[confirms] for name in gold.right]
        rows.append(
            (
                len(enough & names),
                len(enough) if names else 0,
                len(names),
                wrong_list.count(False),
                right_list.count(False),
                len(wrong_list),
                len(right_list),
            )
        )
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), 7)
    named = sum(bool(_keys(own, least)) for own in voted.values())
    covered, predicted, right, flagged_wrong, flagged_right, wrong, every = columns.T
    return NameCounts(
        covered, predicted, right, flagged_wrong, flagged_right, wrong, every, entities=named
    )


def _keys(names: Sequence[VotedName], votes: int) -> set[str]:
    return {normal_name(one.name) for one in names if one.votes >= votes}


def name_scores(counts: NameCounts, *, resamples: int = 1000, seed: int = 0) -> dict[str, Interval]:
    """Compute both measures with their intervals over entities.

    Args:
        counts: The counts by entity.
        resamples: Number of bootstrap samples.
        seed: Seed of the bootstrap.

    Returns:
        Precision, recall and F1 of coverage; accuracy, recall of wrong names and their harmonic
        mean for the check; and the share of flagged names that are wrong.
    """
    cover = (counts.covered, counts.predicted, counts.right)
    check = (counts.found_wrong, counts.found_right, counts.known_wrong, counts.known_right)
    statistics: list[tuple[str, tuple[NDArray[np.float64], ...], Statistic]] = [
        (COVERAGE[0], cover, lambda hit, own, _: _over(hit, own)),
        (COVERAGE[1], cover, lambda hit, _, right: _over(hit, right)),
        (COVERAGE[2], cover, lambda hit, own, right: _over(2 * hit, own + right)),
        (CHECK[0], check, _accuracy),
        (CHECK[1], check, lambda wrong, _, all_wrong, __: _over(wrong, all_wrong)),
        (CHECK[2], check, _check_f1),
        (FLAGS, check, lambda wrong, right, *_: _over(wrong, wrong + right)),
    ]
    return {
        name: statistic_interval(statistic, columns, resamples=resamples, seed=seed)
        for name, columns, statistic in statistics
    }


def _accuracy(*columns: NDArray[np.float64]) -> NDArray[np.float64]:
    wrong, right, all_wrong, all_right = columns
    return _over(all_right - right + wrong, all_right + all_wrong)


def _check_f1(*columns: NDArray[np.float64]) -> NDArray[np.float64]:
    accuracy, recall = _accuracy(*columns), _over(columns[0], columns[2])
    both = accuracy + recall
    made: NDArray[np.float64] = np.divide(
        2 * accuracy * recall, both, out=np.zeros_like(both), where=both > 0
    )
    return made


def _over(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ratio of sums along the last axis; 0 where the lower sum is 0."""
    whole = below.sum(-1)
    made: NDArray[np.float64] = np.divide(
        above.sum(-1), whole, out=np.zeros_like(whole), where=whole > 0
    )
    return made
