"""Spans of any label: the spans of a sentence, and the choice among scored ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xadapt.functional.tag_scheme import Span


def as_text(label: str) -> str:
    """Return the text of a label of data: ``sports_team``, as CoNLL needs it, is two words."""
    return label.replace("_", " ").strip() or label


def candidates(places: Sequence[int], longest: int) -> list[tuple[int, int]]:
    """Return all spans of neighbouring words whose first tokens are near enough to each other.

    Args:
        places: The position of the first token of each word, ascending.
        longest: A span counts if its last word begins fewer than this many tokens after its first.

    Returns:
        ``(first, last)`` as numbers of words, both inclusive, in order.
    """
    found = []
    for first, start in enumerate(places):
        for last in range(first, len(places)):
            if places[last] - start >= longest:
                break
            found.append((first, last))
    return found


def without_overlap(scored: Iterable[tuple[float, Span]], threshold: float) -> tuple[Span, ...]:
    """Keep spans from the highest probability down, none of which shares a word with another.

    Equal probabilities are taken in the order of the spans, so that the order of the input does not
    matter.

    Source: greedy decoding of GLiNER, Zaratiana et al. 2023, https://arxiv.org/abs/2311.08526,
    section 2.3.

    Args:
        scored: The probability of each span ``(start, end, label)``, half-open.
        threshold: Spans below it are left out.

    Returns:
        The spans in the order of the words.
    """
    order = sorted(scored, key=lambda one: (-one[0], one[1]))
    taken: set[int] = set()
    kept: list[Span] = []
    for probability, span in order:
        words = range(span[0], span[1])
        if probability >= threshold and taken.isdisjoint(words):
            taken.update(words)
            kept.append(span)
    return tuple(sorted(kept))
