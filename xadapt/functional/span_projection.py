"""Projection of labelled spans onto a translation, along links between words.

Source: Easy-Label-Projection, García-Ferrero et al. 2022, https://arxiv.org/abs/2210.12623. Two
rules are kept as its paper and README state them, not as its released code computes them: a gap is
measured between two runs (the code measures the width of both together, so that runs of more than
one word are never joined), and collisions are looked for in the order of the target (the code
compares neighbours in the order of the source, so that spans which a translation swaps collide
although they don't overlap).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from xadapt.functional.tag_scheme import Span

Run = tuple[int, int]

NO_LINK = "no word is linked"
PUNCTUATION = "only punctuation is linked"
MERGED = "merged with an overlapping span of its type"
SHORTER = "overlaps a longer span of another type"
REASONS = (NO_LINK, PUNCTUATION, MERGED, SHORTER)


@dataclass(frozen=True)
class Projected:
    """What became of the spans of one sentence.

    Attributes:
        spans: Spans on the target, ``(start, end, type)`` half-open, sorted.
        dropped: By place of a source span that gave no span of its own, the reason (`REASONS`).
    """

    spans: tuple[Span, ...]
    dropped: dict[int, str]


def project_spans(
    spans: Sequence[Span],
    links: Iterable[tuple[int, int]],
    target: Sequence[str],
    *,
    gap: int = 1,
    source: Sequence[str] | None = None,
) -> Projected:
    """Project the spans of a sentence onto its translation.

    For each span: the target words that its words are linked to, without words of punctuation
    alone; runs of them with at most ``gap`` words between are joined; the longest run is the span,
    the first of equals. Then overlapping spans of one type become one, and of two overlapping spans
    of different types the longer one stays, the first of equals.

    Args:
        spans: ``(start, end, type)`` over source words, half-open.
        links: ``(source word, target word)``, from 0.
        target: The target words.
        gap: The most words between two runs that are joined; 0 joins none.
        source: The source words. If they are given, a span whose very words stand in the target
            goes to them: to the place, free of earlier spans, with most linked words. Links decide
            about the other spans.

    Raises:
        ValueError: If a link leaves the target, or the gap is negative.
    """
    if gap < 0:
        raise ValueError("gap must be at least 0")
    partners: dict[int, set[int]] = {}
    for one, other in links:
        if not 0 <= other < len(target):
            raise ValueError(f"the link {one}-{other} leaves a target of {len(target)} words")
        partners.setdefault(one, set()).add(other)
    found: dict[int, Run] = {}
    dropped: dict[int, str] = {}
    for place, (start, end, _) in enumerate(spans):
        linked = sorted({word for at in range(start, end) for word in partners.get(at, ())})
        words = [word for word in linked if not is_punctuation(target[word])]
        same = None
        if source is not None:
            same = _same_words(source[start:end], target, found.values(), set(words))
        if same is not None:
            found[place] = same
        elif words:
            found[place] = longest_run(words, gap)
        else:
            dropped[place] = PUNCTUATION if linked else NO_LINK
    kept = _without_collisions(found, spans, dropped)
    return Projected(tuple(sorted(kept)), dict(sorted(dropped.items())))


def is_punctuation(word: str) -> bool:
    """Return whether every character is punctuation or a symbol, in any script."""
    return all(unicodedata.category(char)[0] in "PS" for char in word)


def longest_run(words: Sequence[int], gap: int) -> Run:
    """Join runs of sorted word positions across gaps, and return the longest, half-open.

    Args:
        words: Positions, sorted, each once; at least one.
        gap: The most positions between two runs that are joined.
    """
    runs = [(words[0], words[0] + 1)]
    for word in words[1:]:
        start, end = runs[-1]
        if word - end <= gap:
            runs[-1] = start, word + 1
        else:
            runs.append((word, word + 1))
    return max(runs, key=_length)


def _same_words(
    words: Sequence[str], target: Sequence[str], taken: Iterable[Run], linked: Collection[int]
) -> Run | None:
    """Return the free place of the very words that has most linked words, the first of equals."""
    used = list(taken)
    runs = [(start, start + len(words)) for start in range(len(target) - len(words) + 1)]
    same = [
        run
        for run in runs
        if list(target[slice(*run)]) == list(words)
        and not any(_overlap(run, other) for other in used)
    ]
    return max(same, key=lambda run: sum(at in linked for at in range(*run)), default=None)


def _without_collisions(
    found: dict[int, Run], spans: Sequence[Span], dropped: dict[int, str]
) -> list[Span]:
    """Merge overlapping runs of one type, then keep the longer of overlapping runs."""
    merged: list[tuple[Run, str, list[int]]] = []
    for place in sorted(found, key=lambda p: (found[p], spans[p])):
        name, run = spans[place][2], found[place]
        # runs are met by their start, so only the last of a type can reach this one
        last = next((n for n in range(len(merged) - 1, -1, -1) if merged[n][1] == name), None)
        if last is not None and _overlap(merged[last][0], run):
            (start, end), _, places = merged[last]
            merged[last] = (start, max(end, run[1])), name, [*places, place]
        else:
            merged.append((run, name, [place]))
    kept: list[Span] = []
    for run, name, places in sorted(merged, key=lambda one: (-_length(one[0]), one[0])):
        if any(_overlap(run, (start, end)) for start, end, _ in kept):
            dropped.update(dict.fromkeys(places, SHORTER))
            continue
        kept.append((*run, name))
        dropped.update(dict.fromkeys(places[1:], MERGED))
    return kept


def _length(run: Run) -> int:
    return run[1] - run[0]


def _overlap(one: Run, other: Run) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def count_spans(gold: Iterable[Span], found: Iterable[Span]) -> tuple[int, int, int]:
    """Count the exact spans that are right, all found and all gold spans.

    F1 is twice the first over the sum of the others.
    """
    given, own = Counter(gold), Counter(found)
    return (given & own).total(), own.total(), given.total()
