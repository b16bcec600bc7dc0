"""When two texts count as the same."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_ASCII_DROPPED = bytes(code for code in range(128) if not chr(code).isalnum())


class _Kept(dict[int, int | None]):
    """For ``str.translate``: keeps letters, numbers and marks, learning each character once."""

    def __missing__(self, code: int) -> int | None:
        kept = unicodedata.category(chr(code))[0] in "LNM" and not 0xFE00 <= code <= 0xFE0F
        return self.setdefault(code, code if kept else None)


_KEPT = _Kept()


@lru_cache(maxsize=1 << 12)
def normal_key(text: str) -> str:
    """What two texts have in common when they count as equal.

    NFKC, case folded, letters and numbers only; the stripped text when that leaves nothing. Marks
    stay with their letters: in Indic scripts they are vowels, and words differ in nothing else.
    This is the one definition in the library: filter, splits, objectives and evaluations use it.
    """
    return _folded(text) or text.strip()


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower().encode().translate(None, _ASCII_DROPPED).decode()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    folded = "".join(folded.split())  # white space is most of what goes
    return folded if folded.isalnum() else folded.translate(_KEPT)
