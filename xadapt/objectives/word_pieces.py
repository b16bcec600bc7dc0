"""Words of running text, and the positions of their pieces in a tokenised sentence."""

from __future__ import annotations

import re
from typing import Any

WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
"""A word with its apostrophes, or one sign."""


def words_of(text: str) -> tuple[str, ...]:
    """Split running text into words and signs; a text without any is one word."""
    return tuple(WORD.findall(text)) or (text,)


def pieces_of_words(row: Any, special: set[int]) -> dict[int, list[int]]:
    """Return the positions of the pieces of each word, by the word's number.

    Args:
        row: A result of ``tokenize_words``.
        special: Ids of the special tokens, which are part of no word.
    """
    found: dict[int, list[int]] = {}
    for at, word in row.pieces:
        if row.ids[at] not in special:
            found.setdefault(word, []).append(at)
    return found
