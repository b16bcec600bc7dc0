"""Words of a text without a model of its language: runs of letters and single marks."""

from __future__ import annotations

import re

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3040-\u30ff"  # Kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Chinese characters
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+(?:[-'’.·][^\W{_UNSPACED}]+)*|[^\w\s]")


def simple_words(text: str) -> list[str]:
    """Split a text into words and marks; scripts without spaces give one character a word.

    Letters and digits that an apostrophe, a hyphen or a full stop joins are one word.
    """
    return _WORD.findall(text)
