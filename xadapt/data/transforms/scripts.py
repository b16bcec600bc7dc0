"""Find the script of a text, from the Unicode names of its characters."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from functools import lru_cache

from xadapt.languages.tags import script

# ISO 15924 code: the prefix of the Unicode names of the script's letters.
_NAMES = {
    "Adlm": "ADLAM",
    "Arab": "ARABIC",
    "Armn": "ARMENIAN",
    "Beng": "BENGALI",
    "Bopo": "BOPOMOFO",
    "Cans": "CANADIAN SYLLABICS",
    "Cher": "CHEROKEE",
    "Copt": "COPTIC",
    "Cyrl": "CYRILLIC",
    "Deva": "DEVANAGARI",
    "Ethi": "ETHIOPIC",
    "Geor": "GEORGIAN",
    "Goth": "GOTHIC",
    "Grek": "GREEK",
    "Gujr": "GUJARATI",
    "Guru": "GURMUKHI",
    "Hang": "HANGUL",
    "Hani": "CJK",
    "Hebr": "HEBREW",
    "Hira": "HIRAGANA",
    "Java": "JAVANESE",
    "Kana": "KATAKANA",
    "Khmr": "KHMER",
    "Knda": "KANNADA",
    "Laoo": "LAO",
    "Latn": "LATIN",
    "Mlym": "MALAYALAM",
    "Mong": "MONGOLIAN",
    "Mtei": "MEETEI MAYEK",
    "Mymr": "MYANMAR",
    "Nkoo": "NKO",
    "Olck": "OL CHIKI",
    "Orya": "ORIYA",
    "Rohg": "HANIFI ROHINGYA",
    "Sinh": "SINHALA",
    "Sund": "SUNDANESE",
    "Syrc": "SYRIAC",
    "Tale": "TAI LE",
    "Taml": "TAMIL",
    "Telu": "TELUGU",
    "Tfng": "TIFINAGH",
    "Thaa": "THAANA",
    "Thai": "THAI",
    "Tibt": "TIBETAN",
    "Vaii": "VAI",
    "Yiii": "YI",
}
_MIXED = {
    "Jpan": {"Hira", "Kana", "Hani"},
    "Kore": {"Hang", "Hani"},
    "Hans": {"Hani", "Bopo"},
    "Hant": {"Hani", "Bopo"},
}
# Languages in daily use in more than one script. A tag with a script means that script only.
_ALSO = {
    "az": {"Latn", "Cyrl", "Arab"},
    "bs": {"Latn", "Cyrl"},
    "ff": {"Latn", "Adlm"},
    "ha": {"Latn", "Arab"},
    "iu": {"Cans", "Latn"},
    "kk": {"Cyrl", "Latn", "Arab"},
    "ks": {"Arab", "Deva"},
    "ku": {"Latn", "Arab"},
    "ky": {"Cyrl", "Arab"},
    "mn": {"Cyrl", "Mong"},
    "ms": {"Latn", "Arab"},
    "pa": {"Guru", "Arab"},
    "sd": {"Arab", "Deva"},
    "sr": {"Cyrl", "Latn"},
    "tg": {"Cyrl", "Arab"},
    "tk": {"Latn", "Cyrl"},
    "tt": {"Cyrl", "Latn"},
    "ug": {"Arab", "Cyrl"},
    "uz": {"Latn", "Cyrl"},
}
_WEIGHTS = {"Hani": 3.0, "Hira": 2.0, "Kana": 2.0, "Hang": 2.0}


@lru_cache(maxsize=1 << 16)
def script_of(char: str) -> str:
    """Return the ISO 15924 code of a letter's script; empty for other characters and scripts."""
    if unicodedata.category(char)[0] not in "LM":  # marks: the vowels of Indic scripts
        return ""
    name = unicodedata.name(unicodedata.normalize("NFKC", char)[0], "")
    if name.startswith("IDEOGRAPHIC"):
        return "Hani"
    return next((code for code, word in _NAMES.items() if name.startswith(word)), "")


@lru_cache(maxsize=1 << 16)
def weight(char: str) -> float:
    """Return the approximate number of Latin letters for the content of a character."""
    return _WEIGHTS.get(script_of(char), 1.0)


class _Letters(dict[str, tuple[str, float]]):
    """A cache of the script and weight of each character."""

    def __missing__(self, char: str) -> tuple[str, float]:
        return self.setdefault(char, (script_of(char), weight(char)))


_LETTERS = _Letters()
_AFTER_LATIN, _MICRO = "\u0250", "\u00b5"
"""All letters below the first are Latin, except the second, which is Greek."""
_FIRST_HEAVY = "\u1100"
"""Hangul Jamo, the first character that weighs more than 1."""


def weighted_length(text: str) -> float:
    """Compute the length of a text in characters, each counted by its :func:`weight`."""
    if text.isascii():
        return float(len(text))
    composed = unicodedata.normalize("NFC", text)
    if max(composed, default="") < _FIRST_HEAVY:
        return float(len(composed))
    return sum(_LETTERS[char][1] for char in composed)


def main_script(text: str) -> str:
    """Return the ISO 15924 code of the script of most letters of a text; empty if there is none."""
    counts: dict[str, float] = defaultdict(float)
    for char, count in Counter(text).items():
        script, heavy = _LETTERS[char]
        counts[script] += count * heavy if script else 0
    script, most = max(counts.items(), key=lambda one: one[1], default=("", 0.0))
    return script if most else ""


@lru_cache(maxsize=1024)
def expected(tag: str) -> frozenset[str]:
    """Return the scripts of a language; empty if letters of its script can't be identified."""
    code = script(tag)
    also = _ALSO.get(tag.split("-")[0], set()) if not _names_script(tag) else set()
    codes = _MIXED.get(code, {code}) | also
    return frozenset(codes) if codes <= set(_NAMES) else frozenset()


def script_share(text: str, tag: str) -> float:
    """Compute the share of a text's letters that are in its language's script.

    Letters are weighted by :func:`weight`, so that a Latin name does not outweigh the ideographs
    around the name. The share is 1 if there are no letters, or if letters of the script can't be
    identified.
    """
    wanted = expected(tag)
    if not wanted:
        return 1.0
    if "Latn" in wanted and max(text, default="") < _AFTER_LATIN and _MICRO not in text:
        return 1.0
    inside = total = 0.0
    for char, count in Counter(text).items():
        script, heavy = _LETTERS[char]
        if script:
            total += count * heavy
            inside += count * heavy * (script in wanted)
    return inside / total if total else 1.0


def _names_script(tag: str) -> bool:
    return any(len(part) == 4 and part.isalpha() for part in tag.split("-")[1:])
