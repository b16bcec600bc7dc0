"""Choices of label projection by markers: where to look, which candidate to take, what collides.

Source: CODEC, Le et al. 2024, https://arxiv.org/abs/2402.03131, sections 3.2 and 3.4, and its code
(https://github.com/duonglm38/Codec), whose thresholds are the defaults.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

SEED, KEEP, WINDOW = 0.5, 0.1, 5
"""Differences of log-probabilities of a seed and of its neighbours, and how far these stand."""
LIKE, SAME, UNLIKELY = 0.5, 0.9, 5.0
"""Similarity of a candidate that is kept, of one that is taken, and the back-score of another."""
_MARKS = re.compile(r"([?,.!:'\"])")
Run = tuple[int, int]


def opening_words(
    marked: Sequence[float],
    bare: Sequence[float],
    starts: Sequence[int],
    *,
    seed: float = SEED,
    keep: float = KEEP,
    window: int = WINDOW,
) -> frozenset[int]:
    """Return the words of a translation before which an opening marker is worth a try.

    Where markers in the source change the probability of a token by ``seed`` or more, this token
    and those near it that change by ``keep`` or more are marked. Their words are the result.

    Args:
        marked: Log-probability of each token of the translation, with its end, given the source
            with markers.
        bare: The same, given the source without markers.
        starts: The place of the first token of each word.
        seed: Difference of a seed.
        keep: Difference of a token near a seed.
        window: The most tokens between a seed and a token near it.

    Returns:
        Numbers of words from 0; all words if none is found.

    Raises:
        ValueError: If both scores differ in number.
    """
    if len(marked) != len(bare):
        raise ValueError(f"{len(marked)} and {len(bare)} scores of one translation")
    change = [abs(a - b) for a, b in zip(marked, bare, strict=True)]
    seeds = [place for place, own in enumerate(change) if own >= seed]
    near = {
        place
        for at in seeds
        for place in range(max(0, at - window), min(len(change), at + window + 1))
        if change[place] >= keep
    }
    near.discard(len(change) - 1)  # nothing could stand between a marker there and the end
    words = frozenset(bisect_right(starts, place) - 1 for place in near)
    return words or frozenset(range(len(starts)))


@dataclass(frozen=True)
class Candidate:
    """A span of a translation that may be the one looked for.

    Attributes:
        text: Its words.
        back: Negative log-probability of the source span, translated back from this text.
        similar: Greatest similarity to the source span and to its translation alone, 0 to 1.
    """

    text: str
    back: float
    similar: float = 0.0


def similarity(one: str, other: str) -> float:
    """Return the share of characters that two texts have in common, in order and in any case."""
    return SequenceMatcher(None, one.lower(), other.lower()).ratio()


def choose(
    candidates: Sequence[Candidate], *, strict: bool = True, spaced: bool = True
) -> int | None:
    """Choose one of the candidates of a span.

    If ``strict``, a candidate stays only if it is similar (above 0.5) or its back-score is below 5;
    and if the most similar one has 0.9 or more, it is taken, of equals the one with the lowest
    back-score. Otherwise the candidate with the lowest back-score is taken that lies in the
    likeliest one and has a lower back-score; if there is none, the likeliest one.

    Args:
        candidates: The candidates, the likeliest one first.
        strict: Whether unlike candidates are dropped, as for training data.
        spaced: Whether spaces stand between words.

    Returns:
        The place of a candidate; ``None`` if none stays.
    """
    stay = [
        place
        for place, one in enumerate(candidates)
        if not strict or one.similar > LIKE or one.back < UNLIKELY
    ]
    if not stay:
        return None
    most = max(candidates[place].similar for place in stay)
    if strict and most >= SAME and len(stay) > 1:
        same = [place for place in stay if candidates[place].similar == most]
        return min(same, key=lambda place: (candidates[place].back, place))
    first = candidates[stay[0]]
    inner = [
        place
        for place in stay
        if candidates[place].back < first.back
        and _inside(candidates[place].text, first.text, spaced)
    ]
    return min(inner, key=lambda place: (candidates[place].back, place), default=stay[0])


def _inside(part: str, whole: str, spaced: bool) -> bool:
    if not spaced:
        return part in whole
    one, other = (" ".join(_MARKS.sub(r" \1 ", text).split()) for text in (part, whole))
    return f" {one} " in f" {other} "


def collisions(runs: Sequence[Run]) -> list[int]:
    """Return the places of runs that share a word with another one.

    Args:
        runs: Words ``(start, end)``, half-open, in any order.
    """
    return [
        place
        for place, (start, end) in enumerate(runs)
        if any(start < b and a < end for at, (a, b) in enumerate(runs) if at != place)
    ]


def likeliest(runs: Sequence[Run], scores: Sequence[float]) -> list[int]:
    """Return the places of runs that stay if of two that share a word the likelier one stays.

    Args:
        runs: Words ``(start, end)``, half-open.
        scores: A score for each; of equals the first stays.
    """
    kept: list[int] = []
    for place in sorted(range(len(runs)), key=lambda place: (-scores[place], place)):
        start, end = runs[place]
        if not any(start < runs[at][1] and runs[at][0] < end for at in kept):
            kept.append(place)
    return sorted(kept)
