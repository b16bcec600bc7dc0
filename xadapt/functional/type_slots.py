"""Candidates of label projection: slots that a model fills with spans, and where spans stand.

A text-to-text model reads a sentence and one slot for each span looked for,
``Obama went to New York . <PER>[None]</PER><LOC>[None]</LOC>``, and writes the slots filled:
``<PER>Obama</PER><LOC>New York</LOC>``.

Source: T-Projection, García-Ferrero et al. 2023, https://arxiv.org/abs/2212.10548, and its code
(https://github.com/ikergarcia1996/T-Projection). Types stand in tags by their own names here.
Where words of the pattern are parts of the words of the sentence, the authors' code compares other
words than the ones in question, so that patterns of several words match falsely; here each word is
compared with its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from xadapt.functional.marker_choice import Run
from xadapt.functional.span_projection import is_punctuation
from xadapt.functional.tag_scheme import Span
from xadapt.functional.tagged_text import closing_tag, opening_tag

NOTHING = "[None]"


def to_slots(words: Sequence[str], types: Iterable[str]) -> str:
    """Write a sentence with an empty slot for each type; a type may occur repeatedly."""
    slots = "".join(f"{opening_tag(name)}{NOTHING}{closing_tag(name)}" for name in types)
    return f"{' '.join(words)} {slots}"


def filled_slots(words: Sequence[str], spans: Iterable[Span]) -> str:
    """Write the slots of a sentence filled with its spans, in order."""
    return "".join(
        f"{opening_tag(name)}{' '.join(words[start:end])}{closing_tag(name)}"
        for start, end, name in sorted(spans)
    )


def read_slots(text: str, types: Iterable[str]) -> list[tuple[str, str]]:
    """Read ``(type, text)`` of the filled slots of an output.

    What has no closing tag of its own type, is empty, or stands outside of slots is passed over.

    Args:
        text: The output.
        types: The types that slots may have.
    """
    found: list[tuple[str, str]] = []
    names = sorted(set(types), key=len, reverse=True)
    tags = [re.escape(form(name)) for name in names for form in (opening_tag, closing_tag)]
    name, inside = "", ""
    for part in re.split(f"({'|'.join(tags)})", text) if tags else ():
        opened = next((own for own in names if part == opening_tag(own)), None)
        if opened is not None:
            name, inside = opened, ""
        elif name and part == closing_tag(name):
            if inside.strip() and inside.strip() != NOTHING:
                found.append((name, " ".join(inside.split())))
            name = ""
        else:
            inside = part
    return found


def places_of(part: Sequence[str], words: Sequence[str], *, pieces: bool = False) -> list[Run]:
    """Return where words stand in a sentence, one behind the other.

    If they stand nowhere, case and punctuation are left out of the comparison.

    Args:
        part: The words looked for.
        words: The words of the sentence.
        pieces: Whether a word looked for may be a part of a word, as in languages whose words
            hold prefixes and suffixes.
    """
    found = _places(list(part), list(words), pieces)
    if found:
        return found
    return _places([own for own in map(_bare, part) if own], list(map(_bare, words)), pieces)


def word_runs(words: Sequence[str], longest: int) -> list[Run]:
    """Return all runs of up to ``longest`` words that neither begin nor end with punctuation."""
    marks = [is_punctuation(word) for word in words]
    return [
        (start, end)
        for start in range(len(words))
        for end in range(start + 1, min(start + longest, len(words)) + 1)
        if not marks[start] and not marks[end - 1]
    ]


def _places(part: Sequence[str], words: Sequence[str], pieces: bool) -> list[Run]:
    if not part:
        return []
    runs = [(at, at + len(part)) for at in range(len(words) - len(part) + 1)]
    return [
        run
        for run in runs
        if all(
            one in own if pieces else one == own
            for one, own in zip(part, words[slice(*run)], strict=True)
        )
    ]


def _bare(word: str) -> str:
    return "".join(char for char in word.lower() if unicodedata.category(char)[0] not in "PS")
