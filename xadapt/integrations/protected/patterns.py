"""What has no parser: addresses, calculations, placeholders, entities, columns between tabs."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ADDRESS = re.compile(
    r"""(?:https?|ftp)://[^\s<>"'`|]+ | \bwww\.[^\s<>"'`|]+ | \bmailto:[^\s<>"'`|]+
    | \b[\w.+-]+@[\w-]+(?:\.[\w-]+)+ | (?<![\w/.])~?/(?:[\w.@-]+/)+[\w.@-]*
    | \b[A-Za-z]:\\[\w.\\-]+ | (?<![\w.])\.{1,2}/[\w./-]+""",
    re.X,
)
_OPEN = {")": "(", "]": "[", "}": "{"}
_NUMBER = r"[$€£]?\d(?:[\d.,]*\d)?%?"
_NAME = r"[A-Za-z](?![\w'’])"
_OPERAND = rf"-?(?:{_NUMBER}(?:[a-z](?![A-Za-z]))?|{_NAME})(?:\([^()\n]{{1,20}}\)|\^\d+)*"
_OPERATOR = r"(?:[ \t]*(?:[-+*/=^×÷·<>≤≥≈]|<=|>=|==|!=|≠)[ \t]*)"
_CALCULATION = re.compile(
    rf"<<[^<>\n]*\d[^<>\n]*>>|^\#\#\#\#[ \t]*-?[\d.,]+[ \t]*$"
    rf"|(?<![\w.])\(?{_OPERAND}\)?(?:{_OPERATOR}\(*{_OPERAND}\)*)+(?!\w)",
    re.M,
)
_PLACEHOLDER = re.compile(
    r"\{\{[^{}\n]+\}\}|\{[A-Za-z_]\w*\}|\$\{\w+\}|%\(\w+\)[sd]|%[sd]\b|<<[A-Za-z][\w ' -]{0,40}>>"
    r"|\[[A-Za-z][\w' -]{0,30}\](?!\()"
)
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield addresses of the web and of mail, and paths; punctuation at their end is the text's."""
    for found in _ADDRESS.finditer(text):
        start, end = found.span()
        while end > start and (text[end - 1] in ".,;:!?*_" or _unopened(text[start:end])):
            end -= 1
        yield start, end


def calculations(text: str) -> Iterator[tuple[int, int]]:
    """Yield calculations of numbers and single letters, such as ``3 * x = 12``."""
    yield from _all(_CALCULATION, text)


def placeholders(text: str) -> Iterator[tuple[int, int]]:
    """Yield ``{name}``, ``{{ name }}``, ``%s``, ``[name]`` and ``<<name>>``."""
    yield from _all(_PLACEHOLDER, text)


def entities(text: str) -> Iterator[tuple[int, int]]:
    """Yield entities of HTML, such as ``&nbsp;``."""
    yield from _all(_ENTITY, text)


def columns(text: str) -> Iterator[tuple[int, int]]:
    """Yield neighbouring lines that tabs or pipes divide into the same number of columns.

    There are two lines or more. A line needs one tab or two pipes. Empty lines may stand
    between the lines.
    """
    start, end, place, count, rows = 0, 0, 0, 0, 0
    for line in [*text.splitlines(keepends=True), "end"]:
        cuts = _cuts(line)
        if line.strip() and cuts != count:
            if count and rows > 1:
                yield start, end
            start, count, rows = place, cuts, 0
        if line.strip():
            rows += 1
            end = place + len(line.rstrip())
        place += len(line)


def _cuts(line: str) -> int:
    """Return the tabs of a line, or its pipes as a number below zero; 0 for a line of prose."""
    pipes = line.count("|")
    return line.strip().count("\t") or (-pipes if pipes > 1 else 0)


def _all(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    return (found.span() for found in pattern.finditer(text))


def _unopened(address: str) -> bool:
    """Return whether an address ends in a bracket that the text around it opened."""
    last = address[-1:]
    return last in _OPEN and address.count(last) > address.count(_OPEN[last])
