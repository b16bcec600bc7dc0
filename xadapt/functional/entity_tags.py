"""Texts with tags around two entities, a head and a tail: writing, reading, and repair.

``<e1>Ada</e1> founded <e2>Acme</e2>.`` Data sets are written so, and translators carry such tags
along. What a translator does to tags is repaired where the meaning is clear: spaces inside a tag,
another case, another kind of bracket, and one pair that became several around the words of one
name (``<b>Universidad</b> de <b>Ohio</b>``).

Source: the protected tags of MultiTACRED, Hennig et al. 2023, https://arxiv.org/abs/2305.04582,
section 3.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from itertools import pairwise

Span = tuple[int, int]
Names = tuple[str, str]
NAMES: tuple[Names, ...] = (("e1", "e2"), ("H", "T"), ("b", "i"))
"""Names of the tags of head and tail that are known, in any case."""

MISSING = "a tag is missing"
TANGLED = "the tags are not in pairs"
SEVERAL = "one tag stands around several places"
EMPTY = "nothing stands between two tags"
CROSSED = "the head and the tail cross each other"
LOOKALIKE = "the text has parts that look like tags"
BETWEEN = 3
"""The most words between two pairs of one tag that are read as one pair."""

_OPEN, _CLOSE = "(?:<|&lt;|＜|〈)", "(?:>|&gt;|＞|〉)"
_ENTITY = re.compile(r"&#?\w+;")


@dataclass(frozen=True)
class Entities:
    """A text with a head and a tail, ``(start, end)`` in characters, half-open."""

    text: str
    head: Span
    tail: Span


def span_fault(text: str, head: Span, tail: Span) -> str:
    """Return what is wrong with the spans of a head and a tail, or nothing.

    One span may lie inside the other.

    Args:
        text: The text.
        head: The span of the head, in characters, half-open.
        tail: The span of the tail.
    """
    for name, (start, end) in (("head", head), ("tail", tail)):
        if not 0 <= start < end <= len(text):
            return f"the {name} {start}-{end} is empty or leaves a text of {len(text)} characters"
        if not text[start:end].strip():
            return f"the {name} {start}-{end} holds spaces alone"
    first, second = sorted((head, tail), key=lambda span: (span[0], -span[1]))
    return CROSSED if second[0] < first[1] < second[1] else ""


def with_tags_around(found: Entities, names: Names) -> str:
    """Write a text with tags around its entities.

    Signs of markup in the text are escaped as in HTML if the text has any.

    Args:
        found: The text and its entities.
        names: Names of the two tags.

    Raises:
        ValueError: If a span is empty or leaves the text, or the spans cross each other.
    """
    fault = span_fault(found.text, found.head, found.tail)
    if fault:
        raise ValueError(fault)
    escaped = is_escaped(found.text)
    spans = sorted(zip((found.head, found.tail), names, strict=True), key=lambda x: x[0][0])
    cuts = [(start, 1, start - end, f"<{name}>") for (start, end), name in spans]
    cuts += [(end, 0, end - start, f"</{name}>") for (start, end), name in reversed(spans)]
    made, at = [], 0
    # where several tags meet, the inner pair is closed first and opened last
    for place, _, _, tag in sorted(cuts, key=lambda cut: cut[:3]):
        made += [_escape(found.text[at:place], escaped), tag]
        at = place
    return "".join([*made, _escape(found.text[at:], escaped)])


def is_escaped(text: str) -> bool:
    """Return whether `with_tags_around` escapes a text, since it has signs of markup."""
    return "<" in text or ">" in text or _ENTITY.search(text) is not None


def looks_tagged(text: str, names: Names) -> bool:
    """Return whether a text without tags has a part that would be read as one."""
    return _pattern(names).search(html.unescape(text)) is not None


def read_tags(
    text: str, names: Names, *, joined: bool = False, escaped: bool = False
) -> Entities | str:
    """Read the entities of a text with tags.

    White space just inside a tag goes outside, and spaces that surround the text are removed.

    Args:
        text: The text.
        names: Names of the two tags.
        joined: Whether several pairs of one tag are read as one, if at most `BETWEEN` words stand
            between two of them and no part of the other entity.
        escaped: Whether the text between tags is escaped as in HTML.

    Returns:
        The text without tags and its entities; or the reason why it can't be read.
    """
    lowered = [name.casefold() for name in names]
    spans: tuple[list[Span], list[Span]] = ([], [])
    begun: list[int | None] = [None, None]
    out, at = "", 0
    for tag in _pattern(names).finditer(text):
        which = lowered.index(tag["name"].casefold())
        start = begun[which]
        out = _added(out, text[at : tag.start()], escaped)
        at = tag.end()
        if (start is None) == bool(tag["slash"]):
            return TANGLED
        if start is None:
            inner = len(text) - at - len(text[at:].lstrip())
            if inner and out and not out[-1].isspace():
                out += " "
            at += inner
            begun[which] = len(out)
            continue
        end = max(start, len(out.rstrip()))
        if end == start:
            return EMPTY
        spaced = end < len(out) and text[at : at + 1].isalnum()
        out = out[:end] + " " * spaced
        spans[which].append((start, end))
        begun = [None if one is None or n == which else min(one, len(out))
                 for n, one in enumerate(begun)]  # fmt: skip
    if any(start is not None for start in begun):
        return TANGLED
    out = _added(out, text[at:], escaped).rstrip()
    if not all(spans):
        return MISSING
    several = any(len(own) > 1 for own in spans)
    if several and not (joined and _near(out, *spans) and _near(out, *reversed(spans))):
        return SEVERAL
    moved = len(out) - len(out.lstrip())
    head, tail = ((own[0][0] - moved, own[-1][1] - moved) for own in spans)
    found = Entities(out.lstrip(), head, tail)
    return span_fault(found.text, found.head, found.tail) or found


def find_whole(text: str, name: str) -> Span | None:
    """Find a name in a text as whole words, without regard to case; only if it stands there once.

    Args:
        text: The text.
        name: The name.
    """
    wanted = name.strip()
    if not wanted:
        return None
    pattern = rf"(?<!\w){re.escape(wanted)}(?!\w)"
    places = [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]
    return places[0] if len(places) == 1 else None


def _pattern(names: Names) -> re.Pattern[str]:
    known = "|".join(map(re.escape, names))
    return re.compile(rf"{_OPEN}\s*(?P<slash>[/／])?\s*(?P<name>{known})\s*{_CLOSE}", re.IGNORECASE)


def _escape(text: str, escaped: bool) -> str:
    return html.escape(text, quote=False) if escaped else text


def _added(out: str, part: str, escaped: bool) -> str:
    """Add a part of a text, without a second space where both have one."""
    part = html.unescape(part) if escaped else part
    return out + (part.lstrip(" ") if out.endswith(" ") else part)


def _near(text: str, spans: list[Span], others: list[Span]) -> bool:
    """Whether the pairs of one tag are near each other, with no pair of the other one between."""
    for (_, end), (start, _) in pairwise(spans):
        between = any(first < start and last > end for first, last in others)
        if between or len(text[end:start].split()) > BETWEEN:
            return False
    return True
