"""Objects and lists of JSON inside a text, found by the decoder of the standard library."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_OPENER = re.compile(r"[{\[]")
_DECODER = json.JSONDecoder()
MOST = 500
"""Openers of a text that are tried."""


def values(text: str) -> Iterator[tuple[int, int]]:
    """Yield the outermost objects and lists that are not empty, with keys and values.

    Values are kept too: whether a value is a word for people or a name for a program can't be seen.
    """
    end = 0
    for tried, opener in enumerate(_OPENER.finditer(text)):
        if tried == MOST:
            return
        if opener.start() < end:
            continue
        try:
            value, stop = _DECODER.raw_decode(text, opener.start())
        except (ValueError, RecursionError):
            continue
        if value:
            end = stop
            yield opener.start(), stop
