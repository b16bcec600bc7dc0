"""Rows of texts with markers around two entities; the markers are ids beyond the vocabulary."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from xadapt.backbones.encoder.text_places import PlacedText

MARKERS = 4
"""Markers of a row: before and behind the head, before and behind the tail."""
Span = tuple[int, int]


@dataclass(frozen=True)
class MarkedRow:
    """A text with four markers.

    Attributes:
        ids: Token ids with special tokens. The markers are ``first`` to ``first + 3``.
        head: Position of the marker before the head.
        tail: Position of the marker before the tail.
        shortened: Number of tokens of the text that had no place.
    """

    ids: tuple[int, ...]
    head: int
    tail: int
    shortened: int = 0


def marked_row(
    text: PlacedText,
    head: Span,
    tail: Span,
    *,
    first: int,
    special: Collection[int],
    max_length: int,
    suffix: Sequence[int] = (),
) -> MarkedRow:
    """Put markers around the tokens of two entities.

    One entity may lie inside the other. Of a row that would be too long, the tokens nearest to an
    entity are kept, so that both entities stay in it; what stood between far entities is left out.

    Source: Hennig et al. 2023 (MultiTACRED), https://arxiv.org/abs/2305.04582; their code sets no
    marker behind an entity at the end of a text, and cuts the end of the row first.

    Args:
        text: The text, tokenized as a whole.
        head: The head, in characters, half-open.
        tail: The tail.
        first: Id of the first marker.
        special: Ids of the base's special tokens.
        max_length: Largest number of tokens of a row.
        suffix: Ids that follow the text.
    """
    ids = text.ids
    begin, end = 0, len(ids)
    while begin < end and text.places[begin] is None and ids[begin] in special:
        begin += 1
    while end > begin and text.places[end - 1] is None and ids[end - 1] in special:
        end -= 1
    frame = begin + len(ids) - end + MARKERS
    suffix = suffix[: max(0, (max_length - frame) // 2)]
    room = max(1, max_length - frame - len(suffix))
    whole = [_tokens(text, span, begin, end) for span in (head, tail)]
    kept = range(begin, end) if end - begin <= room else _nearest(whole, begin, end, room)
    spans = [_inside(kept, span) for span in whole]
    # where markers meet, the inner entity is closed first and opened last
    cuts = [(start, _kind(start, stop, 2), start - stop, n, 2 * n) for n, (start, stop) in
            enumerate(spans)]  # fmt: skip
    cuts += [
        (stop, _kind(start, stop, 0), stop - start, n if start == stop else -n, 2 * n + 1)
        for n, (start, stop) in enumerate(spans)
    ]
    made, at, places = list(ids[:begin]), 0, {}
    for place, _, _, _, marker in sorted(cuts):
        made += [ids[one] for one in kept[at:place]]
        at = place
        places[marker] = len(made)
        made.append(first + marker)
    made += [*(ids[one] for one in kept[at:]), *suffix, *ids[end:]]
    return MarkedRow(tuple(made), places[0], places[2], end - begin - len(kept))


def _tokens(text: PlacedText, span: Span, begin: int, end: int) -> Span:
    """Return the tokens of a span; an empty range where it would stand if it has none."""
    start, stop = span
    found = [
        at
        for at in range(begin, end)
        if (place := text.places[at]) is not None and place[0] < stop and place[1] > start
    ]
    if found:
        return found[0], found[-1] + 1
    behind = (
        at
        for at in range(begin, end)
        if (place := text.places[at]) is not None and place[0] >= stop
    )
    at = next(behind, end)
    return at, at


def _kind(start: int, stop: int, kind: int) -> int:
    """Return the rank of a marker at its place; those of an entity without tokens stay together."""
    return 1 if start == stop else kind


def _nearest(spans: Sequence[Span], begin: int, end: int, room: int) -> Sequence[int]:
    """Return the tokens that are nearest to an entity, in order; its own come first."""

    def distance(at: int) -> tuple[int, int, int]:
        away = [
            (0, at - start) if start <= at < stop else (max(start - at, at - stop + 1), 0)
            for start, stop in spans
        ]
        return (*min(away), at)

    return sorted(sorted(range(begin, end), key=distance)[:room])


def _inside(kept: Sequence[int], span: Span) -> Span:
    """Return the places of a span's tokens among those that are kept."""
    start, stop = span
    before = sum(1 for at in kept if at < start)
    return before, before + sum(1 for at in kept if start <= at < stop)
