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
    starts = [(row.first[word], word) for word in row.known]
    ends = [*(at for at, _ in starts[1:]), len(row.ids)]
    return {
        word: [at for at in range(start, end) if row.ids[at] not in special]
        for (start, word), end in zip(starts, ends, strict=True)
        if any(token not in special for token in row.ids[start:end])
    }
