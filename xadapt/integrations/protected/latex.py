r"""Formulas of LaTeX, ``$..$``, ``\(..\)``, ``\[..\]`` and environments, found by pylatexenc."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from xadapt.core.errors import missing_extra

_OPENER = re.compile(r"(?<!\\)(\$\$?|\\\(|\\\[|\\begin\{)")
_DIGIT = re.compile(r"\d")
_DOCUMENT = re.compile(r"\\(?:documentclass|begin\{document\}).*?\\end\{document\}", re.S)
LONGEST = 4_000
"""Characters that a formula may have."""
MOST = 500
"""Openers of a text that are tried."""


def formulas(text: str) -> Iterator[tuple[int, int]]:
    """Yield formulas.

    A dollar sign before a price opens none: as in Pandoc, no space follows the sign that opens,
    none stands before the sign that closes, and no digit follows it.
    """
    if not _OPENER.search(text):
        return
    end = 0
    for tried, opener in enumerate(_OPENER.finditer(text)):
        if tried == MOST:
            return
        if opener.start() < end:
            continue
        found = _formula(text, opener.start())
        if found is not None and _closes(text, opener[1], opener.start(), found):
            end = found
            yield opener.start(), found


def documents(text: str) -> Iterator[tuple[int, int]]:
    """Yield whole documents of LaTeX."""
    return (found.span() for found in _DOCUMENT.finditer(text))


def _formula(text: str, start: int) -> int | None:
    """Return the end of the formula that begins here, if pylatexenc reads one."""
    try:
        from pylatexenc import latexwalker
    except ImportError:
        raise missing_extra("pylatexenc", "selective") from None
    part = text[start : start + LONGEST]
    part = part if "\\begin" in part[:6] else part.partition("\n\n")[0]
    try:
        walker: Any = latexwalker.LatexWalker(part, tolerant_parsing=False)
        nodes, _, length = walker.get_latex_nodes(0, read_max_nodes=1)
    except (latexwalker.LatexWalkerError, RecursionError, IndexError):
        return None
    kinds = (latexwalker.LatexMathNode, latexwalker.LatexEnvironmentNode)
    return start + length if nodes and isinstance(nodes[0], kinds) else None


def _closes(text: str, sign: str, start: int, end: int) -> bool:
    inner = text[start + len(sign) : end - len(sign)]
    if sign != "$":
        return bool(inner.strip())
    return bool(
        inner and not inner[0].isspace() and not inner[-1].isspace() and not _DIGIT.match(text, end)
    )
