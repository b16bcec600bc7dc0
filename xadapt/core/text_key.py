"""The definition of equal texts: two texts are equal if their normal keys are equal."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_ASCII_DROPPED = bytes(code for code in range(128) if not chr(code).isalnum())


class _Kept(dict[int, int | None]):
    """A table for ``str.translate`` that keeps letters, numbers and marks.

    Each character is looked up once and then stored.
    """

    def __missing__(self, code: int) -> int | None:
        kept = unicodedata.category(chr(code))[0] in "LNM" and not 0xFE00 <= code <= 0xFE0F
        return self.setdefault(code, code if kept else None)


_KEPT = _Kept()


@lru_cache(maxsize=1 << 12)
def normal_key(text: str) -> str:
    """Return the normal key of a text; texts with the same key count as equal.

    The key is the text in NFKC, case folded, with letters, numbers and marks only. If nothing is
    left, the key is the stripped text. Marks stay with their letters: in Indic scripts marks are
    vowels, and words may differ in nothing else. This is the only definition in the library: the
    filter, splits, objectives and evaluations use it.
    """
    return _folded(text) or text.strip()


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower().encode().translate(None, _ASCII_DROPPED).decode()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    folded = "".join(folded.split())  # most of the removed characters are white space
    return folded if folded.isalnum() else folded.translate(_KEPT)
