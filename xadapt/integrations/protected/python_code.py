"""Python that stands in a text without a fence, found by the parser of the standard library."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator

_BEGINS = re.compile(
    r"[ \t]*(?:@\w|async def |def \w|class \w+.*:|import \w|from [\w.]+ import |for .+ in .+:|"
    r"while .+:|if .+:|with .+:|try:|return\b|print\(|[A-Za-z_][\w.\[\]]* ?[-+*/]?= ?\S)"
)
_STRONG = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.For,
    ast.While, ast.If, ast.With, ast.Try, ast.Return, ast.Assign, ast.AugAssign, ast.AnnAssign,
)  # fmt: skip
LINES = 200
"""Lines that a block may have."""


def blocks(text: str) -> Iterator[tuple[int, int]]:
    """Yield runs of whole lines that are statements of Python.

    A run begins at a line with the form of a statement and is as long as it can be. Its
    comments and strings are kept with it. A single name or number is no statement here.
    """
    if parses(text) and text.strip():
        yield _trimmed(text, 0, len(text))
        return
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    at = 0
    while at < len(lines):
        last = _run(lines, at) if _BEGINS.match(lines[at]) else at
        if last > at:
            yield _trimmed(text, starts[at], starts[last])
        at = max(last, at + 1)


def parses(code: str) -> bool:
    """Return whether a text is Python with at least one statement."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(textwrap.dedent(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, _STRONG) for node in tree.body)


def _run(lines: list[str], first: int) -> int:
    """Return the line after the longest run of Python that begins here."""
    stop = first + 1
    while stop < min(len(lines), first + LINES):
        stop += 1
        line = lines[stop - 1]
        known = _BEGINS.match(line) or line[:1] in " \t#)]}\"'" or not line.strip()
        if not known:
            stop -= 1
            break
    return next((end for end in range(stop, first, -1) if parses("".join(lines[first:end]))), first)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    return start, start + len(text[start:end].rstrip())
