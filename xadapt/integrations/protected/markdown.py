"""Code, tables, tags and link destinations of Markdown, found by markdown-it-py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from xadapt.core.errors import missing_extra

_TAG = re.compile(r"</?[A-Za-z][^<>\n]*>|<!--.*?-->|<![A-Z][^<>]*>", re.S)
_TICKS = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.S)


@cache
def _parser() -> Any:
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise missing_extra("markdown-it-py", "selective") from None
    return MarkdownIt("commonmark").enable("table")


@lru_cache(maxsize=8)
def _parsed(text: str) -> tuple[list[Any], list[int]]:
    """Tokens of a text, and the position where each of its lines begins, with the end."""
    starts = [0, *(found.end() for found in re.finditer(r"\r\n?|\n", text)), len(text)]
    return _parser().parse(text), starts


def code(text: str) -> Iterator[tuple[int, int]]:
    """Yield fenced blocks with their fences, indented blocks, and code between backticks."""
    tokens, starts = _parsed(text)
    for token in tokens:
        if token.type in ("fence", "code_block"):
            yield _lines(text, starts, *token.map)
        elif token.type == "inline":
            start, end = _lines(text, starts, *token.map)
            wanted = [c.content for c in token.children if c.type == "code_inline"]
            for found in _TICKS.finditer(text, start, end):
                if wanted and _code_of(found[2]) == wanted[0]:
                    del wanted[0]
                    yield found.span()


def tags(text: str) -> Iterator[tuple[int, int]]:
    """Yield tags of HTML and XML; the words between them are no part of them."""
    tokens, starts = _parsed(text)
    for token in tokens:
        if token.type == "html_block":
            start, end = _lines(text, starts, *token.map)
            yield from (found.span() for found in _TAG.finditer(text, start, end))
        elif token.type == "inline":
            inner = [c.content for c in token.children if c.type == "html_inline"]
            yield from _in_order(text, inner, *_lines(text, starts, *token.map))


def destinations(text: str) -> Iterator[tuple[int, int]]:
    """Yield the destinations of links and images, as they are written."""
    tokens, starts = _parsed(text)
    for token in tokens:
        if token.type == "inline":
            given = (c.attrGet("href") or c.attrGet("src") for c in token.children)
            wanted = [place for place in given if place]
            yield from _in_order(text, wanted, *_lines(text, starts, *token.map))


def tables(text: str) -> Iterator[tuple[int, int]]:
    """Yield whole tables of pipes."""
    tokens, starts = _parsed(text)
    for token in tokens:
        if token.type == "table_open":
            yield _lines(text, starts, *token.map)


def _lines(text: str, starts: list[int], first: int, last: int) -> tuple[int, int]:
    """Return the span of lines, without the empty lines at its end."""
    start, end = starts[first], starts[min(last, len(starts) - 1)]
    return start, start + len(text[start:end].rstrip("\r\n"))


def _in_order(text: str, parts: list[str], start: int, end: int) -> Iterator[tuple[int, int]]:
    for part in parts:
        at = text.find(part, start, end)
        if at >= 0:
            start = at + len(part)
            yield at, start


def _code_of(inner: str) -> str:
    """Return the content of a code span, as section 6.1 of CommonMark defines it."""
    content = inner.replace("\n", " ")
    padded = content.startswith(" ") and content.endswith(" ") and content.strip()
    return content[1:-1] if padded else content
