"""Rows with a [QUE] token: in the place of hidden spans, or after a question about a passage."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from xadapt.backbones.encoder.pairs import Place, Window
from xadapt.backbones.encoder.words import Words

Span = tuple[int, int]


@dataclass(frozen=True)
class Template:
    """The special tokens around and between two segments.

    Attributes:
        before: Ids before the first segment.
        between: Ids between the segments.
        after: Ids after the second segment.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Any) -> Template:
        """Find the special tokens that a tokenizer puts around a pair of texts."""
        piece = list(tokenizer("a", add_special_tokens=False)["input_ids"])
        whole = list(tokenizer("a", "a")["input_ids"])
        size = len(piece)
        first = next(i for i in range(len(whole)) if whole[i : i + size] == piece)
        second = next(i for i in range(first + size, len(whole)) if whole[i : i + size] == piece)
        between = whole[first + size : second]
        return cls(tuple(whole[:first]), tuple(between), tuple(whole[second + size :]))

    @property
    def size(self) -> int:
        """Number of special tokens of a pair."""
        return len(self.before) + len(self.between) + len(self.after)


@dataclass(frozen=True)
class HiddenRow:
    """A pair of sentences in one row, with [QUE] in the place of each hidden span of the first.

    Attributes:
        ids: ``[CLS] first [SEP] second [SEP]``.
        second: Position of the second segment's first special token or piece after the first
            separator, for bases with segment ids.
        first_part: Positions of the first segment's tokens, half-open, without special tokens.
        second_part: Those of the second segment.
        asked: Position of each [QUE].
        gold: First and last token of the counterpart of each, inclusive, in the row.
        spans: Which of the given spans each [QUE] stands for; the others were cut off.
        words: The word of the second sentence of each token of ``second_part``.
    """

    ids: tuple[int, ...]
    second: int
    first_part: Span
    second_part: Span
    asked: tuple[int, ...]
    gold: tuple[Span, ...]
    spans: tuple[int, ...]
    words: tuple[int, ...]


def hidden_row(
    first: Words,
    second: Words,
    spans: Sequence[tuple[Span, Span]],
    template: Template,
    que: int,
    max_length: int,
) -> HiddenRow:
    """Join two sentences; each hidden span of the first becomes one [QUE].

    Each segment has at most half of the row. A span whose counterpart does not fit as a whole is
    not hidden, and one whose [QUE] does not fit is left out.

    Args:
        first: The sentence with hidden spans.
        second: Its translation.
        spans: Span of the first sentence and span of the second, over words, half-open.
        template: The special tokens.
        que: The id of [QUE].
        max_length: Largest number of tokens of a row.
    """
    room = (max_length - template.size) // 2
    theirs = second.pieces[:room]
    places = _places(theirs, [span for _, span in spans], second)
    kept = {spans[i][0]: i for i, place in enumerate(places) if place is not None}
    ours: list[int] = []
    at: list[tuple[int, int]] = []
    for position, word in first.pieces:
        span = next((own for own in kept if own[0] <= word < own[1]), None)
        if span is None:
            ours.append(first.ids[position])
        elif not at or at[-1][1] != kept[span]:
            at.append((len(ours), kept[span]))
            ours.append(que)
    at = [(place, number) for place, number in at if place < room]
    ours = ours[:room]
    start = len(template.before)
    begin = start + len(ours) + len(template.between)
    ids = (*template.before, *ours, *template.between, *(second.ids[i] for i, _ in theirs),
           *template.after)  # fmt: skip
    gold = []
    for _, number in at:
        place = places[number]
        assert place is not None
        gold.append((begin + place[0], begin + place[1]))
    return HiddenRow(
        ids,
        start + len(ours) + min(1, len(template.between)),
        (start, start + len(ours)),
        (begin, begin + len(theirs)),
        tuple(start + place for place, _ in at),
        tuple(gold),
        tuple(number for _, number in at),
        tuple(word for _, word in theirs),
    )


def _places(
    pieces: Sequence[tuple[int, int]], spans: Sequence[Span], words: Words
) -> list[Span | None]:
    """Return the first and last piece of each span; ``None`` where a piece of it was cut off."""
    whole = words.pieces
    found: list[Span | None] = []
    for start, stop in spans:
        own = [i for i, (_, word) in enumerate(whole) if start <= word < stop]
        there = bool(own) and own[-1] < len(pieces)
        # a last word without a piece was cut off with what came after it
        ends = there and {whole[i][1] for i in own} >= {start, stop - 1}
        found.append((own[0], own[-1]) if ends else None)
    return found


@dataclass(frozen=True)
class AskedWindow:
    """A window of a question and its passage, with [QUE] after the question.

    Attributes:
        window: The window with the new token.
        at: Position of [QUE].
    """

    window: Window
    at: int


def with_question_token(
    window: Window, que: int, special: Collection[int], max_length: int
) -> AskedWindow:
    """Put [QUE] after the question of a window.

    In a window that is full, the last token of the passage makes room.

    Args:
        window: The window.
        que: The id of [QUE].
        special: Ids of the base's special tokens.
        max_length: Largest number of tokens of a row.
    """
    ids, places = list(window.ids), list(window.places)
    reach = window.reach
    if len(ids) >= max_length:
        last = max((i for i, place in enumerate(places) if place is not None), default=None)
        if last is not None:
            gone = places.pop(last)
            del ids[last]
            left = [place for place in places if place is not None]
            reach = (reach[0], left[-1][1] if left and gone else reach[1])
    start = next((i for i, one in enumerate(ids) if one not in special), 0)
    at = next((i for i in range(start, len(ids)) if ids[i] in special), len(ids))
    ids.insert(at, que)
    places.insert(at, None)
    second = window.second + 1 if window.second < len(window.ids) else len(ids)
    made: tuple[Place | None, ...] = tuple(places)
    return AskedWindow(Window(tuple(ids), second, window.owner, made, reach), at)
