"""When two texts count as the same."""

from __future__ import annotations

import unicodedata
from functools import lru_cache


class _Kept(dict[int, int | None]):
    """For ``str.translate``: keeps letters, numbers and marks, learning each character once."""

    def __missing__(self, code: int) -> int | None:
        kept = unicodedata.category(chr(code))[0] in "LNM" and not 0xFE00 <= code <= 0xFE0F
        return self.setdefault(code, code if kept else None)


_KEPT = _Kept()


@lru_cache(maxsize=1 << 16)
def normal_key(text: str) -> str:
    """What two texts have in common when they count as equal.

    NFKC, case folded, letters and numbers only; the stripped text when that leaves nothing. Marks
    stay with their letters: in Indic scripts they are vowels, and words differ in nothing else.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.translate(_KEPT) or text.strip()
