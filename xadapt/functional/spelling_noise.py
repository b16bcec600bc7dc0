"""Spelling noise: texts with mistyped letters, for tests of robustness in any script."""

from __future__ import annotations

import random
import unicodedata


def misspelled(text: str, share: float, rng: random.Random) -> str:
    """Mistype a share of the letters of a text, at least one.

    A mistyped letter is left out, doubled, swapped with the next letter, or replaced by another
    letter of the same text, so that no script is mixed in. Marks, digits, punctuation and spaces
    stay. A text without two letters is returned as it is.

    Source: the edits are those of Belinkov and Bisk 2018, https://arxiv.org/abs/1711.02173,
    section 4, without their keyboards.

    Args:
        text: The text.
        share: The share of letters to mistype, above 0 and at most 1.
        rng: The draws.

    Raises:
        ValueError: If the share is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share of letters is above 0 and at most 1, not {share}")
    letters = [i for i, char in enumerate(text) if unicodedata.category(char)[0] == "L"]
    if len(letters) < 2:
        return text
    known = sorted({text[i] for i in letters})
    made = list(text)
    swapped: set[int] = set()
    for place in rng.sample(letters, max(1, round(share * len(letters)))):
        if place not in swapped:
            swapped |= _mistype(made, text, place, known, rng)
    return "".join(made)


def _mistype(
    made: list[str], text: str, place: int, known: list[str], rng: random.Random
) -> set[int]:
    """Mistype one letter in place; return further places that must not change again."""
    char, after = text[place], place + 1
    edits = ["drop", "double"]
    if after < len(text) and unicodedata.category(text[after])[0] == "L" and text[after] != char:
        edits.append("swap")
    others = [other for other in known if other != char]
    if others:
        edits.append("replace")
    edit = rng.choice(edits)
    if edit == "swap" and made[place] == char and made[after] == text[after]:
        made[place], made[after] = text[after], char
        return {after}
    if edit == "replace":
        made[place] = rng.choice(others)
    elif edit == "double":
        made[place] = 2 * char
    else:
        made[place] = ""
    return set()
