"""Words of a text without a model of its language: runs of letters and single marks."""

from __future__ import annotations

import re
import unicodedata

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3040-\u30ff"  # Kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Chinese characters
)
_MARKS = "".join(
    chr(code)
    for code in range(0x300, 0x10000)
    if unicodedata.category(chr(code))[0] == "M" and not re.match(f"[{_UNSPACED}]", chr(code))
)
"""Vowel signs of Indic scripts and other marks, which Python's ``\\w`` leaves out."""
_RUN = rf"[^\W{_UNSPACED}](?:[^\W{_UNSPACED}]|[{_MARKS}])*"
_WORD = re.compile(rf"[{_UNSPACED}]|{_RUN}(?:[-'’.·\u200c\u200d]{_RUN})*|[^\w\s]")


def simple_words(text: str) -> list[str]:
    """Split a text into words and marks; scripts without spaces give one character a word.

    Letters and digits that an apostrophe, a hyphen, a full stop or a zero-width joiner joins are
    one word. A mark, such as a vowel sign, belongs to its letter.
    """
    return _WORD.findall(text)
