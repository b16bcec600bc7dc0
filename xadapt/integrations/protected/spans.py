"""Find the parts of a text that a translation must keep: code, formulas, JSON, addresses, markup.

Kept parsers find them: markdown-it-py (code, tables, HTML, links), pylatexenc (formulas), the JSON
decoder and the Python parser of the standard library. Patterns find what has no grammar of its own:
addresses, calculations without LaTeX, placeholders.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from xadapt.core.errors import UserError
from xadapt.integrations.protected import json_values, latex, markdown, patterns, python_code

Found = Iterator[tuple[int, int]]
FINDERS: dict[str, tuple[Callable[[str], Found], ...]] = {
    "code": (markdown.code, python_code.blocks, latex.documents),
    "math": (latex.formulas, patterns.calculations),
    "json": (json_values.values,),
    "url": (patterns.addresses, markdown.destinations),
    "markup": (markdown.tags, patterns.entities),
    "table": (markdown.tables, patterns.columns),
    "placeholder": (patterns.placeholders,),
}
KINDS = tuple(FINDERS)
"""Kinds of parts that can be kept."""


@dataclass(frozen=True, order=True)
class Span:
    """A part of a text.

    Attributes:
        start: Position of its first character.
        end: Position after its last character.
        kind: One of `KINDS`.
    """

    start: int
    end: int
    kind: str


def kinds_of(text: str) -> tuple[str, ...]:
    """Read a list of kinds such as ``code,math``; ``all`` stands for every kind.

    Raises:
        UserError: If a kind is unknown, or there is none.
    """
    named = [part.strip() for part in text.split(",") if part.strip()]
    wanted = set(KINDS) if named == ["all"] else set(named)
    unknown = sorted(wanted - set(KINDS))
    if unknown or not wanted:
        raise UserError(
            f"there is no kind {unknown[0]!r}" if unknown else "no kind is named",
            where="--keep",
            todo=f"Name some of {', '.join(KINDS)}, or all",
        )
    return tuple(kind for kind in KINDS if kind in wanted)


def find_spans(text: str, keep: Collection[str] = KINDS) -> list[Span]:
    """Find what must be kept.

    Spans that overlap become one span over all of them, of the kind of the longest.

    Args:
        text: Any text.
        keep: Kinds to look for.

    Returns:
        Spans in the order of the text; none overlaps another.
    """
    found = [
        Span(start, end, kind)
        for kind, finders in FINDERS.items()
        if kind in keep
        for finder in finders
        for start, end in finder(text)
        if start < end
    ]
    return _joined(found)


def texts_of(text: str, spans: Collection[Span]) -> list[str]:
    """Return the text of each span."""
    return [text[span.start : span.end] for span in spans]


def _joined(found: list[Span]) -> list[Span]:
    joined: list[Span] = []
    longest = 0
    for span in sorted(found, key=lambda one: (one.start, -one.end, KINDS.index(one.kind))):
        size = span.end - span.start
        if joined and span.start < joined[-1].end:
            last = joined[-1]
            kind = span.kind if size > longest else last.kind
            joined[-1] = Span(last.start, max(last.end, span.end), kind)
            longest = max(longest, size)
        else:
            joined.append(span)
            longest = size
    return joined
